"""Embedded boards with AMD's driver zocl (Zynq, Kria): a render node, and a directory of the platform bus."""

import re
from collections.abc import Iterator
from pathlib import Path

from devbay.api import Node
from devbay_fpga import pci, sysfs
from devbay_fpga.settings import Settings
from devbay_fpga.unit import Fault, Unit

_NAME = re.compile(r".*zyxclmm_drm.*")
_RENDER = re.compile(r"renderD\d+")
_DEPTH = 3
_PLAIN = frozenset({"power", "driver", "subsystem", "of_node", "firmware_node"})


def find(node: Node, settings: Settings) -> Iterator[Unit]:  # noqa: ARG001 - the form of a stack
    """Yield the boards: most have one."""
    found = {sysfs.real(path): path.name for path in _places(node.sys / "bus/platform/devices", _DEPTH)}
    for directory, name in sorted(found.items()):
        render = _render(node, directory)
        yield Unit(
            key=f"platform/{name}",
            name=name,
            stack="zocl",
            directory=directory,
            facts={"product": "zocl"},
            nodes={"render": f"/dev/dri/{render}"} if render else {},
            numa_nodes=pci.numa_nodes(directory),
            faults=() if render else (Fault("nodes", "it has no render node (drm/renderD*)"),),
        )


def judge(unit: Unit) -> Iterator[Fault]:  # noqa: ARG001 - the form of a stack
    """Yield nothing: the driver tells nothing of its health in sysfs."""
    yield from ()


def _places(directory: Path, depth: int) -> Iterator[Path]:
    """Yield the driver's directories: on the bus itself, or below the bridges that the device tree put it behind."""
    for path in sysfs.entries(directory):
        if _NAME.fullmatch(path.name):
            yield path
        elif depth > 1 and path.name not in _PLAIN and (depth == _DEPTH or not path.is_symlink()):
            yield from _places(path, depth - 1)


def _render(node: Node, directory: Path) -> str:
    """Return the name of a board's render node: its directory's, or the only one here that is no other device's."""
    if own := sysfs.entries(directory / "drm", _RENDER):
        return own[0].name
    owners = {path.name: sysfs.real(path / "device") for path in sysfs.entries(node.sys / "class/drm", _RENDER)}
    if mine := [name for name, owner in owners.items() if owner == directory]:
        return mine[0]
    free = [path.name for path in sysfs.entries(node.dev / "dri", _RENDER) if path.name not in owners]
    return free[0] if len(free) == 1 else ""
