"""What several drivers tell in the same way: states of fpga_manager, alarms of hwmon, registers of errors."""

import re
from collections.abc import Iterator
from pathlib import Path

from devbay_fpga import sysfs
from devbay_fpga.settings import Source
from devbay_fpga.unit import Fault

_HWMON = re.compile(r"hwmon\d+")
_ALARM = re.compile(r"(?P<what>temp|power)(?P<number>\d+)_crit_alarm")
_MANAGER = re.compile(r"fpga\d+")
_BROKEN_STATES = frozenset({"power off", "reset"})
_PASSING_STATES = frozenset({"firmware request", "write init", "write", "write complete"})


def manager(directory: Path) -> Iterator[Fault]:
    """Yield what a manager's directory in ``/sys/class/fpga_manager`` says is wrong (``Documentation/ABI``).

    ``unknown`` is how a DFL board reads before its first programming, ``power up`` how others do.
    """
    state = sysfs.peek(directory / "state")
    if state.endswith("error") or state in _BROKEN_STATES:
        said = ", ".join(sysfs.peek(directory / "status").splitlines())
        yield Fault("manager", f"{directory.name}: state is {state!r}{f' ({said})' if said else ''}")


def is_passing(directory: Path) -> bool:
    """Whether a manager is being programmed at this moment, so that what it was before still holds."""
    return sysfs.peek(directory / "state") in _PASSING_STATES


def managers(parent: Path) -> list[Path]:
    """Return the managers below a device's directory."""
    return sysfs.entries(parent / "fpga_manager", _MANAGER)


def hwmon(directory: Path) -> Iterator[Fault]:
    """Yield the critical alarms of a device's sensors."""
    for monitor in sysfs.entries(directory / "hwmon", _HWMON):
        for path in sysfs.entries(monitor, _ALARM):
            if sysfs.number(sysfs.peek(path)):
                yield _alarm(path)


def register(path: Path, source: Source) -> Iterator[Fault]:
    """Yield a fault if a register of errors has a bit set, or the hardware did not answer; none if it is not there."""
    try:
        text = sysfs.read(path)
    except OSError as error:
        if error.errno in sysfs.HARDWARE:
            yield Fault(source, f"{path.parent.name}/{sysfs.unreadable(path, error)}")
        return
    if sysfs.number(text):
        yield Fault(source, f"{path.parent.name}/{path.name} reads {text}, not 0")


def _alarm(path: Path) -> Fault:
    found = _ALARM.fullmatch(path.name)
    what = found["what"] if found else ""
    number = found["number"] if found else ""
    value = sysfs.number(sysfs.peek(path.with_name(f"{what}{number}_input")))
    if what == "temp":
        now = "" if value is None else f" at {value / 1000:.15g} °C"
        return Fault("temperature", f"{path.name} is set{now}: the card has throttled itself")
    now = "" if value is None else f" at {value / 1_000_000:.15g} W"
    return Fault("power", f"{path.name} is set{now}")
