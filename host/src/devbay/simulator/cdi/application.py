"""CDI edits applied to a container, as a runtime applies them to its OCI specification.

pkg/cdi/container-edits.go:75-178; only the numbers of device nodes are looked up on the node, without following links
(container-edits_unix.go:49-133).
"""

import os
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from devbay import model
from devbay.simulator.cdi.specification import DeviceNode, Edits, Hook, IntelRdt, LinuxNetDevice, Mount
from devbay.simulator.final import FinalContainer, FinalDevice, FinalIntelRdt, FinalMount, FinalNetDevice

_FIFO = "p"
_KINDS = {stat.S_IFBLK: "b", stat.S_IFCHR: "c", stat.S_IFIFO: _FIFO}


class Inapplicable(ValueError):  # noqa: N818 - says what is wrong with what was asked for
    """Edits that cannot be applied on this node: the container is not created."""


Locate: TypeAlias = Callable[[str], Path]
"""Tells where this process finds the file that the node calls so: `devbay.model.Node.locate`."""


def apply(
    container: FinalContainer, edits: Edits, *, uid: int = 0, gid: int = 0, locate: Locate = Path
) -> FinalContainer:
    """Return `container` with the edits in it; `uid` and `gid` are its process's, `locate` finds the node's files.

    Variables replace one of the same name; device nodes and mounts one of the same path in the container. Mounts are
    then sorted by depth. Hooks and groups are added, group 0 excepted; Intel RDT's share is replaced.

    Raises:
        Inapplicable: a device node is not on the node. Nothing is applied.
    """
    return replace(
        container,
        env=_env(container.env, edits.env),
        devices=_devices(container.devices, (_device(node, uid, gid, locate) for node in edits.device_nodes)),
        mounts=_mounts(container.mounts, edits.mounts),
        hooks=(*container.hooks, *(model.Hook(**_fields(hook)) for hook in edits.hooks)),
        additional_gids=tuple(dict.fromkeys((*container.additional_gids, *filter(None, edits.additional_gids)))),
        net_devices=_net_devices(container.net_devices, edits.net_devices),
        intel_rdt=container.intel_rdt if edits.intel_rdt is None else _share(edits.intel_rdt),
    )


def _env(before: Mapping[str, str], variables: Iterable[str]) -> dict[str, str]:
    pairs = (variable.partition("=") for variable in variables)
    return {**before, **{name: value for name, _, value in pairs}}


def _devices(before: Iterable[FinalDevice], added: Iterable[FinalDevice]) -> tuple[FinalDevice, ...]:
    devices = {device.path: device for device in before}
    for device in added:
        devices.pop(device.path, None)
        devices[device.path] = device
    return tuple(devices.values())


def _device(node: DeviceNode, uid: int, gid: int, locate: Locate) -> FinalDevice:
    host_path = node.host_path or node.path
    kind, major, minor = _numbers(node, host_path, locate)
    # Only these get a rule that lets them through (container-edits.go:110-117): a `u` is there, and of no use.
    permissions = (node.permissions or "rwm") if kind in ("b", "c") else ""
    return FinalDevice(
        path=node.path,
        host_path=host_path,
        type=kind,
        major=major,
        minor=minor,
        permissions=permissions,
        file_mode=node.file_mode,
        uid=node.uid if node.uid is not None else uid or None,
        gid=node.gid if node.gid is not None else gid or None,
    )


def _numbers(node: DeviceNode, host_path: str, locate: Locate) -> tuple[str, int, int]:
    """Return a node's type and numbers, as it gives them or as its file on this node has them."""
    if node.type and (node.major or node.type == _FIFO):
        return node.type, node.major, node.minor
    kind, major, minor = _look(host_path, locate)
    if node.type and node.type != kind:
        raise Inapplicable(f'CDI device ("{node.path}", "{host_path}"), host type mismatch ({node.type}, {kind})')
    if node.major or kind == _FIFO:
        return kind, node.major, node.minor
    return kind, major, minor


def _look(host_path: str, locate: Locate) -> tuple[str, int, int]:
    """Return the type and numbers of a device node of the node."""
    failed = f'failed to stat CDI host device "{host_path}"'
    try:
        found = os.lstat(locate(host_path))
    except (OSError, ValueError) as error:
        raise Inapplicable(f"{failed}: {words(error)}") from error
    kind = _KINDS.get(stat.S_IFMT(found.st_mode), "")
    if not kind:
        raise Inapplicable(f"{failed}: not a device node")
    return kind, os.major(found.st_rdev), os.minor(found.st_rdev)


def _mounts(before: tuple[FinalMount, ...], added: Iterable[Mount]) -> tuple[FinalMount, ...]:
    mounts = {mount.container_path: mount for mount in before}
    new = list(added)
    for mount in new:
        mounts.pop(mount.container_path, None)
        mounts[mount.container_path] = FinalMount(**_fields(mount))
    return tuple(sorted(mounts.values(), key=_depth)) if new else before


def _depth(mount: FinalMount) -> int:
    return os.path.normpath(mount.container_path).count("/")


def _net_devices(before: Iterable[FinalNetDevice], added: Iterable[LinuxNetDevice]) -> tuple[FinalNetDevice, ...]:
    devices = {device.host_interface: device.name for device in before}
    devices |= {device.host_interface_name: device.name for device in added}
    return tuple(FinalNetDevice(host_interface=host, name=name) for host, name in devices.items())


def _share(share: IntelRdt) -> FinalIntelRdt:
    return FinalIntelRdt(**{**_fields(share), "schemata": share.schemata or ()})


def _fields(part: Hook | Mount | IntelRdt) -> dict[str, Any]:
    return {name: getattr(part, name) for name in part.__struct_fields__}


def words(error: Exception) -> str:
    """Return an error of the machine's as Go prints it."""
    return (error.strerror or str(error)).lower() if isinstance(error, OSError) else str(error)
