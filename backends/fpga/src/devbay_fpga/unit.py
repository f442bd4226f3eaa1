"""What a stack finds, and what a stack is: the values between the drivers' modules and the rest.

Pure. A *unit* is one thing of the hardware as the kernel shows it: a card's user function, a port, an FME. What is
offered to containers is made of units, in `devbay_fpga.offers`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal, Protocol, TypeAlias

from devbay.api import Node
from devbay_fpga import sysfs
from devbay_fpga.settings import Settings, Source

Kind: TypeAlias = Literal["card", "port", "fme"]
_ANYTHING = re.compile(r".+", re.DOTALL)
_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with a unit.

    Attributes:
        source: what told it; the settings say whether that source counts.
        text: a sentence for a person.
    """

    source: Source
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One thing of the hardware.

    Attributes:
        key: where it is in the hardware (``0000:3b:00.0/port1``): the same after a reset and after a new probe.
        name: what it is offered as; for most stacks the kernel's name of it.
        stack: the driver family: ``dfl``, ``opae``, ``xrt``, ``ama``, ``zocl``, ``manager``.
        kind: what of a board it is.
        directory: its directory in sysfs, as this process finds it.
        management: the directory of the function that manages it, where there is one here.
        board: the key of the FME that a port belongs to; empty for a port without one.
        address: the PCI address of its function; empty where there is none.
        facts: what it is: texts by name, those that could be read.
        nodes: its device nodes, as the node calls them, by role.
        numa_nodes: the NUMA nodes it is close to.
        ancestry: the PCI addresses on the way to it.
        faults: what kept it from being read.
    """

    key: str
    name: str
    stack: str
    kind: Kind = "card"
    directory: Path
    management: Path | None = None
    board: str = ""
    address: str = ""
    facts: Mapping[str, str] = field(default_factory=lambda: _NOTHING, hash=False)
    nodes: Mapping[str, str] = field(default_factory=lambda: _NOTHING, hash=False)
    numa_nodes: tuple[int, ...] = ()
    ancestry: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()


class Stack(Protocol):
    """A driver family, as a module that has these two functions."""

    def find(self, node: Node, settings: Settings) -> Iterator[Unit]:
        """Yield the units that are here, whole or troubled; one that cannot be read costs no other."""

    def judge(self, unit: Unit) -> Iterator[Fault]:
        """Yield what is wrong with a unit now."""


class Reading:
    """Collects what one unit's files say, and what could not be read."""

    def __init__(self) -> None:
        self.facts: dict[str, str] = {}
        self.faults: list[Fault] = []

    def need(self, name: str, path: Path, source: Source, pattern: re.Pattern[str] = _ANYTHING) -> None:
        """Read a fact without which the unit has no name; what does not match is a driver's word for none."""
        try:
            text = sysfs.read(path)
        except OSError as error:
            self.faults.append(Fault(source, sysfs.unreadable(path, error)))
            return
        if pattern.fullmatch(text):
            self.facts[name] = text
        else:
            self.faults.append(Fault(source, f"{path.name} reads {text[:40]!r}, which names nothing"))

    def take(self, name: str, path: Path) -> None:
        """Read a fact that the unit can do without."""
        if text := sysfs.peek(path):
            self.facts[name] = text
