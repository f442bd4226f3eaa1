"""What the kubelet's questions about one resource are answered with: from memory, wherever possible.

A `ResourceService` holds the devices of its resource as the current snapshot has them, and remembers what their
backend said a container needs. What a single device needs is asked ahead of time, so that a pod's admission seldom
waits for a backend.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence

import structlog

from devbay import preference, sharing
from devbay.errors import CallTimeout, DevbayError, UnhealthyDevice, UnknownDevice
from devbay.inventory import DeviceStatus
from devbay.kubelet.service import Advertised
from devbay.model import ContainerEdits, Device
from devbay.runner import Runner

_REMEMBERED = 4096
"""Answers per resource; the oldest is forgotten first. Half as many are asked for ahead."""


_NAMED = 16
"""Devices that an error names: it becomes a pod's event."""


class ResourceService:
    """Answers for the devices of one resource. All methods belong to the event loop.

    Attributes:
        runner: the backend that offers the resource.
    """

    def __init__(self, resource: str, runner: Runner, in_use: Callable[[Iterable[str]], None]) -> None:
        self.runner = runner
        self._resource = resource
        self._in_use = in_use
        self._devices: Mapping[str, DeviceStatus] = {}
        self._answers: dict[tuple[Device, ...], ContainerEdits] = {}
        self._generation = 0
        self._warming: asyncio.Task[None] | None = None
        self._log = structlog.get_logger().bind(resource=resource, backend=runner.backend.name)

    @property
    def prepares(self) -> bool:
        """Whether the backend wants to make devices ready before a container starts."""
        return "prepare" in self.runner.backend.hooks

    def update(self, devices: Iterable[DeviceStatus]) -> list[Advertised]:
        """Take over the devices of a new snapshot; return what is to be advertised."""
        self._devices = {status.device.id: status for status in devices}
        self._generation += 1
        usable = {status.device for status in self._devices.values() if status.health}
        # A device that failed may come back as something else behind the same path: what was said of it is forgotten.
        self._answers = {asked: edits for asked, edits in self._answers.items() if usable.issuperset(asked)}
        self._stop_warming()
        unasked = sorted((device for device in usable if (device,) not in self._answers), key=lambda d: d.id)
        if ahead := unasked[: max(0, _REMEMBERED // 2 - len(self._answers))]:
            self._warming = asyncio.create_task(self._warm(ahead), name=f"{self._resource}-warm")
        return [
            Advertised(id=share, healthy=status.health.healthy, numa_nodes=status.device.numa_nodes)
            for status in self._devices.values()
            for share in sharing.replica_ids(status.device.id)
        ]

    def close(self) -> None:
        """Stop asking ahead."""
        self._stop_warming()

    async def allocate(self, ids: Sequence[str]) -> ContainerEdits:
        """Return what one container needs for the advertised `ids`.

        Raises:
            UnknownDevice: no such device is known here.
            UnhealthyDevice: it failed since the kubelet's list was sent.
            CallTimeout: the backend was too slow.
            BackendBug: its answer cannot be used.
        """
        devices = self._known(ids)
        for device in devices:
            if not (health := self._devices[device.id].health):
                raise UnhealthyDevice(f"device {device.id} of {self._resource} is unhealthy: {health.reason}")
        self._in_use(device.id for device in devices)
        return await self._answer(devices)

    def prefer(self, available: Sequence[str], must_include: Sequence[str], size: int) -> Sequence[str]:
        """Return which `size` of the `available` ids a container had best get."""
        self._in_use(sharing.device_ids((*available, *must_include)))
        known = {device_id: status.device for device_id, status in self._devices.items()}
        return preference.prefer(known, available, must_include, size)

    async def prepare(self, ids: Sequence[str]) -> None:
        """Have the backend make devices ready. Raises as `allocate` does, but for health: the pod has them already."""
        devices = self._known(ids)
        self._in_use(device.id for device in devices)
        if self.prepares:
            await self.runner.prepare(self._resource, devices)

    def _known(self, ids: Sequence[str]) -> tuple[Device, ...]:
        wanted = sharing.device_ids(ids)
        for device_id in wanted:
            if device_id not in self._devices:
                known = sorted(self._devices)
                shown = ", ".join(known[:_NAMED]) + (f" and {len(known) - _NAMED} more" if len(known) > _NAMED else "")
                raise UnknownDevice(
                    f"{self._resource} has no device {device_id!r} on this node; it has {shown or 'none'}"
                )
        return tuple(self._devices[device_id].device for device_id in wanted)

    async def _answer(self, devices: tuple[Device, ...]) -> ContainerEdits:
        if (known := self._answers.get(devices)) is not None:
            return known
        generation = self._generation
        edits = await self.runner.edit(self._resource, devices)
        self._remember(devices, edits, generation)
        return edits

    def _remember(self, devices: tuple[Device, ...], edits: ContainerEdits, generation: int) -> None:
        """Keep an answer, unless a device changed or failed while it was made."""
        if generation == self._generation:
            self._answers[devices] = edits
            if len(self._answers) > _REMEMBERED:
                del self._answers[next(iter(self._answers))]

    async def _warm(self, devices: Iterable[Device]) -> None:
        said = False
        for device in devices:
            generation = self._generation
            try:
                self._remember((device,), await self.runner.edit_ahead(self._resource, (device,)), generation)
            except DevbayError as error:
                if not said:  # the others' reason is most often the same
                    self._log.warning("cannot say what a container needs", device=device.id, reason=str(error))
                said = True
                if isinstance(error, CallTimeout):
                    return

    def _stop_warming(self) -> None:
        if self._warming is not None:
            self._warming.cancel()
            self._warming = None
