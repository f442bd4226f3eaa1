"""Why a device is here, in a few lines for a person: what it was found by, and what its health rests on."""

from collections.abc import Iterator

from devbay.api import Node
from devbay_fpga.offers import Offer
from devbay_fpga.settings import Settings
from devbay_fpga.unit import Unit


def lines(node: Node, settings: Settings, offer: Offer) -> Iterator[str]:
    """Yield lines about a device's units, and about what the settings leave out of its health."""
    for unit in offer.units:
        yield f"{unit.name}: stack {unit.stack}, {_path(node, unit)}{_management(unit)}"
        facts = ", ".join(f"{name} {text}" for name, text in sorted(unit.facts.items()))
        yield f"  it says: {facts or 'nothing that can be read'}"
        yield from (f"  {fault.source}: {fault.text}" for fault in unit.faults)
    yield f"what counts for its health (fpga.health): {', '.join(settings.health) or 'nothing'}"


def _path(node: Node, unit: Unit) -> str:
    """Return a unit's directory as the node calls it, where it is below this process's ``/sys``."""
    root = node.sys.resolve()
    inside = unit.directory.is_relative_to(root)
    return f"/sys/{unit.directory.relative_to(root)}" if inside else f"{unit.directory}"


def _management(unit: Unit) -> str:
    return "" if unit.management is None else f", managed by {unit.management.name}"
