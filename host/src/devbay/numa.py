"""Which NUMA nodes a device is close to, from the sysfs parents of its device nodes.

I/O on ``/sys`` and ``/dev``, wherever `Node` says they are; for a backend's thread, or another that may wait. Nothing
is guessed: what is no device node, has no entry in sysfs, or has no parent that says a node, is unknown. So is what
cannot be read: topology is advice, and no device is lost for it.
"""

import os
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from devbay.model import Node

_VFIO_GROUP = re.compile(r".*/vfio/(?:noiommu-)?(?P<group>\d+)")
"""A vfio group, in ``/dev`` and in sysfs, where it is a virtual device: its hardware is the IOMMU group's members."""

_NVME_PATH = re.compile(r".*/nvme-subsys\d+/nvme\d+")
"""A controller of an NVMe subsystem: beside the disk, which is virtual since it may have several."""

_DEPTH = 8
"""Block devices on block devices that are followed: encryption on a volume on an array has three."""


def numa_nodes(node: Node, paths: Sequence[str]) -> tuple[int, ...]:
    """Return the NUMA nodes of the hardware behind device nodes, sorted, each once; none where they are unknown.

    `paths` are the node's own, as in `Device.paths`.
    """
    sys = Path(os.path.realpath(node.sys))
    return tuple(sorted({number for path in paths for number in _of_path(node, sys, path)}))


def _of_path(node: Node, sys: Path, path: str) -> Iterator[int]:
    try:
        status = node.locate(path).stat()
    except (OSError, ValueError):  # ValueError: a null byte in it
        return
    if stat.S_ISCHR(status.st_mode):
        kind = "char"
    elif stat.S_ISBLK(status.st_mode):
        kind = "block"
    else:
        return
    number = f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
    device = _device(sys, sys / "dev" / kind / number)
    if match := _VFIO_GROUP.fullmatch(path) or _VFIO_GROUP.fullmatch(f"{device}"):
        for member in _entries(sys / "kernel" / "iommu_groups" / match["group"] / "devices"):
            yield from _of_parents(sys, _device(sys, member))
    else:
        yield from _of_device(sys, device, _DEPTH)


def _of_device(sys: Path, device: Path | None, depth: int) -> Iterator[int]:
    """Yield the NUMA node of a device's parents, and those of the block devices that it is made of."""
    yield from _of_parents(sys, device)
    if device is not None and depth:
        paths = [entry for entry in _entries(device.parent) if _NVME_PATH.fullmatch(f"{entry}")]
        for part in (*_entries(device / "slaves"), *paths):
            yield from _of_device(sys, _device(sys, part), depth - 1)


def _of_parents(sys: Path, device: Path | None) -> Iterator[int]:
    """Yield what the nearest of a device and its parents knows: -1 is the kernel's word for not knowing."""
    while device is not None and device != sys / "devices":
        try:
            number = int((device / "numa_node").read_bytes())
        except (OSError, ValueError):
            number = -1
        if number >= 0:
            yield number
            return
        device = device.parent


def _device(sys: Path, link: Path) -> Path | None:
    """Return the directory below ``/sys/devices`` that a link of sysfs leads to; None where it leads to none."""
    try:
        device = link.resolve(strict=True)
    except (OSError, RuntimeError):  # RuntimeError: links in a circle, up to Python 3.12
        return None
    return device if device.is_relative_to(sys / "devices") else None


def _entries(directory: Path) -> list[Path]:
    try:
        return sorted(directory.iterdir())
    except OSError:
        return []
