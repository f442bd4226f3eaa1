"""Container edits: from what a backend asked for to what a container is given.

Pure: what kind of file a path is comes as an argument. Duplicates are removed (two replicas of one device, two devices
that share a control node), contradictions are refused, and a path that is no device node becomes a mount, since a
container runtime refuses it as a device.
"""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import replace
from typing import TypeVar

from devbay.contract import ContractViolation
from devbay.model import ContainerEdits, Mount

T = TypeVar("T")


def host_paths(edits: ContainerEdits) -> tuple[str, ...]:
    """Return the node's paths that are asked for as device nodes, each once."""
    return tuple(dict.fromkeys(node.host_path for node in edits.device_nodes))


def deliverable(edits: ContainerEdits, is_device_node: Callable[[str], bool]) -> ContainerEdits:
    """Return `edits` with each path once and everything that is no device node as a mount.

    Raises:
        ContractViolation: one path of the container is asked for twice with different content.
    """
    nodes = _once(edits.device_nodes, lambda node: node.path, "device node")
    plain = [node for node in nodes if not is_device_node(node.host_path)]
    as_mounts = [
        Mount(container_path=node.path, host_path=node.host_path, read_only="w" not in node.permissions)
        for node in plain
    ]
    # A file asked for as both (a backend that does not know what it has) is one mount: the writable one.
    mounts = [*as_mounts, *(m for m in edits.mounts if m.container_path not in {a.container_path for a in as_mounts})]
    return replace(
        edits,
        device_nodes=tuple(node for node in nodes if node not in plain),
        mounts=_once(mounts, lambda mount: mount.container_path, "mount"),
        hooks=tuple(dict.fromkeys(edits.hooks)),
    )


def _once(items: Iterable[T], key: Callable[[T], Hashable], what: str) -> tuple[T, ...]:
    chosen: dict[Hashable, T] = {}
    for item in items:
        if chosen.setdefault(key(item), item) != item:
            raise ContractViolation(f"edit asks for two different things at the {what} {key(item)} of the container")
    return tuple(chosen.values())
