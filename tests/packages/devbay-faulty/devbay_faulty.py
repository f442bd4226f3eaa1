"""Implements every hook, and misbehaves in the hook and in the way that its settings choose.

``faulty: {hook: discover, fault: hang}``, or ``DEVBAY_FAULTY__HOOK=discover DEVBAY_FAULTY__FAULT=hang``. Without a
setting it behaves. The hooks `settings` and `close` get no section: the variables ``FAULTY_SETTINGS`` and
``FAULTY_CLOSE`` name their fault. With `while_exists` a fault, a hang too, lasts as long as that file exists. The same
thing has three names, so that one host can have three faults: `faulty`, `faulty-b`, `faulty-c`.
"""

import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, cast

from devbay.api import HEALTHY, BackendSettings, BackendUnavailable, ContainerEdits, Device, hookimpl

Fault = Literal["", "raise", "unavailable", "exit", "hang", "none", "nonsense"]
FOR_EVER = threading.Event()
NONSENSE = 42


class Settings(BackendSettings, frozen=True):
    """Which hook misbehaves, how, and for how long.

    Attributes:
        hook: the hook that misbehaves.
        fault: what it does: ``raise``, ``unavailable`` (raise `BackendUnavailable`), ``exit`` (`sys.exit`), ``hang``
            (wait for ever, without holding the GIL), ``none`` (return None), ``nonsense`` (return 42).
        while_exists: a file; the fault lasts while it exists, for ever if empty.
        count: how many devices there are.
    """

    hook: str = "discover"
    fault: Fault = ""
    while_exists: str = ""
    count: int = 1


class Faulty:
    """Devices of ``example.com/<name>``, ``<name>-0`` and on, and a fault."""

    name = "faulty"

    @hookimpl
    def settings(self) -> object:
        """Return the type of the section."""
        return misbehave("settings", by_variable("settings"), Settings)

    @hookimpl
    def discover(self, settings: Settings) -> object:
        """Return the devices."""
        devices = [Device(id=f"{self.name}-{n}", resource=f"example.com/{self.name}") for n in range(settings.count)]
        return misbehave("discover", settings, devices)

    @hookimpl
    def check(self, settings: Settings, devices: Sequence[Device]) -> object:
        """Return that all is well."""
        return misbehave("check", settings, {device.id: HEALTHY for device in devices})

    @hookimpl
    def edit(self, settings: Settings, devices: Sequence[Device]) -> object:
        """Return the devices' ids."""
        return misbehave("edit", settings, ContainerEdits(env={"IDS": ",".join(device.id for device in devices)}))

    @hookimpl
    def watch(self, settings: Settings, stop: threading.Event) -> object:
        """Wait for the end; nothing ever happens to this hardware."""
        misbehave("watch", settings, None)
        return stop.wait()

    @hookimpl
    def affinity(self, settings: Settings) -> object:
        """Return that nothing is close."""
        return misbehave("affinity", settings, 0.0)

    @hookimpl
    def prepare(self, settings: Settings) -> object:
        """Do nothing."""
        return misbehave("prepare", settings, None)

    @hookimpl
    def release(self, settings: Settings) -> object:
        """Do nothing."""
        return misbehave("release", settings, None)

    @hookimpl
    def close(self) -> object:
        """Do nothing."""
        return misbehave("close", by_variable("close"), None)


class FaultyB(Faulty):
    """The same under another name."""

    name = "faulty-b"


class FaultyC(Faulty):
    """The same under a third name."""

    name = "faulty-c"


def by_variable(hook: str) -> Settings:
    """Return the settings of a hook that gets none: ``FAULTY_<HOOK>`` holds its fault."""
    return Settings(hook=hook, fault=cast("Fault", os.environ.get(f"FAULTY_{hook.upper()}", "")))


def misbehave(hook: str, settings: Settings, answer: object) -> object:
    """Return `answer`, unless the settings want a fault of this hook now."""
    if hook != settings.hook or not lasts(settings):
        return answer
    match settings.fault:
        case "raise":
            raise RuntimeError(f"{hook} raised, as it was told to")
        case "unavailable":
            raise BackendUnavailable(f"{hook} finds no driver, as it was told to")
        case "exit":
            sys.exit(f"{hook} exits, as it was told to")
        case "hang":
            while lasts(settings):
                FOR_EVER.wait(timeout=0.02 if settings.while_exists else None)
        case "none":
            return None
        case "nonsense":
            return NONSENSE
    return answer


def lasts(settings: Settings) -> bool:
    """Return whether the fault is still wanted."""
    return not settings.while_exists or Path(settings.while_exists).exists()
