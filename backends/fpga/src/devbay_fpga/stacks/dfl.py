"""Boards of the kernel's own DFL drivers: ``/sys/class/fpga_region``, ``dfl-fme.N``, ``dfl-port.N``.

A board's base region is the one that holds ``dfl-fme.*`` or ``dfl-port.*``; the regions that are programmed are in the
same class, and have none.
"""

import errno
import re
from collections.abc import Iterator
from pathlib import Path

from devbay.api import Node
from devbay_fpga import sysfs
from devbay_fpga.settings import Settings
from devbay_fpga.stacks import alarms, ports
from devbay_fpga.unit import Fault, Reading, Unit

_REGION = re.compile(r"region\d+")
_PROGRAMMED = re.compile(r"dfl-fme-region\.\d+")
_MANAGED = re.compile(r"dfl-fme-mgr\.\d+")
_SILENT = frozenset({errno.ENOENT, errno.ENOTDIR})


def find(node: Node, settings: Settings) -> Iterator[Unit]:  # noqa: ARG001 - the form of a stack
    """Yield the FMEs and ports of all boards."""
    yield from ports.units(DRIVER, [*sysfs.entries(node.sys / "class/fpga_region"), node.sys / "bus/platform/devices"])


def judge(unit: Unit) -> Iterator[Fault]:
    """Yield what the registers, sensors and manager of a port or an FME say is wrong."""
    yield from ports.judge(unit)
    for manager in managers(unit.directory):
        yield from alarms.manager(manager)


def managers(fme: Path) -> list[Path]:
    """Return the managers of an FME."""
    return [manager for parent in sysfs.entries(fme, _MANAGED) for manager in alarms.managers(parent)]


def _interface(reading: Reading, fme: Path) -> None:
    """Read the interface id from any of the regions: they are equal, and one may be refused while it is programmed."""
    faults = []
    for region in sysfs.entries(fme, _PROGRAMMED):
        for each in sysfs.entries(region / "fpga_region", _REGION):
            attempt = Reading()
            attempt.need("interface_id", each / "compat_id", "identity", ports.IDENTITY)
            if attempt.facts:
                reading.facts.update(attempt.facts)
                return
            if not _has_none(each / "compat_id"):
                faults += attempt.faults
    reading.faults += faults[:1]


def _has_none(path: Path) -> bool:
    """Whether a region has no interface id at all, which is no fault: the read fails with ENOENT, or is empty."""
    try:
        return not sysfs.read(path)
    except OSError as error:
        return error.errno in _SILENT


DRIVER = ports.Driver(
    stack="dfl",
    port=re.compile(r"dfl-port\.\d+"),
    fme=re.compile(r"dfl-fme\.\d+"),
    interface=_interface,
)
