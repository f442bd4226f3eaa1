"""Asking every stack what is here. One stack that fails costs its own units, and never another's."""

import logging
from collections.abc import Iterator, Mapping

from devbay.api import Node
from devbay_fpga import pci, sysfs
from devbay_fpga.settings import Settings, Stacks
from devbay_fpga.stacks import ama, dfl, manager, opae, xrt, zocl
from devbay_fpga.unit import Stack, Unit

log = logging.getLogger(__name__)

STACKS: Mapping[str, Stack] = {"xrt": xrt, "dfl": dfl, "opae": opae, "ama": ama, "zocl": zocl, "manager": manager}
"""The stacks by their names in the settings."""


def find(node: Node, settings: Settings) -> Iterator[Unit]:
    """Yield the units of all stacks that the settings name."""
    for name in settings.stacks:
        try:
            yield from STACKS[name].find(node, settings)
        except (OSError, ValueError) as error:  # its reader missed a case: the others are not to pay for it
            log.warning("the stack %s cannot be looked at: %s", name, error)


def on_bus(node: Node) -> frozenset[str]:
    """Return the addresses of the PCI functions that are there."""
    return frozenset(path.name for path in sysfs.entries(node.sys / "bus/pci/devices", pci.ADDRESS))


def absent(settings: Settings) -> str:
    """Return a sentence about a node without FPGAs."""
    return f"no FPGA of the drivers {_words(settings.stacks)} is in /sys: is the driver loaded, is a card here?"


def _words(names: tuple[Stacks, ...]) -> str:
    return ", ".join(names) or "(none: fpga.stacks is empty)"
