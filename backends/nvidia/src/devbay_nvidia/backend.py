"""The backend: the host's questions, each handed to the module that knows.

`discover`, `check`, `affinity` and `close` run in one thread and share what is remembered here. `watch` waits for
events in another and writes to `Faults` alone; `edit` runs in a third and reads one frozen value.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from devbay.api import ContainerEdits, Device, Health, Node, hookimpl, unhealthy
from devbay_nvidia import container, discovery, health, kernel, surroundings, xids
from devbay_nvidia.connection import Connection, DriverGone, Reading, uuids
from devbay_nvidia.fake import Fake
from devbay_nvidia.faults import Faults
from devbay_nvidia.listener import listen
from devbay_nvidia.nvml import Driver
from devbay_nvidia.settings import Settings
from devbay_nvidia.surroundings import Surroundings
from devbay_nvidia.topology import Topology
from devbay_nvidia.values import Condition, Event, Nvml, NvmlError

log = logging.getLogger(__name__)


def driver(settings: Settings) -> Nvml:
    """Return the driver that the settings name."""
    kind, _, name = settings.nvml.partition(":")
    return Fake(name) if kind == "fake" else Driver(Path(settings.driver_root_ctr_path or settings.driver_root))


class Backend:
    """NVIDIA GPUs and their MIG devices."""

    def __init__(
        self,
        driver: Callable[[Settings], Nvml] = driver,
        environ: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._driver = driver
        self._environ = environ
        self._clock = clock
        self._connection: Connection | None = None
        self._asked: Settings | None = None
        self._found = discovery.Found()
        self._around: Surroundings | None = None
        self._version = ""
        self._faults = Faults()
        self._topology = Topology()
        self._away: set[str] = set()
        self._never_up: dict[str, frozenset[int]] = {}

    @hookimpl
    def settings(self) -> type[Settings]:
        """Return the type of the section ``nvidia``."""
        return Settings

    @hookimpl
    def discover(self, node: Node, settings: Settings) -> Sequence[Device]:
        """Return the GPUs and MIG devices that the driver counts, those that it cannot tell about included."""
        try:
            reading = self._connected(settings).read(node)
        except DriverGone:
            self._away |= {_gpu(device) for device in self._found.devices}
            raise
        self._compare(reading)
        self._version = reading.system.driver_version
        found = discovery.find(reading, node, settings, self._found)
        self._around = surroundings.look(node, settings, self._version)
        if self._around != Surroundings():
            found = replace(found, devices=tuple(_marked(device, self._around.mark) for device in found.devices))
        self._found = found
        return found.devices

    @hookimpl
    def check(self, settings: Settings, devices: Sequence[Device]) -> Mapping[str, Health]:
        """Return how each device is: what the driver says of its GPU now, and what it told by itself."""
        conditions = {gpu: self._condition(gpu, settings) for gpu in {_gpu(device) for device in devices}}
        return {device.id: self._judge(device, conditions[_gpu(device)], settings) for device in devices}

    @hookimpl
    def watch(self, node: Node, settings: Settings, wake: Callable[[], None], stop: threading.Event) -> None:
        """Call `wake` when the driver reports an error, and when it, a GPU or a MIG device comes or goes."""
        policy = self._policy(settings)

        def connection() -> Connection | None:
            return self._connection

        for told in listen(connection, lambda: kernel.fingerprint(node), wake, stop):
            event = self._of_gpu(told)
            everyone = {_gpu(device) for device in self._found.devices}
            matters = self._faults.hear(event, policy, everyone, self._clock())
            log.log(
                logging.INFO if matters else logging.DEBUG, "the driver reports XID %s of %s", event.xid, event.uuid
            )
            if matters:
                wake()

    @hookimpl
    def affinity(self, a: Device, b: Device) -> float:
        """Return how close two GPUs are; asked of the driver once per pair."""
        connection = self._connection  # kept: `discover` may replace it meanwhile
        return 0.0 if connection is None else float(self._topology.score(connection.nvml, a, b))

    @hookimpl
    def edit(self, node: Node, settings: Settings, resource: str, devices: Sequence[Device]) -> ContainerEdits:
        """Return what a container gets."""
        around = self._around
        if around is None:  # before the first look
            around = surroundings.look(node, settings, str(devices[0].attributes.get("driver_version", "")))
        return container.edits(settings, around, resource, devices)

    @hookimpl
    def close(self) -> None:
        """Close the driver's library."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self, settings: Settings) -> Connection:
        if self._connection is None or settings != self._asked:
            self.close()
            self._connection, self._asked = Connection(self._driver(settings)), settings
        return self._connection

    def _compare(self, reading: Reading) -> None:
        """Conclude what has happened since the last look."""
        here = set(uuids(reading))
        for uuid in self._away & here:
            self._faults.was_reset(uuid)
        self._away = (self._away | {_gpu(device) for device in self._found.devices}) - here
        if reading.fresh and self._version and reading.system.driver_version != self._version:
            self._faults.was_reset()
        if reading.fresh or here != {_gpu(device) for device in self._found.devices}:
            self._topology.forget()

    def _condition(self, gpu: str, settings: Settings) -> Condition | str:
        """Return how a GPU is, or why the driver cannot tell."""
        if self._connection is None:
            return "the NVIDIA driver is not open"
        try:
            condition = self._connection.nvml.condition(gpu, links="links" in settings.checks)
        except NvmlError as error:
            return f"NVML cannot read it: {error}"
        self._faults.review(gpu, condition, self._clock(), settings.recovery_seconds)
        return condition

    def _judge(self, device: Device, condition: Condition | str, settings: Settings) -> Health:
        if device.id in self._found.trouble:
            return unhealthy(self._found.trouble[device.id])
        if isinstance(condition, str):
            return unhealthy(condition)
        faults = [fault for fault in self._faults.of(_gpu(device)) if fault.concerns(*_placement(device))]
        return health.judge(condition, faults, settings.checks, self._lost_links(device, condition))

    def _of_gpu(self, event: Event) -> Event:
        """Return an event as its GPU's, where the driver tells it of a MIG device."""
        for device in self._found.devices:
            if device.id == event.uuid and device.parent is not None:
                gi, ci = _placement(device)
                return replace(event, uuid=device.parent, gi=gi, ci=ci)
        return event

    def _lost_links(self, device: Device, condition: Condition) -> frozenset[int]:
        """Return the NVLinks that were up once and are down; a divided GPU has none that could be."""
        if device.parent is not None:
            return frozenset()
        down = frozenset(condition.links_down)
        self._never_up[device.id] = self._never_up.get(device.id, down) & down
        return down - self._never_up[device.id]

    def _policy(self, settings: Settings) -> xids.Policy:
        return xids.Policy(
            disabled=xids.parse(self._environ.get("DP_DISABLE_HEALTHCHECKS", "")),
            enabled=xids.parse(self._environ.get("DP_ENABLE_HEALTHCHECKS", "")),
            meanings=settings.meanings,
        )


def _gpu(device: Device) -> str:
    """Return the id of the GPU that a device is, or is part of."""
    return device.parent or device.id


def _placement(device: Device) -> tuple[int | None, int | None]:
    """Return the GPU instance and the compute instance of a MIG device; None of a whole GPU."""
    gi, ci = (device.attributes.get(name) for name in ("gpu_instance", "compute_instance"))
    return gi if isinstance(gi, int) else None, ci if isinstance(ci, int) else None


def _marked(device: Device, mark: str) -> Device:
    """Return a device that differs when what its container gets beside it does: answers are then made anew."""
    return replace(device, attributes={**device.attributes, "driver_files": mark})
