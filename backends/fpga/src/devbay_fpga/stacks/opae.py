"""Boards of Intel's out-of-tree driver: ``/sys/class/fpga/intel-fpga-dev.N``, with an FME and ports below each."""

import re
from collections.abc import Iterator
from pathlib import Path

from devbay.api import Node
from devbay_fpga import sysfs
from devbay_fpga.settings import Settings
from devbay_fpga.stacks import ports
from devbay_fpga.unit import Fault, Reading, Unit

_BOARD = re.compile(r"intel-fpga-dev\.\d+")


def find(node: Node, settings: Settings) -> Iterator[Unit]:  # noqa: ARG001 - the form of a stack
    """Yield the FMEs and ports of all boards."""
    yield from ports.units(DRIVER, sysfs.entries(node.sys / "class/fpga", _BOARD))


def judge(unit: Unit) -> Iterator[Fault]:
    """Yield what the registers and sensors of a port or an FME say is wrong."""
    yield from ports.judge(unit)


def _interface(reading: Reading, fme: Path) -> None:
    path = fme / "pr/interface_id"
    if sysfs.exists(path):
        reading.need("interface_id", path, "identity", ports.IDENTITY)


DRIVER = ports.Driver(
    stack="opae",
    port=re.compile(r"intel-fpga-port\.\d+"),
    fme=re.compile(r"intel-fpga-fme\.\d+"),
    interface=_interface,
)
