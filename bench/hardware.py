"""A backend without hardware, for measuring: any number of resources and devices, which fail when they are told to.

A datagram to the socket `Settings.control` fails the device of that id; the answer is the time when the check that saw
it was done, by the clock that all processes of a machine share.
"""

import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from devbay.api import HEALTHY, BackendSettings, ContainerEdits, Device, DeviceNode, Health, hookimpl, unhealthy

_FAILED = unhealthy("told to fail")
_PATIENCE = 0.2
"""Seconds until `watch` looks whether it is to end."""


class Settings(BackendSettings, frozen=True, kw_only=True):
    """How much there is of what."""

    resources: int = 1
    """How many resources: ``bench.example/r0`` and on."""
    devices: int = 4
    """How many devices each has: ``r0-d0`` and on."""
    control: str = ""
    """Where the socket that fails devices is bound; empty: nowhere."""


class Backend:
    """Devices that cost nothing, so that what is measured is the host's own."""

    def __init__(self) -> None:
        self._devices: list[Device] = []
        self._failed: set[str] = set()
        self._askers: list[str] = []
        self._socket: socket.socket | None = None

    @hookimpl
    def settings(self) -> type[Settings]:
        """Return the type of the section ``bench``."""
        return Settings

    @hookimpl
    def discover(self, settings: Settings) -> list[Device]:
        """Return all devices, the same each time."""
        self._devices = self._devices or [
            Device(id=f"r{r}-d{d}", resource=f"bench.example/r{r}", numa_nodes=(d % 2,))
            for r in range(settings.resources)
            for d in range(settings.devices)
        ]
        return self._devices

    @hookimpl
    def check(self, devices: Sequence[Device]) -> Mapping[str, Health]:
        """Return which devices were told to fail, and tell whoever told them when this was done."""
        askers, self._askers = self._askers, []
        health = {device.id: _FAILED if device.id in self._failed else HEALTHY for device in devices}
        for asker in askers:
            assert self._socket is not None  # noqa: S101 - who asked did so through it
            self._socket.sendto(repr(time.monotonic()).encode(), asker)
        return health

    @hookimpl
    def watch(self, settings: Settings, wake: Callable[[], None], stop: threading.Event) -> None:
        """Fail devices as they are named."""
        if not settings.control:
            stop.wait()
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as control:
            control.settimeout(_PATIENCE)
            control.bind(settings.control)
            self._socket = control
            while not stop.is_set():
                try:
                    name, asker = control.recvfrom(256)
                except TimeoutError:
                    continue
                self._failed.add(name.decode())
                self._askers.append(asker)
                wake()

    @hookimpl
    def edit(self, devices: Sequence[Device]) -> ContainerEdits:
        """Return what a container typically gets: a variable, and a device node for each."""
        return ContainerEdits(
            env={"BENCH_VISIBLE_DEVICES": ",".join(device.id for device in devices)},
            device_nodes=[DeviceNode(path=f"/dev/{device.id}", host_path="/dev/null") for device in devices],
        )
