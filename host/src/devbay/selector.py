"""Which devices a person means: selectors over a device's fields and attributes.

Pure. A selector is a mapping of what to look at to what it must be; all of it must hold, and a list means any of its
items. What may be looked at: ``id``, ``parent``, ``path``, ``numa_node``, and every attribute that the backend gives
its devices (``index``, ``product``, ``memory``, ``pci_address``, ...). What it must be:

* text with ``*``, ``?`` and ``[...]``, matched against the whole value, case and all: ``product: "*A100*"``;
* a comparison with a number: ``memory: ">= 40Gi"`` (``Ki`` to ``Pi`` are powers of 1024, ``k`` to ``P`` of 1000);
* a number or a truth value: ``index: 0``; a quantity such as ``40Gi`` is a number where the value is one.
"""

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TypeAlias

from devbay.model import Attribute, Device

Wanted: TypeAlias = Attribute | Sequence[Attribute]
"""What one key of a selector must be: a pattern, a comparison, a number, or a list of them."""

FIELDS = ("id", "parent", "path", "numa_node")
"""What every device can be selected by, whatever its attributes; an attribute of the same name is hidden."""

_COMPARISON = re.compile(r"\s*(>=|<=|>|<|==|!=)\s*(\S+)\s*")
_MEANT = re.compile(r"\s*[<>=!].*|\s*-?\d+(\.\d+)?\s+([KMGTP]i|[kKMGTP])B?\s*")
"""What nobody means as text, though it is no comparison and no quantity."""
_QUANTITY = re.compile(r"(-?\d+(?:\.\d+)?)([KMGTP]i|[kKMGTP])?")
_FACTORS = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15}
_FACTORS |= {f"{letter}i": 1024**power for power, letter in enumerate("KMGTP", start=1)}
_OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
    "!=": operator.ne,
}


@dataclass(frozen=True, slots=True)
class Pattern:
    """Text with wildcards; numbers are compared as they are written."""

    glob: str

    def holds(self, value: Attribute) -> bool:
        """Whether the whole of `value` matches."""
        return fnmatchcase(_written(value), self.glob)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison with a number. Text that is no quantity is never in it."""

    sign: str
    number: float

    def holds(self, value: Attribute) -> bool:
        """Whether `value`, as a number, compares so."""
        number = value if isinstance(value, int) else _quantity(value)
        return number is not None and _OPERATORS[self.sign](number, self.number)


@dataclass(frozen=True, slots=True)
class Amount:
    """A quantity: a number to numbers, and text to texts."""

    text: str
    number: float

    def holds(self, value: Attribute) -> bool:
        """Whether `value` is as much, or is written so."""
        return value == self.number if isinstance(value, int) else value == self.text


Test: TypeAlias = Pattern | Comparison | Amount
"""One thing that a value may be."""


@dataclass(frozen=True, slots=True)
class Selector:
    """Tells the devices that a person means from others. Without conditions it means all.

    Attributes:
        conditions: what to look at, and what it may be, any of them.
        text: as it was written, for people.
    """

    conditions: tuple[tuple[str, tuple[Test, ...]], ...] = ()
    text: str = field(default="all devices", compare=False)

    def matches(self, device: Device) -> bool:
        """Whether `device` is meant."""
        return all(
            any(test.holds(value) for value in values_of(device, name) for test in tests)
            for name, tests in self.conditions
        )

    @property
    def names(self) -> tuple[str, ...]:
        """What it looks at."""
        return tuple(name for name, _ in self.conditions)


EVERYTHING = Selector()


def parse(wanted: Mapping[str, Wanted]) -> Selector:
    """Return the selector that a mapping describes.

    Raises:
        ValueError: something of it cannot be meant; the text names the key and what would do.

    >>> parse({"product": "*A100*", "memory": ">= 40Gi"}).names
    ('product', 'memory')
    """
    if not wanted:
        raise ValueError("a selector needs at least one key, such as id, index or product")
    text = ", ".join(f"{name}: {value}" for name, value in wanted.items())
    return Selector(tuple((name, tuple(_tests(name, value))) for name, value in wanted.items()), text)


def values_of(device: Device, name: str) -> tuple[Attribute, ...]:
    """Return what a selector sees of `device` under `name`; nothing, where the device has no such thing."""
    match name:
        case "id":
            return (device.id,)
        case "parent":
            return () if device.parent is None else (device.parent,)
        case "path":
            return device.paths
        case "numa_node":
            return device.numa_nodes
    value = device.attributes.get(name)
    return () if value is None else (value,)


def unknown_names(selectors: Iterable[Selector], devices: Iterable[Device]) -> tuple[str, ...]:
    """Return the names that are looked at and that none of `devices` has: most likely mistyped."""
    known = {*FIELDS}.union(*(device.attributes for device in devices))
    return tuple(dict.fromkeys(name for selector in selectors for name in selector.names if name not in known))


def _tests(name: str, wanted: Wanted) -> list[Test]:
    items = [wanted] if isinstance(wanted, str | int) else list(wanted)
    if not items:
        raise ValueError(f"{name}: an empty list selects no device")
    return [_test(name, item) for item in items]


def _test(name: str, wanted: Attribute) -> Test:
    if isinstance(wanted, str) and (comparison := _COMPARISON.fullmatch(wanted)):
        number = _quantity(comparison[2])
        if number is None:
            raise ValueError(f"{name}: {wanted!r} compares with {comparison[2]!r}, which is no number such as 40Gi")
        return Comparison(comparison[1], number)
    if isinstance(wanted, str) and _MEANT.fullmatch(wanted):
        raise ValueError(
            f"{name}: {wanted!r} is no comparison and no quantity; write one of {', '.join(_OPERATORS)} "
            f"before a number in one word, such as '>= 40Gi'"
        )
    if isinstance(wanted, str) and not wanted.isdecimal() and (number := _quantity(wanted)) is not None:
        return Amount(wanted, number)
    if isinstance(wanted, bool | str):
        if not _written(wanted):
            raise ValueError(f"{name}: an empty text selects no device")
        return Pattern(_written(wanted))
    return Comparison("==", wanted)


def _quantity(text: str) -> float | None:
    found = _QUANTITY.fullmatch(text)
    if found is None:
        return None
    factor = _FACTORS[found[2] or ""]
    return float(found[1]) * factor if "." in found[1] else int(found[1]) * factor


def _written(value: Attribute) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
