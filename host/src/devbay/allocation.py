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
from devbay.custody import Release
from devbay.errors import BackendBug, CallTimeout, DevbayError, TooManyShares, UnhealthyDevice, UnknownDevice
from devbay.kubelet.service import Advertised, Given
from devbay.model import ContainerEdits, Device
from devbay.offers import Offer
from devbay.runner import Runner
from devbay.tally import ResourceTally
from devbay.threads import Turn

_NAMED = 16
"""Devices that an error names: it becomes a pod's event."""

_PAIRED = 512
"""Devices of one resource that are asked how close they are, each to each; with more, nobody is."""

_REST = 300.0
"""Seconds until devices are asked again how close they are, where not all could be asked in time."""

_READY = 30.0
"""Seconds that a resource waits for its specifications before it is registered all the same."""


class Tenancy(Protocol):
    """Whoever must know what containers are being given."""

    def named(self, offer: Offer, ids: Iterable[str]) -> None:
        """Take note of advertised ids that a request named: a container may be given them."""

    async def allocated(self, offer: Offer, ids: Sequence[str]) -> None:
        """Take note of advertised ids that a container is given now. Returns when it may have them.

        Raises:
            CallTimeout: what is still being done to one of them has no end.
        """


class ResourceService:
    """Answers for one resource. All methods belong to the event loop.

    Attributes:
        runner: the backend that offers the resource.
        offer: what is offered now.
        tally: what happened to the resource.
    """

    def __init__(  # noqa: PLR0913 - what it works with, and two limits that tests set
        self,
        offer: Offer,
        runner: Runner,
        specifications: SpecificationDirectory,
        tenancy: Tenancy,
        *,
        rest: float = _REST,
        patience: float = _READY,
    ) -> None:
        self._rest = rest
        self._patience = patience
        self.runner = runner
        self.offer = offer
        self.tally = ResourceTally()
        self._tenancy = tenancy
        self._specifications = specifications
        self._devices = offer.devices
        self._advertised: Mapping[str, str] = {}
        self._affinity = preference.Affinity()
        self._paired: tuple[Device, ...] = ()
        self._pairing: asyncio.Task[None] | None = None
        self._resting: frozenset[str] = frozenset()
        self._writing: set[asyncio.Task[None]] = set()
        self._hooks_lost = False
        self._answers = Answers(offer.source, runner, self._warmed)
        self._log = structlog.get_logger().bind(resource=offer.resource, backend=runner.backend.name)

    @property
    def backend(self) -> str:
        """Whose devices they are."""
        return self.runner.backend.name

    @property
    def prepares(self) -> bool:
        """Whether the backend wants to make devices ready before a container starts."""
        return "prepare" in self.runner.backend.hooks

    def serves(self, offer: Offer, runner: Runner) -> bool:
        """Whether this service can take `offer` over: another backend's devices, or another source's, are others."""
        return self.runner is runner and self.offer.source == offer.source

    def adopt(self, runner: Runner) -> None:
        """Have the same backend answer through another runner; what the old one said is forgotten."""
        self.runner = runner
        self._paired, self._resting = (), frozenset()
        self._forget()
        self.update(self.offer)

    def _forget(self) -> None:
        self._answers.close()
        self._answers = Answers(self.offer.source, self.runner, self._warmed)

    def update(self, offer: Offer) -> list[Advertised]:
        """Take over what is offered now; return what is to be advertised."""
        delivery, self.offer = self.offer.delivery, offer
        if offer.delivery != delivery:  # so that what is asked ahead anew is written where it is delivered from
            self._forget()
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
        before, and the specifications of before are gone with ``/var/run``. A backend that needs too long for that does
        not keep its devices away: an allocation writes what it needs.
        """
        try:
            async with asyncio.timeout(self._patience):
                while not self._answers.asked.is_set():  # others, if the backend was loaded anew meanwhile
                    await self._answers.asked.wait()
                if self._writing:
                    await asyncio.wait(set(self._writing))
        except TimeoutError:
            self._log.warning("registered before all was asked ahead", patience=self._patience)

    async def allocate(self, ids: Sequence[str]) -> Given:
        """Return what one container is given for the advertised `ids`.

        Raises:
            UnknownDevice: one of them is not offered here.
            UnhealthyDevice: it failed since the kubelet's list was sent.
            TooManyShares: a container may have one share only.
            DeliveryError: a specification that the container needs cannot be written.
            CallTimeout: the backend was too slow, or still has not released one of them.
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

    async def release(self, release: Release, turn: Turn) -> bool:
        """Have the backend do what is due, unless `turn` is dropped; return whether it is at work no more. Never fails.

        A `turn` that has not begun when this returns is dropped, where there was something to do.
        """
        devices = [self._devices[one].device for one in release.devices if one in self._devices]
        if not devices or "release" not in self.runner.backend.hooks:
            return True
        log = self._log.bind(devices=[device.id for device in devices], pod=release.pod)
        try:
            await self.runner.release(self.offer.source, devices, turn)
        except CallTimeout as error:
            log.warning("release put off" if turn.dropped else "release failed", reason=str(error))
            return turn.dropped
        except DevbayError as error:
            log.warning("release failed", reason=str(error))
        else:
            log.info("released")
        return True

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
        if self._resting == frozenset(device.id for device in devices):  # asked as they are then
            return
        self._resting = frozenset()
        if self._pairing is not None:
            self._pairing.cancel()
        self._pairing = asyncio.create_task(self._pair_all(), name=f"{self.offer.resource}-affinity")

    async def _pair_all(self) -> None:
        """Learn how close all are; a backend too slow for it is left alone for a while, and what it said counts."""
        while True:
            found, lacking = await self.runner.affinities(self._paired)
            if found.rows or not lacking:  # else what is known of before is better than nothing
                self._affinity = found
            if not lacking:
                return
            self._resting = frozenset(device.id for device in self._paired)
            await asyncio.sleep(self._rest)
            self._resting = frozenset()
