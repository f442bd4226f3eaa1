"""Judging devices by what the kernel tells of their units at this moment.

Reads; remembers one thing only: how a manager was before it was being programmed, since that still holds meanwhile.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from devbay.api import HEALTHY, Health, Node, unhealthy
from devbay_fpga import sysfs
from devbay_fpga.finding import STACKS
from devbay_fpga.offers import Offer
from devbay_fpga.settings import Settings
from devbay_fpga.stacks import alarms, dfl, manager, xrt
from devbay_fpga.unit import Fault, Unit

GONE = unhealthy("it is no longer found in /sys")


class Judge:
    """Tells the health of devices, with everything that is wrong in one line."""

    def __init__(self) -> None:
        self._managers: dict[str, tuple[Fault, ...]] = {}

    def health(self, node: Node, settings: Settings, offers: Mapping[str, Offer]) -> dict[str, Health]:
        """Return the health of each offer by its device's id; a board's files are read once."""
        units = {unit.key: unit for offer in offers.values() for unit in offer.units}
        told = {key: self._faults(unit) for key, unit in units.items()}
        return {
            name: _verdict(settings, [*offer.faults, *_told(offer, told), *_nodes(node, offer)])
            for name, offer in offers.items()
        }

    def _faults(self, unit: Unit) -> tuple[Fault, ...]:
        if any(fault.source == "reset" for fault in unit.faults):
            return ()  # the files that would tell are gone, and their absence says nothing more
        found = tuple(STACKS[unit.stack].judge(unit))
        key = unit.key
        if any(alarms.is_passing(each) for each in _managers(unit)):
            found += self._managers.get(key, ())
        else:
            self._managers[key] = tuple(fault for fault in found if fault.source == "manager")
        return found


def _managers(unit: Unit) -> list[Path]:
    match unit.stack:
        case "dfl":
            return dfl.managers(unit.directory)
        case "xrt":
            return [] if unit.management is None else xrt.managers(unit.management)
        case "manager":
            return manager.managers(unit.directory)
        case _:
            return []


def _told(offer: Offer, told: Mapping[str, tuple[Fault, ...]]) -> Iterator[Fault]:
    for unit in offer.units:
        for fault in told[unit.key]:
            yield Fault(fault.source, f"{unit.name}: {fault.text}" if len(offer.units) > 1 else fault.text)


def _nodes(node: Node, offer: Offer) -> Iterator[Fault]:
    for path in offer.device.paths:
        if not sysfs.exists(node.locate(path)):
            yield Fault("nodes", f"device node {path} is missing")


def _verdict(settings: Settings, faults: list[Fault]) -> Health:
    said = dict.fromkeys(fault.text for fault in faults if fault.source in settings.health)
    return unhealthy("; ".join(said)) if said else HEALTHY
