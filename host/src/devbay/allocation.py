"""What the kubelet's questions about one resource are answered with: from memory, wherever possible.

A `ResourceService` holds the devices of its resource as they are offered now, and what follows from how: which shares
a container may ask for, which of them it had best get, and by which way the edits reach it.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import structlog

from devbay import preference, sharing
from devbay.answers import Answers
from devbay.cdi import delivery
from devbay.cdi.directory import SpecificationDirectory
from devbay.contract import ContractViolation
from devbay.errors import BackendBug, DevbayError, TooManyShares, UnhealthyDevice, UnknownDevice
from devbay.holders import Container
from devbay.kubelet.service import Advertised, Given
from devbay.model import ContainerEdits, Device
from devbay.offers import Offer
from devbay.runner import Runner

_NAMED = 16
"""Devices that an error names: it becomes a pod's event."""

_PAIRED = 512
"""Devices of one resource that are asked how close they are, each to each; with more, nobody is."""


class Tenancy(Protocol):
    """Whoever must know what containers are being given."""

    def named(self, offer: Offer, ids: Iterable[str]) -> None:
        """Take note of advertised ids that a request named: a container may be given them."""

    async def allocated(self, offer: Offer, ids: Sequence[str]) -> None:
        """Take note of advertised ids that a container is given now. Returns when it may have them."""


class ResourceService:
    """Answers for one resource. All methods belong to the event loop.

    Attributes:
        runner: the backend that offers the resource.
        offer: what is offered now.
    """

    def __init__(self, offer: Offer, runner: Runner, specifications: SpecificationDirectory, tenancy: Tenancy) -> None:
        self.runner = runner
        self.offer = offer
        self._tenancy = tenancy
        self._specifications = specifications
        self._devices = offer.devices
        self._advertised: Mapping[str, str] = {}
        self._affinity = preference.Affinity()
        self._paired: tuple[Device, ...] = ()
        self._pairing: asyncio.Task[None] | None = None
        self._writing: set[asyncio.Task[None]] = set()
        self._hooks_lost = False
        self._answers = Answers(offer.source, runner, self._warmed)
        self._log = structlog.get_logger().bind(resource=offer.resource, backend=runner.backend.name)

    @property
    def prepares(self) -> bool:
        """Whether the backend wants to make devices ready before a container starts."""
        return "prepare" in self.runner.backend.hooks

    def update(self, offer: Offer) -> list[Advertised]:
        """Take over what is offered now; return what is to be advertised."""
        self.offer = offer
        self._devices = offer.devices
        self._advertised = {one: share.status.device.id for share in offer.shares for one in share.ids}
        self._answers.update(status.device for status in self._devices.values() if status.health)
        self._pair()
        return [
            Advertised(id=one, healthy=status.health.healthy, numa_nodes=status.device.numa_nodes)
            for status, ids in offer.shares
            for one in ids
        ]

    def close(self) -> None:
        """Stop asking ahead."""
        self._answers.close()
        for task in (*self._writing, *([self._pairing] if self._pairing else [])):
            task.cancel()

    async def ready(self) -> None:
        """Return when all that could be asked ahead was asked, and written where it is delivered by a specification.

        Before a resource is registered: a kubelet that comes back after a reboot starts containers with answers of
        before, and the specifications of before are gone with ``/var/run``.
        """
        while pending := [task for task in (self._answers.warming, *self._writing) if task and not task.done()]:
            await asyncio.wait(pending)

    async def allocate(self, ids: Sequence[str]) -> Given:
        """Return what one container is given for the advertised `ids`.

        Raises:
            UnknownDevice: one of them is not offered here.
            UnhealthyDevice: it failed since the kubelet's list was sent.
            TooManyShares: a container may have one share only.
            DeliveryError: a specification that the container needs cannot be written.
            CallTimeout: the backend was too slow.
            BackendBug: its answer cannot be used.
        """
        devices = self._known(ids)
        for device in devices:
            if not (health := self._devices[device.id].health):
                raise UnhealthyDevice(f"device {device.id} of {self.offer.resource} is unhealthy: {health.reason}")
        if self.offer.one_per_request and len(ids) > 1 and any(map(sharing.is_share, ids)):
            raise TooManyShares(
                f"{self.offer.resource} is shared, and a container may have one share of it: several are no more of a "
                f"device than one; {len(ids)} were asked for (one_per_request)"
            )
        self._tenancy.named(self.offer, ids)
        edits = await self._answers.of(devices)
        await self._tenancy.allocated(self.offer, ids)
        return await self._deliver(devices, edits)

    def prefer(self, available: Sequence[str], must_include: Sequence[str], size: int) -> Sequence[str]:
        """Return which `size` of the `available` ids a container had best get."""
        self._tenancy.named(self.offer, (*available, *must_include))
        known = {device_id: status.device for device_id, status in self._devices.items()}
        policy = preference.Policy(self.offer.policy) if self.offer.policy else preference.usual(self._advertised)
        return preference.prefer(known, available, must_include, size, policy=policy, affinity=self._affinity)

    async def prepare(self, ids: Sequence[str]) -> None:
        """Have the backend make devices ready. Raises as `allocate` does, but for health: the pod has them already."""
        devices = self._known(ids)
        self._tenancy.named(self.offer, ids)
        if self.prepares:
            await self.runner.prepare(self.offer.source, devices)

    async def release(self, ids: Iterable[str], container: Container) -> None:
        """Have the backend do what is due when devices, by their own ids, were let go by `container`. Never fails."""
        devices = [self._devices[one].device for one in ids if one in self._devices]
        if not devices or "release" not in self.runner.backend.hooks:
            return
        log = self._log.bind(devices=[device.id for device in devices], pod=f"{container.namespace}/{container.pod}")
        try:
            await self.runner.release(self.offer.source, devices)
        except DevbayError as error:
            log.warning("release failed", reason=str(error))
        else:
            log.info("released")

    def _known(self, ids: Sequence[str]) -> tuple[Device, ...]:
        for one in ids:
            if one not in self._advertised:
                known = sorted(self._advertised)
                shown = ", ".join(known[:_NAMED]) + (f" and {len(known) - _NAMED} more" if len(known) > _NAMED else "")
                raise UnknownDevice(
                    f"{self.offer.resource} has no device {one!r} on this node; it has {shown or 'none'}"
                )
        behind = dict.fromkeys(self._advertised[one] for one in ids)
        return tuple(self._devices[device_id].device for device_id in behind)

    # Delivery.

    async def _deliver(self, devices: tuple[Device, ...], whole: ContainerEdits) -> Given:
        if self.offer.delivery == "direct":
            self._say_hooks_lost(whole)
            return Given(edits=whole)
        singles = {device.id: await self._answers.of((device,)) for device in devices}
        try:
            split = delivery.split(self.offer.source, whole, singles)
        except ContractViolation as error:
            raise BackendBug(f"{self.runner.backend}: {error}") from None
        await self._specifications.ensure(self.offer.source, singles)
        if self.offer.delivery == "cdi":
            return Given(edits=split.rest, cdi_devices=split.names)
        extra = delivery.annotations(self.offer.resource, split.names)
        return Given(edits=replace(split.rest, annotations={**split.rest.annotations, **extra}))

    def _warmed(self, singles: Mapping[str, ContainerEdits]) -> None:
        """Write the specification before anyone asks, so that an allocation seldom waits for a disk."""
        if self.offer.delivery == "direct" or not singles:
            return

        async def write() -> None:
            try:
                await self._specifications.ensure(self.offer.source, singles)
            except DevbayError as error:  # an allocation would fail with it
                self._log.error("CDI specification not written", reason=str(error))

        task = asyncio.create_task(write(), name=f"{self.offer.resource}-cdi")
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    def _say_hooks_lost(self, edits: ContainerEdits) -> None:
        if edits.hooks and not self._hooks_lost:
            self._hooks_lost = True
            hooks = sorted({hook.path for hook in edits.hooks})
            self._log.warning("hooks reach a container through CDI only; set delivery: cdi", hooks=hooks)

    # How close the devices are.

    def _pair(self) -> None:
        devices = tuple(status.device for status in self._devices.values())
        if "affinity" not in self.runner.backend.hooks or devices == self._paired or len(devices) > _PAIRED:
            return
        self._paired = devices
        if self._pairing is not None:
            self._pairing.cancel()

        async def pair() -> None:
            try:
                self._affinity = await self.runner.affinities(devices)
            except DevbayError as error:
                self._paired = ()  # asked again when something changes
                self._log.warning("affinity is not known", reason=str(error))

        self._pairing = asyncio.create_task(pair(), name=f"{self.offer.resource}-affinity")
