"""What is offered: devices made of units, by mode and grouping, each with its resource. Pure.

A port is a device of its own in mode ``af``; in the other modes a board is, with all its ports. XRT cards of one
serial number may be one device, named by the lowest PCI address.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from devbay.api import Attribute, Device
from devbay_fpga import naming, pci
from devbay_fpga.matching import matches
from devbay_fpga.settings import BoardRule, Mode, Settings
from devbay_fpga.unit import Fault, Unit

_HIDDEN = frozenset({"resource", "mode", "index"})
_NUMBERS = frozenset({"port", "ports_num"})


@dataclass(frozen=True, slots=True)
class Offer:
    """A device, and the units that it is made of: its own first, then those whose health is its health."""

    device: Device
    units: tuple[Unit, ...]

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What kept its units from being read."""
        several = len(self.units) > 1
        return tuple(
            Fault(fault.source, f"{unit.name}: {fault.text}" if several else fault.text)
            for unit in self.units
            for fault in unit.faults
        )


@dataclass(frozen=True, slots=True)
class Skipped:
    """A unit that is not offered, and why."""

    name: str
    reason: str


def offers(settings: Settings, units: Mapping[str, Unit]) -> Iterator[Offer | Skipped]:
    """Yield what is offered of these units, and what is not."""
    cards: dict[tuple[str, str], list[Offer]] = {}
    for unit in units.values():
        if not _is_offered(settings, unit, units):
            continue
        offer = _offer(settings, unit, units)
        group = _group(settings, unit) if isinstance(offer, Offer) else ""
        if group and isinstance(offer, Offer):
            cards.setdefault((offer.device.resource, group), []).append(offer)
        else:
            yield offer
    for members in cards.values():
        yield _joined(members)


def mode_of(settings: Settings, board: Unit) -> Mode:
    """Return how a board is offered."""
    rule = next((rule for rule in _rules(settings, board) if rule.mode is not None), None)
    return rule.mode if rule is not None and rule.mode is not None else settings.mode


def ports_of(board: Unit, units: Mapping[str, Unit]) -> list[Unit]:
    """Return the ports of a board."""
    return [unit for unit in units.values() if unit.kind == "port" and unit.board == board.key]


def _is_offered(settings: Settings, unit: Unit, units: Mapping[str, Unit]) -> bool:
    """Whether a unit is offered in its board's mode: ports in `af`, boards otherwise, all else always."""
    match unit.kind:
        case "port":
            return unit.board not in units or mode_of(settings, units[unit.board]) == "af"
        case "fme":
            return mode_of(settings, unit) != "af"
        case _:
            return True


def _offer(settings: Settings, unit: Unit, units: Mapping[str, Unit]) -> Offer | Skipped:
    match unit.kind:
        case "port":
            parts: Sequence[Unit] = [unit, *([units[unit.board]] if unit.board in units else [])]
            paths = [unit.nodes["port"]]
            facts = dict(unit.facts)
            if len(parts) > 1:
                facts = {**parts[1].facts, **facts, "board": parts[1].name}
        case "fme":
            # What is programmed into a port is its user's business here, and unreadable while the user programs it.
            parts = [unit, *(replace(port, faults=()) for port in ports_of(unit, units))]
            mode = mode_of(settings, unit)
            paths = [part.nodes["port"] for part in parts[1:]]
            paths += [unit.nodes["fme"]] if mode == "regiondevel" else []
            facts = {**unit.facts, "mode": mode}
        case _:
            parts, facts = [unit], dict(unit.facts)
            paths = [path for role, path in unit.nodes.items() if role != "management" or _managed(settings, unit)]
    facts["stack"] = unit.stack
    attributes = _attributes(facts)
    try:
        resource = naming.resource(settings, facts, {"id": unit.name, **attributes})
    except naming.Nameless as error:
        return Skipped(unit.name, "; ".join([f"{error}", *(fault.text for fault in unit.faults)]))
    if not paths:
        return Skipped(unit.name, "; ".join(fault.text for fault in unit.faults) or "it has no device node")
    device = Device(
        id=unit.name,
        resource=resource,
        numa_nodes=unit.numa_nodes,
        parent=parts[1].name if unit.kind == "port" and len(parts) > 1 else None,
        paths=tuple(paths),
        attributes=attributes,
    )
    return Offer(device, tuple(parts))


def _attributes(facts: Mapping[str, str]) -> dict[str, Attribute]:
    found: dict[str, Attribute] = {name: _shown(text) for name, text in facts.items() if name not in _HIDDEN}
    for name in _NUMBERS & found.keys():
        if facts[name].isdecimal():
            found[name] = int(facts[name])
    if "virtual_function" in found:
        found["virtual_function"] = True
    if "mode" in facts:
        found["mode"] = facts["mode"]
    return found


def _shown(text: str) -> str:
    """Return a text that a variable and a terminal can hold, whatever a driver printed."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _joined(members: Sequence[Offer]) -> Offer:
    """Return one device for several cards, in the order of their PCI addresses."""
    members = sorted(members, key=lambda offer: pci.place(offer.device.id))
    first = members[0].device
    addresses = ",".join(offer.device.id for offer in members)
    more: dict[str, Attribute] = {"pci_addresses": addresses} if len(members) > 1 else {}
    device = Device(
        id=first.id,
        resource=first.resource,
        numa_nodes=tuple(sorted({number for offer in members for number in offer.device.numa_nodes})),
        paths=tuple(dict.fromkeys(path for offer in members for path in offer.device.paths)),
        attributes={**first.attributes, **more},
    )
    return Offer(device, tuple(unit for offer in members for unit in offer.units))


def _group(settings: Settings, unit: Unit) -> str:
    """Return the serial number by which a card goes together with others; nothing, where it goes alone."""
    if unit.stack != "xrt":
        return ""
    rule = next((rule for rule in _rules(settings, unit) if rule.group_by is not None), None)
    by = rule.group_by if rule is not None else settings.group_by
    if by == "none" or (by == "u30" and not naming.is_u30(unit.facts)):
        return ""
    return unit.facts.get("serial", "")


def _managed(settings: Settings, unit: Unit) -> bool:
    rule = next((rule for rule in _rules(settings, unit) if rule.management is not None), None)
    return rule.management is True if rule is not None else settings.management


def _rules(settings: Settings, unit: Unit) -> Iterable[BoardRule]:
    seen = {"id": unit.name, "stack": unit.stack, **_attributes(unit.facts)}
    return (rule for rule in settings.boards if matches(rule.select, seen))
