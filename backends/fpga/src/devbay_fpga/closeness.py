"""How close two devices are: on one card, below one PCIe switch, on one NUMA node. Pure."""

from devbay.api import Device
from devbay_fpga.offers import Offer

_CARD, _SWITCH, _NUMA = 100.0, 10.0, 1.0


def closeness(a: Device, b: Device, first: Offer | None, second: Offer | None) -> float:
    """Return a number that is higher for closer devices, the same whichever comes first."""
    if first is not None and second is not None:
        if _card(first) & _card(second):
            return _CARD
        if shared := _shared(first, second):
            return _SWITCH + shared
    return _NUMA if set(a.numa_nodes) & set(b.numa_nodes) else 0.0


def _card(offer: Offer) -> set[str]:
    """Return what names the card that a device is on: its slots, its serial number, its FME."""
    slots = {unit.address.partition(".")[0] for unit in offer.units if unit.address}
    serials = {f"serial {unit.facts['serial']}" for unit in offer.units if unit.facts.get("serial")}
    boards = {unit.board or unit.key for unit in offer.units if unit.kind != "card"}
    return slots | serials | boards


def _shared(first: Offer, second: Offer) -> int:
    """Return how many bridges two devices have in common, not counting the devices themselves."""
    one, other = (offer.units[0].ancestry[:-1] for offer in (first, second))
    return next((i for i, (x, y) in enumerate(zip(one, other, strict=False)) if x != y), min(len(one), len(other)))
