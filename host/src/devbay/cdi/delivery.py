"""What goes into a specification and what into the kubelet's own answer.

Pure. Each device has an entry of its own: the nodes, mounts and hooks that its backend gives for it alone. Environment
and annotations stay in the answer, since they belong to the set of devices that a container gets. A request is divided
by `split`: an entry is used where it says just what the answer for the whole set says, and everything else is given
directly, so that a container gets the same by either way, and nothing by both.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from devbay.cdi import document, names, rules
from devbay.contract import ContractViolation
from devbay.model import ContainerEdits, DeviceNode, Hook, Mount


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """What one container gets, divided.

    Attributes:
        names: full names of the CDI devices to give, in the request's order.
        rest: what the answer itself must hold.
    """

    names: tuple[str, ...]
    rest: ContainerEdits


def split(resource: str, whole: ContainerEdits, singles: Mapping[str, ContainerEdits]) -> Split:
    """Divide what one container gets of a resource.

    Args:
        resource: whose devices they are.
        whole: what the backend gives for all of them together.
        singles: what it gives for each alone, by id, in the request's order, as the specification has it; a device
            that is missing here is given directly.

    Raises:
        ContractViolation: a hook of `whole` belongs to no single device, and an answer cannot hold it.
    """
    asked = set(_parts(whole))
    usable = [id_ for id_, edits in singles.items() if _parts(edits) and asked.issuperset(_parts(edits))]
    hooks: set[Hook] = set()  # a runtime runs a hook as often as it is named
    used: list[str] = []
    for id_ in usable:
        if hooks.isdisjoint(singles[id_].hooks):
            hooks.update(singles[id_].hooks)
            used.append(id_)
    covered = {part for id_ in used for part in _parts(singles[id_])}
    kind = names.kind_of(resource)
    alone = [_hook(hook) for hook in whole.hooks if hook not in covered and _known(hook, resource, singles)]
    given = [*(names.device_name(id_) for id_ in used), *map(_hook_entry_name, alone)]
    return Split(
        names=tuple(str(names.Qualified(kind, name)) for name in given),
        rest=replace(
            whole,
            device_nodes=tuple(node for node in whole.device_nodes if node not in covered),
            mounts=tuple(mount for mount in whole.mounts if mount not in covered),
            hooks=(),
        ),
    )


def annotations(resource: str, qualified: Sequence[str]) -> dict[str, str]:
    """Return the annotation that gives a container CDI devices; none, where there are no devices."""
    return {names.annotation_key(resource): ",".join(qualified)} if qualified else {}


def entry(
    device_id: str, edits: ContainerEdits, real: Callable[[str], str], *, with_env: bool = False
) -> document.Device | None:
    """Return the entry of a device; None where there is nothing to put into one.

    Args:
        device_id: which device.
        edits: what a container gets for it alone, nodes and mounts told apart.
        real: tells where a path leads in the end: runtimes refuse a symbolic link as a device
            (container-edits_unix.go:49-133).
        with_env: whether the environment goes into the entry too: for those who have no kubelet's answer.
    """
    content = document.Edits(
        env=tuple(f"{name}={value}" for name, value in edits.env.items()) if with_env else (),
        device_nodes=tuple(_node(node, real) for node in edits.device_nodes),
        mounts=tuple(_mount(mount) for mount in edits.mounts),
        hooks=tuple(_hook(hook) for hook in edits.hooks),
    )
    if content == document.Edits():
        return None
    return document.Device(name=names.device_name(device_id), container_edits=content)


def entry_problem(device: document.Device) -> str | None:
    """Return why an entry cannot be in a specification, or None: one that cannot would spoil its neighbours' file."""
    draft = specification(f"{names.OWN_VENDORS}any/any", [device])
    for problem in rules.problems(draft):
        return problem
    try:
        document.encode(draft)
    except UnicodeEncodeError:
        return f"{device.name}: its containerEdits hold text that is no Unicode"
    return None


def specification(kind: str, entries: Iterable[document.Device]) -> document.Specification:
    """Return the specification that holds these entries, sorted by name, in the oldest version that can.

    Besides, each hook has an entry of its own: of two devices with a hook in common one is given by its entry, and the
    other's remaining hooks by theirs, since a runtime would run the common one twice.
    """
    devices = {device.name: device for device in entries if not device.name.startswith(names.HOOK)}
    hooks = {hook for device in devices.values() for hook in device.container_edits.hooks}
    alone = [
        document.Device(name=_hook_entry_name(hook), container_edits=document.Edits(hooks=(hook,))) for hook in hooks
    ]
    together = sorted((*devices.values(), *alone), key=lambda device: device.name)
    draft = document.Specification(cdi_version="", kind=kind, devices=tuple(together))
    return msgspec.structs.replace(draft, cdi_version=rules.lowest_version(draft))


def _parts(edits: ContainerEdits) -> tuple[Any, ...]:
    return (*edits.device_nodes, *edits.mounts, *edits.hooks)


def _known(hook: Hook, resource: str, singles: Mapping[str, ContainerEdits]) -> bool:
    if any(hook in edits.hooks for edits in singles.values()):
        return True
    raise ContractViolation(
        f"edit asks for the hook {hook.hook_name} {hook.path} for devices of {resource} together and for none of them "
        f"alone ({', '.join(singles)}), so it cannot be delivered; return it for each device as well"
    )


def _node(node: DeviceNode, real: Callable[[str], str]) -> document.DeviceNode:
    # Type and numbers are left out: they may be others when the container starts again, and the runtime looks then.
    host_path = real(node.host_path or node.path)
    return document.DeviceNode(
        path=node.path, host_path="" if host_path == node.path else host_path, permissions=node.permissions
    )


def _mount(mount: Mount) -> document.Mount:
    # The options that a runtime gives to the kubelet's own mounts: a device is the same by either way.
    return document.Mount(
        host_path=mount.host_path or mount.container_path,
        container_path=mount.container_path,
        options=("ro" if mount.read_only else "rw", "rbind", "rprivate"),
    )


def _hook(hook: Hook) -> document.Hook:
    return document.Hook(
        hook_name=hook.hook_name,
        path=hook.path,
        args=tuple(hook.args),
        env=tuple(hook.env),
        timeout=hook.timeout,
    )


def _hook_entry_name(hook: document.Hook) -> str:
    return names.hook_name(json.dumps(msgspec.to_builtins(hook), sort_keys=True).encode())
