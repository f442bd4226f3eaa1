"""What Intel's two drivers have in common: boards with one FME (the manager's side) and ports (the users' sides).

`devbay_fpga.stacks.dfl` and `devbay_fpga.stacks.opae` say where each driver keeps them. A virtual function has a port
and no FME; its FME is the physical function's, where that is in this kernel at all.
"""

import errno
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from devbay_fpga import pci, sysfs
from devbay_fpga.stacks import alarms
from devbay_fpga.unit import Fault, Kind, Reading, Unit

IDENTITY = re.compile(r"(?!f{32})[0-9a-f]{32}", re.IGNORECASE)
"""An interface's or a function's id. 32 times ``f`` is what the bus returns for a card that does not answer."""

_AP6 = 6
_FACTS = ("bitstream_id", "bitstream_metadata", "socket_id", "ports_num")


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """Where a driver keeps what.

    Attributes:
        stack: its name.
        port: the form of a port's name.
        fme: the form of an FME's name.
        interface: reads an FME's interface id into a reading.
    """

    stack: str
    port: re.Pattern[str]
    fme: re.Pattern[str]
    interface: Callable[[Reading, Path], None]

    @property
    def either(self) -> re.Pattern[str]:
        """The form of both names."""
        return re.compile(f"{self.port.pattern}|{self.fme.pattern}")


@dataclass(frozen=True, slots=True)
class _Found:
    """A port or an FME: its driver, its name, and its directory without links."""

    driver: Driver
    name: str
    directory: Path


def units(driver: Driver, places: Iterable[Path]) -> Iterator[Unit]:
    """Yield the FMEs and ports in these directories, each once, however many ways lead to it."""
    found: dict[str, Path] = {}
    for place in places:
        for path in sysfs.entries(place, driver.either):
            if path.name not in found:
                found[path.name] = sysfs.real(path)
    names = sorted(found, key=sysfs.natural)
    fmes = [_fme(_Found(driver, name, found[name])) for name in names if driver.fme.fullmatch(name)]
    yield from fmes
    boards = {where: fme.key for fme in fmes for where in (fme.address, f"{fme.directory.parent}") if where}
    for name in names:
        if driver.port.fullmatch(name):
            yield _port(_Found(driver, name, found[name]), boards)


def judge(unit: Unit) -> Iterator[Fault]:
    """Yield what a port's or an FME's files say is wrong. ``first_error`` and its like are history, and not asked."""
    errors = unit.directory / "errors"
    if unit.kind == "port":
        yield from _power_state(unit.directory / "power_state")
        yield from alarms.register(errors / "errors", "nonfatal-errors")
        return
    yield from alarms.register(errors / "catfatal_errors", "fatal-errors")
    yield from alarms.register(errors / "nonfatal_errors", "nonfatal-errors")
    yield from alarms.hwmon(unit.directory)


def _fme(found: _Found) -> Unit:
    reading = Reading()
    found.driver.interface(reading, found.directory)
    for fact in _FACTS:
        reading.take(fact, found.directory / fact)
    return _unit(found, "fme", reading, "fme")


def _port(found: _Found, boards: dict[str, str]) -> Unit:
    reading = Reading()
    _afu(reading, found.directory / "afu_id")
    reading.take("port", found.directory / "id")
    function = _function(found.directory)
    where = [f"{found.directory.parent}"]
    if function is not None:
        physical = function / "physfn"
        if sysfs.exists(physical):
            reading.facts["virtual_function"] = "true"
            where = [sysfs.real(physical).name]
        else:
            where = [function.name, *where]
    board = next((boards[each] for each in where if each in boards), "")
    return _unit(found, "port", reading, f"port{reading.facts.get('port', f'-{found.name}')}", board)


def _unit(found: _Found, kind: Kind, reading: Reading, part: str, board: str = "") -> Unit:
    directory = found.directory
    function = _function(directory)
    facts = {key: text.lower() if key.endswith("_id") else text for key, text in reading.facts.items()}
    if function is not None:
        facts["pci_address"] = function.name
    return Unit(
        key=f"{function.name if function is not None else directory.parent.name}/{part}",
        name=found.name,
        stack=found.driver.stack,
        kind=kind,
        directory=directory,
        board=board,
        address=function.name if function is not None else "",
        facts=facts,
        nodes={kind: f"/dev/{found.name}"},
        numa_nodes=pci.numa_nodes(function) or pci.numa_nodes(directory),
        ancestry=pci.ancestry(function) if function is not None else (),
        faults=tuple(reading.faults),
    )


def _function(directory: Path) -> Path | None:
    """Return the PCI function that a port or an FME is in, or that its region names as its device."""
    return pci.function(directory) or pci.function(sysfs.real(directory.parent / "device"))


def _afu(reading: Reading, path: Path) -> None:
    """Read what is programmed into a port; the driver answers EBUSY while the port is disabled."""
    try:
        sysfs.read(path)
    except OSError as error:
        if error.errno == errno.EBUSY:
            reading.faults.append(Fault("port", "it is disabled: it is being programmed or reset (afu_id is busy)"))
            return
    reading.need("afu_id", path, "identity", IDENTITY)


def _power_state(path: Path) -> Iterator[Fault]:
    """Yield a fault for AP6: the function is held in reset. AP1 and AP2 only slow it down."""
    if sysfs.number(sysfs.peek(path)) == _AP6:
        yield Fault("power-state", "power_state is 6 (AP6): the card has shut its function off")
