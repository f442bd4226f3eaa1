"""What was known of a unit when it could be read, so that a card in reset keeps its name and its place.

Pure: what is found now and what was kept, in; units to go on with, out. A unit is forgotten when the hardware is gone:
when its PCI function left the bus, or, without one, when its stack no longer shows it.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from devbay_fpga.unit import Fault, Unit

_NAMING = frozenset({"afu_id", "interface_id", "shell", "timestamp", "product"})
"""Facts that a name is made of: one that was there and is not any more is a fault."""


def recall(found: Iterable[Unit], kept: Mapping[str, Unit], on_bus: Collection[str]) -> dict[str, Unit]:
    """Return the units by key: those that are found, completed by what was `kept` of them, and those in between.

    `on_bus` are the addresses of the PCI functions that are there.
    """
    units = {unit.key: _completed(unit, kept[unit.key]) if unit.key in kept else unit for unit in found}
    shown = {unit.address for unit in units.values() if unit.address} | {unit.name for unit in units.values()}
    for key, unit in kept.items():
        if key not in units and unit.address in on_bus and not {unit.address, unit.name} & shown:
            units[key] = replace(unit, faults=(Fault("reset", "its driver no longer shows it, and it is on the bus"),))
    return units


def keep(units: Mapping[str, Unit]) -> dict[str, Unit]:
    """Return what to keep of units until the next look."""
    return {key: unit for key, unit in units.items() if unit.facts}


def _completed(unit: Unit, old: Unit) -> Unit:
    """Return a unit with what was known of it before and cannot be read now."""
    lost = _NAMING & (old.facts.keys() - unit.facts.keys())
    faults = unit.faults or tuple(_faults(lost, old))
    if not faults:
        return replace(unit, facts={**_lasting(old), **unit.facts})
    return replace(
        unit,
        name=old.name,
        facts={**old.facts, **unit.facts},
        nodes={**old.nodes, **unit.nodes},
        board=unit.board or old.board,
        management=unit.management or old.management,
        faults=faults,
    )


def _lasting(old: Unit) -> dict[str, str]:
    """Return what cannot change while a card is in its slot."""
    return {"serial": old.facts["serial"]} if "serial" in old.facts else {}


def _faults(lost: Collection[str], old: Unit) -> Iterator[Fault]:
    for name in sorted(lost):
        yield Fault("identity", f"its {name} was {old.facts[name]} and can no longer be read")
