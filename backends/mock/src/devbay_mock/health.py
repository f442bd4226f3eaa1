"""Judging one device by what its files say. The reasons are sentences that name value and limit.

A missing ``status`` is a failure; a missing ``error_count`` or ``temperature`` is none, since not every accelerator
counts or measures. A file that is there and cannot be read or understood is always one.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from devbay.api import HEALTHY, Health, unhealthy
from devbay_mock import tree
from devbay_mock.places import Places
from devbay_mock.settings import Settings

_DECIMAL = re.compile(r"[+-]?[0-9]{1,30}(\.[0-9]{1,30})?")
_HEXADECIMAL = re.compile(r"0[xX][0-9a-fA-F]{1,16}")  # as many files of the kernel's write their numbers
_WORD = re.compile(r"[!-~]+")
_SHOWN = 40


def judge(places: Places, settings: Settings, device_id: str) -> Health:
    """Return a device's health, with everything that is wrong in one line."""
    problems = [*_file_problems(places, device_id), *_state_problems(places.tree / device_id, settings)]
    return unhealthy("; ".join(problems)) if problems else HEALTHY


def explain(places: Places, settings: Settings, device_id: str) -> str:
    """Return what a device was found by, and what is looked at for its health, as it reads now."""
    directory = places.tree / device_id
    lines = [f"found by its directory {directory}", f"its device node is {places.device_file(device_id)}"]
    for name, rule in (
        ("status", "must be online"),
        ("error_count", f"may be {settings.max_error_count:.15g}"),
        ("temperature", f"may be {settings.max_temperature:.15g} °C"),
    ):
        try:
            text = tree.read(directory / name)
        except OSError as error:
            text = f"unreadable: {error.strerror}"
        lines.append(f"{name} {rule}, {'and is not there' if text is None else f'and reads {_shown(text)}'}")
    return "\n".join(lines)


def _file_problems(places: Places, device_id: str) -> Iterator[str]:
    if problem := tree.device_file_problem(places, device_id):
        yield f"device node {places.device_file(device_id)} {problem}"


def _state_problems(directory: Path, settings: Settings) -> Iterator[str]:
    yield from _status_problems(directory / "status")
    yield from _limit_problems(directory / "error_count", settings.max_error_count, "")
    yield from _limit_problems(directory / "temperature", settings.max_temperature, " °C")


def _status_problems(path: Path) -> Iterator[str]:
    try:
        status = tree.read(path)
    except OSError as error:
        yield _unreadable(path, error)
        return
    if status is None:
        yield "status is missing"
    elif status != "online":
        yield f"status is {_shown(status)}, not online"


def _limit_problems(path: Path, limit: float, unit: str) -> Iterator[str]:
    try:
        text = tree.read(path)
    except OSError as error:
        yield _unreadable(path, error)
        return
    if text is None:
        return
    value = _number(text)
    if value is None:
        yield f"{path.name} is empty, not a number" if not text else f"{path.name} reads {_quoted(text)}, not a number"
    elif value > limit:
        yield f"{path.name} {text}{unit} is above {limit:.15g}{unit}"


def _number(text: str) -> float | None:
    if _HEXADECIMAL.fullmatch(text):
        return float(int(text, 16))
    return float(text) if _DECIMAL.fullmatch(text) else None


def _unreadable(path: Path, error: OSError) -> str:
    return f"{path.name} cannot be read: {error.strerror}"


def _shown(text: str) -> str:
    if not text:
        return "empty"
    return text if _WORD.fullmatch(text) and len(text) <= _SHOWN else _quoted(text)


def _quoted(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")
