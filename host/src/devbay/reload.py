"""What a changed configuration touches: which of it a running host takes over, and what waits for its next start.

Pure. What is not touched stays as it is: the streams of a resource that is offered as before are none the wiser.
"""

from collections.abc import Collection
from dataclasses import dataclass

import msgspec

from devbay.settings import Settings
from devbay.sources import Sources

LIVE = ("backends", "health", "deadlines", "resources", "sharing", "log")
"""The host's sections that a running host takes over. Sockets are bound, directories watched and roots given to
backends by the others: those wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What becomes of a changed configuration.

    Attributes:
        settings: what the host lives by from now on: `LIVE` sections as they are now, the others as they were.
        offers: whether resources are offered by other rules.
        health: whether devices are judged, or backends asked, at other times.
        log: whether what is logged, or how it looks, is another.
        backends: those to start, to stop, or to run with another section.
        waiting: the keys that count from the next start.
    """

    settings: Settings
    offers: bool = False
    health: bool = False
    log: bool = False
    backends: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()

    @property
    def touched(self) -> tuple[str, ...]:
        """What is touched, in words, for people."""
        parts = {"resources": self.offers, "health": self.health, "log": self.log}
        return (*(name for name, touched in parts.items() if touched), *self.backends)


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What is to run: the host's settings, where the backends' sections come from, and which backends are enabled."""

    settings: Settings
    sources: Sources
    enabled: Collection[str]


def change(before: Intent, after: Intent) -> Change:
    """Return what becomes of `after` in a host that lives by `before`."""
    old, new = before.settings, after.settings
    rest = {name: getattr(old, name) for name in old.__struct_fields__ if name not in LIVE}
    settings = msgspec.structs.replace(new, **rest)
    return Change(
        settings=settings,
        offers=settings.rules() != old.rules(),
        health=(settings.health, settings.deadlines) != (old.health, old.deadlines),
        log=settings.log != old.log,
        backends=tuple(sorted(_backends(before, after))),
        waiting=tuple(key for name in rest for key in _differing(getattr(old, name), getattr(new, name), name)),
    )


def _backends(before: Intent, after: Intent) -> set[str]:
    both = set(before.enabled) & set(after.enabled)
    different = {name for name in both if before.sources.spoken(name) != after.sources.spoken(name)}
    return different | (set(before.enabled) ^ set(after.enabled))


def _differing(old: object, new: object, name: str) -> tuple[str, ...]:
    """Return the keys of a section that differ."""
    if old == new:
        return ()
    if not isinstance(old, msgspec.Struct) or type(old) is not type(new):
        return (name,)
    names = old.__struct_fields__
    return tuple(key for each in names for key in _differing(getattr(old, each), getattr(new, each), f"{name}.{each}"))
