"""The driver's library kept open: opened once, closed when the driver goes or changes, shared by two threads.

The thread that looks opens and closes; the thread that waits for events only waits, in short turns, and lets go at once
when the library is to be closed under it.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from devbay.api import BackendUnavailable, Node
from devbay_nvidia import kernel
from devbay_nvidia.values import Code, Event, Events, Gpu, Nvml, NvmlError, System

log = logging.getLogger(__name__)

TURN = 0.4
"""Seconds of one turn of waiting: what closing may take, and so stopping."""

_HINTS = {
    Code.LIBRARY_NOT_FOUND: "libnvidia-ml.so.1 is not there: no NVIDIA driver is installed, or it is not where "
    "nvidia.driver_root_ctr_path says",
    Code.DRIVER_NOT_LOADED: "the NVIDIA driver's kernel module is not loaded",
    Code.LIB_RM_VERSION_MISMATCH: "the driver's library and its kernel module are of different versions: reload the "
    "module, or restart the node",
}


class DriverGone(BackendUnavailable):
    """The kernel module is not loaded: whatever GPUs there were are reset when it is."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A GPU that the driver counts and cannot tell about.

    Attributes:
        index: its number.
        reason: what the driver says instead.
    """

    index: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one look at the driver found.

    Attributes:
        system: the driver.
        gpus: those that answer.
        broken: those that do not.
        fresh: whether the library was opened for this look.
    """

    system: System
    gpus: tuple[Gpu, ...]
    broken: tuple[Broken, ...]
    fresh: bool


class Connection:
    """One driver's library, open or not.

    Attributes:
        nvml: what is asked.
    """

    def __init__(self, nvml: Nvml) -> None:
        self.nvml = nvml
        self._open = False
        self._turn = threading.Lock()
        self._closing = threading.Event()
        self._wanted: tuple[str, ...] = ()
        self._heard: tuple[str, ...] = ()
        self._events: Events | None = None

    def read(self, node: Node) -> Reading:
        """Return what is there now. Raises BackendUnavailable where no driver is."""
        try:
            return self._read(node)
        except NvmlError as error:
            was_open = self._open
            self.close()
            if was_open:
                return self._read_anew(node)
            raise _unavailable(error) from None

    def close(self) -> None:
        """Close the library, once nobody waits in it."""
        self._closing.set()
        try:
            with self._turn:
                self._deafen()
                if self._open:
                    self._open = False
                    self.nvml.close()
        finally:
            self._closing.clear()

    def wait(self, seconds: float = TURN, idle: Callable[[float], object] = time.sleep) -> Event | None:
        """Return the next event of the GPUs that were found last; None after `seconds`. Raises NvmlError."""
        if not self._closing.is_set():
            with self._turn:
                if self._open and self._wanted:
                    return self._hear(seconds)
        idle(seconds)
        return None

    def _read(self, node: Node) -> Reading:
        fresh = not self._open
        if fresh:
            self.nvml.open()
            self._open = True
        system = self.nvml.system()
        loaded = kernel.driver_version(node)
        if not fresh and loaded and loaded != system.driver_version:
            raise NvmlError(
                Code.LIB_RM_VERSION_MISMATCH, f"the driver is {loaded} now, and was {system.driver_version}"
            )
        gpus: list[Gpu] = []
        broken: list[Broken] = []
        for index in range(self.nvml.count()):
            try:
                gpus.append(self.nvml.gpu(index))
            except NvmlError as error:
                if error.code in (Code.UNINITIALIZED, Code.DRIVER_NOT_LOADED):
                    raise
                broken.append(Broken(index, f"{error}"))
        self._wanted = tuple(gpu.uuid for gpu in gpus)
        return Reading(system=system, gpus=tuple(gpus), broken=tuple(broken), fresh=fresh)

    def _read_anew(self, node: Node) -> Reading:
        try:
            return self._read(node)
        except NvmlError as error:
            self.close()
            raise _unavailable(error) from None

    def _hear(self, seconds: float) -> Event | None:
        if self._events is None or self._heard != self._wanted:
            self._deafen()
            self._events, self._heard = self.nvml.events(self._wanted), self._wanted
        try:
            return self._events.wait(seconds)
        except NvmlError:
            self._deafen()
            raise

    def _deafen(self) -> None:
        if self._events is not None:
            self._events.close()
            self._events = None


def uuids(reading: Reading) -> Iterable[str]:
    """Return the ids of the GPUs that answer."""
    return (gpu.uuid for gpu in reading.gpus)


def _unavailable(error: NvmlError) -> BackendUnavailable:
    hint = next((text for code, text in _HINTS.items() if code == error.code), "")
    sentence = f"{hint} (NVML: {error})" if hint else f"the NVIDIA driver does not answer: {error}"
    return DriverGone(sentence) if error.code == Code.DRIVER_NOT_LOADED else BackendUnavailable(sentence)
