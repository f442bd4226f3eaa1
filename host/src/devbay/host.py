"""The host: wires the rooms together, and owns every task.

The way of the data is one line. Reports of the backends change the inventory; its snapshot says what each resource
advertises; the kubelet's questions come back to the resource's service. The event loop owns all of this, so nothing
here is locked; backends run in threads of their own and hand over values.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devbay import inventory, offers
from devbay.allocation import ResourceService
from devbay.cdi.directory import SpecificationDirectory
from devbay.custodian import Custodian
from devbay.custody import CustodyPolicy, Release
from devbay.errors import DevbayError
from devbay.journal import Journal
from devbay.kubelet.client import Registrar
from devbay.kubelet.directory import KubeletDirectory
from devbay.kubelet.registration import Registration
from devbay.offers import Offer
from devbay.plan import Plan, load
from devbay.plugins import Installed, Rejected
from devbay.podresources import PodResources
from devbay.runner import Report, Runner, State
from devbay.sharing import device_id, device_ids

_LAST_PATIENCE = 0.2
"""Seconds that our own tasks may take to end at the end; they need none."""

_AFTER_MISTAKE = 1.0
"""Seconds until a task that ended by a mistake of ours begins again."""


def _custodian(
    plan: Plan, release: Callable[[Release], Coroutine[Any, Any, None]], clock: Callable[[], float]
) -> Custodian:
    settings = plan.settings
    socket = settings.kubelet.pod_resources
    return Custodian(
        PodResources(Path(socket), clock=clock) if socket else None,
        release,
        interval=settings.kubelet.pod_resources_interval,
        policy=CustodyPolicy(
            node=plan.node.name,
            settle=settings.kubelet.pod_resources_settle,
            keep_unseen=settings.health.keep_lost,
        ),
        clock=clock,
    )


@dataclass(slots=True)
class _Resource:
    """One resource that is offered to the kubelet."""

    service: ResourceService
    registration: Registration


class Host:
    """Runs backends and offers their devices to the kubelet, from `run` until it is cancelled. Made on the loop."""

    def __init__(self, plan: Plan, clock: Callable[[], float] = time.monotonic) -> None:
        self._plan = plan
        self._clock = clock
        self._inventory = inventory.Inventory(policy=plan.settings.health.policy())
        self._directory = KubeletDirectory(Path(plan.settings.kubelet.directory))
        self._registrar = Registrar(self._directory.socket)
        self._rules = plan.settings.rules()
        self._specifications = SpecificationDirectory(Path(plan.settings.cdi.directory), locate=plan.node.locate)
        self._runners: dict[str, Runner] = {}
        self._resources: dict[str, _Resource] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._leaving: set[Registration] = set()
        self._errands: set[asyncio.Task[None]] = set()
        self._kept: Mapping[str, set[str]] | None = None
        self._started = clock()
        self._custodian = _custodian(plan, self._release, clock)
        self._loaded = False
        self._reported: set[str] = set()
        self._journal = Journal()

    async def run(self) -> None:
        """Load the enabled backends and serve their devices. Ends when cancelled, having cleaned up."""
        plan = self._plan
        self._journal.start(plan.node, plan.choice, any_installed=bool(plan.installed))
        for rejected in plan.rejected:
            self._journal.rejected(rejected)
        try:
            await self._start()
            await asyncio.Event().wait()
        finally:
            await self._stop()

    async def _start(self) -> None:
        for resource, path in self._directory.sweep():
            self._journal.rival(resource, path.name)
        self._keep_running(self._directory.watch, "kubelet-directory")
        self._keep_running(lambda: self._custodian.watch(self._tidy), "custodian")
        if self._rules.delivers_through_cdi:
            self._keep_running(self._specifications.watch, "cdi-directory")
        for one in asyncio.as_completed([self._load(installed) for installed in self._plan.enabled]):
            loaded = await one
            if isinstance(loaded, Rejected):
                self._journal.rejected(loaded)
            else:
                self._runners[loaded.backend.name] = loaded
                self._keep_running(loaded.run, f"{loaded.backend.name}-runner")
        self._loaded = True

    async def _load(self, installed: Installed) -> Runner | Rejected:
        return await load(self._plan, installed, self._on_report)

    def _keep_running(self, work: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        """Run what must not end until the host does; a mistake of ours in it is said loudly, and it begins again."""

        async def forever() -> None:
            while True:
                try:
                    await work()
                except Exception as error:  # noqa: BLE001 - whatever it is, devices must not stay as they were for ever
                    self._journal.task_ended(name, error)
                await asyncio.sleep(_AFTER_MISTAKE)

        self._tasks.add(asyncio.create_task(forever(), name=name))

    async def _stop(self) -> None:
        """Close the streams first, so that the kubelet knows; then everything else, all at once."""
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        self._custodian.close()
        for resource in self._resources.values():
            resource.service.close()
        await asyncio.gather(
            *(resource.registration.stop() for resource in self._resources.values()),
            *(registration.stop() for registration in self._leaving),
            *(runner.stop() for runner in self._runners.values()),
        )
        if tasks:
            await asyncio.wait(tasks, timeout=_LAST_PATIENCE)
        self._journal.stop(len(self._resources))

    # Reports to snapshots to what the kubelet reads.

    def _on_report(self, report: Report) -> None:
        try:
            self._take(report)
        except Exception as error:  # noqa: BLE001 - a mistake of ours must not leave devices as healthy as they were
            self._journal.task_ended(f"{report.backend}-report", error)
            reason = f"internal error: {type(error).__name__}"
            self._take(Report(backend=report.backend, state=State.FAILING, reason=reason))

    def _take(self, report: Report) -> None:
        now = self._clock()
        before = self._inventory.snapshot
        rejected = report.rejected
        if report.found is None:
            self._inventory = inventory.fail(self._inventory, report.backend, report.reason, now)
        else:
            self._inventory, refused = inventory.observe(
                self._inventory, report.backend, report.found, now, self._held()
            )
            rejected += refused
        self._journal.report(self._runners[report.backend].backend, report, rejected)
        if self._inventory.snapshot is not before:
            self._journal.changes(inventory.difference(before, self._inventory.snapshot))
            self._offer(self._inventory.snapshot)
        self._reported.add(report.backend)
        self._compare_with_configuration()

    def _offer(self, snapshot: inventory.Snapshot) -> None:
        made, refused = offers.offers(snapshot.resources, self._rules)
        self._journal.refused(refused)
        for name in self._resources.keys() - made.keys():
            self._withdraw(name)
        for name, offer in made.items():
            runner = self._runners[offer.backend]
            resource = self._resources.get(name)
            if resource is not None and resource.service.offer == offer:
                continue
            if resource is not None and resource.service.runner is not runner:
                self._withdraw(name)
                resource = None
            known = resource or self._new_resource(offer, runner)
            known.registration.publish(known.service.update(offer))
            if resource is None:
                self._start_registration(known)

    def _start_registration(self, resource: _Resource) -> None:
        if resource.service.offer.delivery == "direct":
            resource.registration.start()
            return

        async def start() -> None:
            await resource.service.ready()
            if self._resources.get(resource.registration.resource) is resource:  # and not withdrawn meanwhile
                resource.registration.start()

        self._background(start(), f"{resource.registration.resource}-start")

    def _compare_with_configuration(self) -> None:
        """Once every backend has said what it has, see what was configured and is not here."""
        if not self._loaded or self._runners.keys() - self._reported:
            return
        found = self._inventory.snapshot.resources
        names = {*found, *self._resources}
        self._journal.unmatched(self._rules.unmatched(names), names)
        for source, devices in found.items():
            self._journal.sharing(source, self._rules.sharing(source).shortfalls([each.device for each in devices]))

    def _new_resource(self, offer: Offer, runner: Runner) -> _Resource:
        name = offer.resource
        service = ResourceService(offer, runner, self._specifications, self)
        self._resources[name] = _Resource(service, Registration(name, service, self._directory, self._registrar))
        for path in self._directory.others(name):
            self._journal.rival(name, path.name)
        return self._resources[name]

    # What containers are being given.

    def named(self, offer: Offer, ids: Iterable[str]) -> None:
        """Keep devices that a request named in the list for a while, whatever becomes of them."""
        self._inventory = inventory.allocated(self._inventory, offer.source, device_ids(ids), self._clock())

    async def allocated(self, offer: Offer, ids: Sequence[str]) -> None:
        """Take note that a container is given these; who had them before has let go when this returns."""
        await self._custodian.allocated(offer.resource, ids)

    def _held(self) -> frozenset[inventory.Key] | None:
        """Return the devices that a container may be using, as their backends know them; None if nobody can tell."""
        if (held := self._custodian.held) is None:
            return None
        sources = {name: resource.service.offer.source for name, resource in self._resources.items()}
        return frozenset(inventory.Key(sources.get(one.resource, one.resource), device_id(one.id)) for one in held)

    def _tidy(self) -> None:
        """Drop from the CDI specifications what is gone and held by nobody; a container may start again with it."""
        held = self._custodian.held
        patient = self._clock() - self._started >= self._plan.settings.health.keep_lost
        if not self._rules.delivers_through_cdi or (held is None and not patient):
            return
        found = self._inventory.snapshot.resources
        made = [resource.service.offer for resource in self._resources.values()]
        in_use = {device_id(one.id) for one in held or ()}
        keep = {
            offer.source: in_use.union(each.device.id for each in found[offer.source])
            for offer in made
            if offer.delivery != "direct" or in_use.intersection(offer.devices)
        }
        if keep != self._kept:
            # Files of other resources stay while a container holds what we cannot place: it may be in one of them.
            retire = {one.resource for one in held or ()} <= {offer.resource for offer in made}
            self._kept = keep
            self._background(self._prune(keep, retire=retire), "cdi-prune")

    async def _prune(self, keep: Mapping[str, set[str]], *, retire: bool) -> None:
        try:
            for source, ids in keep.items():
                await self._specifications.prune(source, ids)
            if retire:
                await self._specifications.retire(keep)
        except DevbayError as error:
            self._kept = None
            self._journal.not_pruned(error)

    def _background(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)

    async def _release(self, release: Release) -> None:
        """Tell a backend that nobody holds some of its devices any more."""
        if (resource := self._resources.get(release.resource)) is not None:
            await resource.service.release(release.devices, release.container)

    def _withdraw(self, name: str) -> None:
        resource = self._resources.pop(name)
        resource.service.close()
        self._journal.withdrawn(name)
        self._leaving.add(resource.registration)

        async def withdraw() -> None:
            try:
                await resource.registration.withdraw()
            finally:
                self._leaving.discard(resource.registration)

        self._background(withdraw(), f"{name}-withdraw")
