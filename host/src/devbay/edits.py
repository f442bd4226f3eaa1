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
    real = tuple(node for node in nodes if node not in plain)
    mounts = {mount.container_path: mount for mount in _once(edits.mounts, lambda m: m.container_path, "mount")}
    # A file asked for as both (a backend that does not know what it has) is one thing: the device node if it is one,
    # else the mount, writable if either may write.
    for node in nodes:
        if (mount := mounts.get(node.path)) and mount.host_path != node.host_path:
            raise _two_things("path", node.path)
    as_mounts = [
        Mount(
            container_path=node.path,
            host_path=node.host_path,
            read_only="w" not in node.permissions and (node.path not in mounts or mounts[node.path].read_only),
        )
        for node in plain
    ]
    covered = {node.path for node in nodes}
    return replace(
        edits,
        device_nodes=real,
        mounts=(*as_mounts, *(mount for path, mount in mounts.items() if path not in covered)),
        hooks=tuple(dict.fromkeys(edits.hooks)),
    )


def _once(items: Iterable[T], key: Callable[[T], Hashable], what: str) -> tuple[T, ...]:
    chosen: dict[Hashable, T] = {}
    for item in items:
        if chosen.setdefault(key(item), item) != item:
            raise _two_things(what, key(item))
    return tuple(chosen.values())


def _two_things(what: str, place: Hashable) -> ContractViolation:
    return ContractViolation(f"edit asks for two different things at the {what} {place} of the container")
