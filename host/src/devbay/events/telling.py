"""What is told of devices as Kubernetes Events, and how often: merged, bounded, and no faster than a limit.

Pure: the time comes as an argument. Devices that fail together for one reason are one event that names them. What
happens again is the same event with a higher count, as long as it is remembered. While more happens than may be sent it
waits and is merged further, so a storm becomes few events and none is lost but the oldest.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, TypeAlias

from devbay.inventory import Change

Reason: TypeAlias = Literal["DeviceUnhealthy", "DeviceHealthy", "DeviceGone"]

WAITING = 256
"""Happenings that wait at most; the oldest is forgotten first, and how many were is told."""

REMEMBERED = 256
"""Events whose repetition is known as one."""

MEMORY = 3600.0
"""Seconds for which an event is counted on: the API server forgets it after an hour."""

_BURST = 10
_EVERY = 6.0
"""Seconds for one more, once `_BURST` were sent at once."""

_NAMED = 8
_LONGEST = 1000
"""Characters of a message; the API server takes 1024."""

_NUMBER = re.compile(r"\d+(\.\d+)?")


class Key(NamedTuple):
    """What makes two happenings one: not the devices, so that those that fail together are told together."""

    reason: Reason
    resource: str
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Something that became of devices, perhaps several times.

    Attributes:
        reason: in Kubernetes' word, for programs.
        resource: of the devices.
        cause: why, as a person reads it; empty for good news.
        devices: which, in the order it happened to them.
        count: how often, before it is told once.
        first: when it first happened, in seconds since 1970.
        last: when it last did.
    """

    reason: Reason
    resource: str
    cause: str
    devices: tuple[str, ...]
    count: int = 1
    first: float
    last: float

    @property
    def key(self) -> Key:
        """What it is merged by. A temperature that goes on rising is no other cause."""
        return Key(self.reason, self.resource, _NUMBER.sub("#", self.cause))

    @property
    def identity(self) -> str:
        """What it is known again by."""
        return hashlib.sha256("\n".join((*self.key, *sorted(self.devices))).encode()).hexdigest()[:16]

    @property
    def kind(self) -> Literal["Normal", "Warning"]:
        """In Kubernetes' word, whether anybody need act."""
        return "Warning" if self.reason == "DeviceUnhealthy" else "Normal"

    @property
    def message(self) -> str:
        """What a person reads."""
        what = {"DeviceUnhealthy": "unhealthy", "DeviceHealthy": "healthy again", "DeviceGone": "gone"}[self.reason]
        named = ", ".join(self.devices[:_NAMED])
        if (more := len(self.devices) - _NAMED) > 0:
            named += f" and {more} more"
        subject = f"Device {named} of" if len(self.devices) == 1 else f"{len(self.devices)} devices of"
        text = f"{subject} {self.resource} {'is' if len(self.devices) == 1 else 'are'} {what}"
        text += f": {self.cause}" if self.cause else ""
        text += f" ({named})" if len(self.devices) > 1 else ""
        return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def happenings(changes: Iterable[Change], now: float) -> list[Happening]:
    """Return what of some changes is to be told; a device that is found healthy is no news."""
    return [
        Happening(reason=reason, resource=resource, cause=cause, devices=(device,), first=now, last=now)
        for reason, resource, cause, device in filter(None, map(_told, changes))
    ]


def _told(change: Change) -> tuple[Reason, str, str, str] | None:
    before, after = change
    if after is None:
        return ("DeviceGone", before.device.resource, "", before.device.id) if before else None
    resource, device = after.device.resource, after.device.id
    if after.health:
        return ("DeviceHealthy", resource, "", device) if before and not before.health else None
    if before and not before.health and _gist(before.health.reason) == _gist(after.health.reason):
        return None
    return "DeviceUnhealthy", resource, after.health.reason, device


def _gist(reason: str) -> str:
    return _NUMBER.sub("#", reason)


class Outbox:
    """What waits to be told."""

    def __init__(self) -> None:
        self._waiting: dict[Key, Happening] = {}
        self.lost = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, happening: Happening) -> None:
        """Have something told, merged with what waits already."""
        known = self._waiting.pop(happening.key, None)
        self._waiting[happening.key] = happening if known is None else _merged(known, happening)
        while len(self._waiting) > WAITING:
            self._waiting.pop(next(iter(self._waiting)))
            self.lost += 1

    def take(self) -> Happening | None:
        """Return what has waited longest, which then no longer waits; None if there is nothing."""
        return self._waiting.pop(next(iter(self._waiting))) if self._waiting else None


def _merged(one: Happening, other: Happening) -> Happening:
    return replace(
        other,
        devices=tuple(dict.fromkeys((*one.devices, *other.devices))),
        count=one.count + other.count,
        first=min(one.first, other.first),
        last=max(one.last, other.last),
    )


@dataclass(frozen=True, slots=True)
class Told:
    """An event that was sent: its name, and what has been told with it so far."""

    name: str
    happening: Happening


class Memory:
    """Which events were sent lately, so that a repetition is counted on them."""

    def __init__(self) -> None:
        self._told: dict[str, Told] = {}

    def repetition(self, happening: Happening, now: float) -> Told | None:
        """Return the event that this repeats, if it is remembered."""
        told = self._told.get(happening.identity)
        return told if told and now - told.happening.last < MEMORY else None

    def remember(self, told: Told) -> None:
        """Take note of an event that was sent."""
        self._told.pop(told.happening.identity, None)
        self._told[told.happening.identity] = told
        while len(self._told) > REMEMBERED:
            self._told.pop(next(iter(self._told)))

    def forget(self, happening: Happening) -> None:
        """Take note that an event is there no more."""
        self._told.pop(happening.identity, None)


def counted(told: Told, happening: Happening) -> Happening:
    """Return what an event says once a repetition is counted on it."""
    return replace(happening, count=told.happening.count + happening.count, first=told.happening.first)


class Limit:
    """How fast events may go out: so many at once, then one at a time."""

    def __init__(self, burst: int = _BURST, every: float = _EVERY) -> None:
        self._burst = burst
        self._every = every
        self._left = float(burst)
        self._at: float | None = None

    def wait(self, now: float) -> float:
        """Count one more; return in how many seconds it may go out, by a clock that says `now`."""
        passed = 0.0 if self._at is None else now - self._at
        self._left = min(float(self._burst), self._left + passed / self._every) - 1
        self._at = now
        return max(0.0, -self._left * self._every)
