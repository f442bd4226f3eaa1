"""The host: wires the rooms together, and owns every task.

The way of the data is one line. Reports of the backends change the inventory; its snapshot says what each resource
advertises; the kubelet's questions come back to the resource's service. The event loop owns all of this, so nothing
here is locked; backends run in threads of their own and hand over values.
"""

import asyncio
import os
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from devbay import inventory, offers, reload
from devbay.apiserver import access
from devbay.apiserver.client import ApiServer
from devbay.backends import Backends
from devbay.cdi.directory import SpecificationDirectory
from devbay.chronicle import Chronicle
from devbay.configuration import Configuration, ConfigurationState
from devbay.custodian import Custodian
from devbay.custody import Release
from devbay.events.sending import NodeEvents
from devbay.holders import Occupancy, Replica
from devbay.journal import Journal
from devbay.kubelet.directory import KubeletDirectory
from devbay.offering import Counter, Offering
from devbay.offers import Offer
from devbay.plan import Plan
from devbay.plugins import Rejected
from devbay.podresources import PodResources
from devbay.record import Record, Rooms
from devbay.reload import Change
from devbay.retention import Retention
from devbay.runner import Report, Runner, State
from devbay.sharing import SHARED_SUFFIX, device_id, device_ids
from devbay.status import Status
from devbay.tasks import Tasks
from devbay.threads import Turn
from devbay.web.server import Server
from devbay.web.site import site
from devbay.web.witness import Subject


def _custodian(
    plan: Plan, release: Callable[[Release, Turn], Coroutine[Any, Any, bool]], clock: Callable[[], float]
) -> Custodian:
    settings = plan.settings
    socket = settings.kubelet.pod_resources
    return Custodian(
        PodResources(Path(socket), clock=clock) if socket else None,
        release,
        interval=settings.kubelet.pod_resources_interval,
        policy=plan.custody,
        clock=clock,
    )


class Host:
    """Runs backends and offers their devices to the kubelet, from `run` until it is cancelled. Made on the loop."""

    def __init__(
        self,
        plan: Plan,
        clock: Callable[[], float] = time.monotonic,
        configuration: Configuration[Plan] | None = None,
        chronicle: Chronicle | None = None,
    ) -> None:
        """Run `plan` by `clock`, and what `configuration`, where there is one, becomes later.

        `chronicle` is where the last events are found.
        """
        self._plan = plan
        self._configuration = configuration
        self._clock = clock
        self._inventory = inventory.Inventory(policy=plan.settings.health.policy())
        self._directory = KubeletDirectory(Path(plan.settings.kubelet.directory))
        self._rules = plan.settings.rules()
        self._specifications = SpecificationDirectory(Path(plan.settings.cdi.directory), locate=plan.node.locate)
        self._journal = Journal()
        self._tasks = Tasks(self._journal.task_ended)
        self._backends = Backends(plan, self, self._tasks.supervised)
        self._runners = self._backends.runners
        self._retention = Retention(self._specifications, self._journal, self._tasks)
        self._offering = Offering(
            Counter(
                directory=self._directory,
                specifications=self._specifications,
                tenancy=self,
                journal=self._journal,
                tasks=self._tasks,
            )
        )
        self._started = clock()
        self._custodian = _custodian(plan, self._release, clock)
        self._loaded = False
        self._mixed: Mapping[inventory.Key, Replica] = {}
        self._watching_specifications = False
        self._reported: set[str] = set()
        self._record = Record(plan.node.name, chronicle or Chronicle())
        self._web: Server | None = None
        self._events: NodeEvents | None = None
        if plan.settings.events:
            self._events = NodeEvents(plan.node.name, lambda: ApiServer(access.find(os.environ)))

    async def run(self) -> None:
        """Load the enabled backends and serve their devices. Ends when cancelled, having cleaned up."""
        plan = self._plan
        self._journal.start(plan.node, plan.choice, any_installed=bool(plan.installed))
        self._journal.warnings((*plan.warnings, *plan.choice.warnings))
        for rejected in plan.rejected:
            self.rejected(rejected)
        try:
            await self._start()
            await asyncio.Event().wait()
        finally:
            await self._stop()

    async def _start(self) -> None:
        self._show()
        for resource, path in self._directory.sweep():
            self._journal.rival(resource, path.name)
        self._tasks.keep_running(self._directory.watch, "kubelet-directory")
        self._tasks.keep_running(lambda: self._custodian.watch(self._looked), "custodian")
        self._watch_specifications()
        if self._events is not None:
            self._tasks.keep_running(self._events.run, "events")
        if self._configuration is not None:
            configuration = self._configuration
            self._tasks.keep_running(lambda: configuration.watch(self._apply), "configuration")
        await self._backends.start()
        self._loaded = True

    def _watch_specifications(self) -> None:
        """Keep the CDI directory as it should be, once anything is delivered through it."""
        if self._rules.delivers_through_cdi and not self._watching_specifications:
            self._watching_specifications = True
            self._tasks.keep_running(self._specifications.watch, "cdi-directory")

    # What is shown to others.

    def status(self) -> Status:
        """Return what is known now."""
        return self._record.status(
            Rooms(
                runners=self._runners,
                offered=[(each.service.offer, each.registration) for each in self._offering.resources.values()],
                custodian=self._custodian,
                specifications=self._specifications,
                journal=self._journal,
                configuration=self.configuration,
                enabled=self._plan.choice.enabled,
            )
        )

    def dead(self) -> list[str]:
        """Return the names of backends' threads that ended and never should. Any thread may ask."""
        return [name for runner in list(self._runners.values()) for name in runner.dead]

    def _show(self) -> None:
        pulse = self._record.pulse
        pulse.start()
        self._tasks.keep_running(pulse.run, "pulse")
        subject = Subject(status=self.status, pulse=pulse, dead=self.dead)
        self._web = site(self._plan.settings.web, subject, os.environ)
        if self._web is not None:
            self._web.start()

    # A configuration that changes.

    @property
    def configuration(self) -> ConfigurationState | None:
        """How the configuration is; None where it cannot change."""
        return None if self._configuration is None else self._configuration.state

    async def _apply(self, plan: Plan) -> Change:
        """Live by another plan, as far as a running host can; what it does not touch notices nothing.

        Raises:
            ConfigError: the section of a backend that runs does not fit it; nothing has changed.
        """
        change = reload.change(self._plan.intent, plan.intent)
        for name in change.backends:
            if name in plan.choice.enabled and (runner := self._runners.get(name)) is not None:
                plan.sources.section(name, runner.backend.settings_type)
        self._plan = self._backends.plan = replace(plan, settings=change.settings, node=self._plan.node)
        self._journal.warnings((*plan.warnings, *plan.choice.warnings))
        if change.health:
            self._inventory = replace(self._inventory, policy=change.settings.health.policy())
            self._custodian.govern(self._plan.custody)
            self._backends.retime()
        if change.offers:
            self._rules = change.settings.rules()
            self._watch_specifications()
            self._offer(self._inventory.snapshot)
            self._compare_with_configuration()
        for name in change.backends:
            self._tasks.cancellable(self._backends.settle(name), f"{name}-settle")
        return change

    def rejected(self, rejected: Rejected) -> None:
        """Take note that a backend cannot be run."""
        self._record.rejected(rejected)
        self._journal.rejected(rejected)

    def replaced(self, old: Runner, new: Runner) -> None:
        """Ask `new` from now on what `old` was asked; the lists stay as they are until it has looked."""
        self._offering.adopt(old, new)

    def dropped(self, runner: Runner) -> None:
        """Take back what a backend offered that is to run here no longer."""
        before, name = self._inventory.snapshot, runner.backend.name
        self._inventory = inventory.forget(self._inventory, name)
        self._record.forget(name)
        self._journal.disabled(name)
        self._journal.changes(inventory.difference(before, self._inventory.snapshot))
        self._offer(self._inventory.snapshot)
        self._reported.discard(name)

    async def _stop(self) -> None:
        """Close the streams first, so that the kubelet knows; then everything else, all at once."""
        self._tasks.cancel()
        self._custodian.close()
        self._offering.close()
        await asyncio.gather(
            *(registration.stop() for registration in self._offering.registrations()),
            self._backends.stop(),
            *([self._web.stop()] if self._web else []),
        )
        await self._tasks.ended()
        self._journal.stop(len(self._offering.resources))

    # Reports to snapshots to what the kubelet reads.

    def reported(self, report: Report) -> None:
        """Take in what a look at the hardware found."""
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
                self._inventory, report.backend, report.found, now, self._occupancy()
            )
            rejected += refused
        self._record.looked(report)
        self._journal.report(self._runners[report.backend].backend, report, rejected)
        self._changed(before)
        self._reported.add(report.backend)
        self._compare_with_configuration()

    def _changed(self, before: inventory.Snapshot) -> None:
        if self._inventory.snapshot is before:
            return
        changes = inventory.difference(before, self._inventory.snapshot)
        self._journal.changes(changes)
        if self._events is not None:
            self._events.take(changes)
        self._offer(self._inventory.snapshot)

    def _offer(self, snapshot: inventory.Snapshot) -> None:
        made, refused = offers.offers(snapshot.resources, self._rules)
        self._journal.refused(refused)
        self._mixed = offers.mixed(made.values(), self._held())
        if self._mixed:
            made = {name: offers.withheld(offer, self._mixed) for name, offer in made.items()}
        self._offering.update(made, self._runners)

    def _compare_with_configuration(self) -> None:
        """Once every backend has said what it has, see what was configured and is not here."""
        if not self._loaded or self._runners.keys() - self._reported:
            return
        found = self._inventory.snapshot.resources
        names = {*found, *self._offering.resources}
        self._journal.unmatched(self._rules.unmatched(names), names)
        for source, devices in found.items():
            self._journal.sharing(source, self._rules.sharing(source).shortfalls([each.device for each in devices]))

    # What containers are being given.

    def named(self, offer: Offer, ids: Iterable[str]) -> None:
        """Keep devices that a request named in the list for a while, whatever becomes of them."""
        self._inventory = inventory.allocated(self._inventory, offer.source, device_ids(ids), self._clock())

    async def allocated(self, offer: Offer, ids: Sequence[str]) -> None:
        """Take note that a container is given these; who had them before has let go when this returns."""
        await self._custodian.allocated(offer.resource, ids)

    def _occupancy(self) -> Occupancy[inventory.Key]:
        """Return what is known of the devices in use, as their backends know them."""
        return self._custodian.occupancy.of(key for key, _ in self._held())

    def _held(self) -> Iterator[tuple[inventory.Key, Replica]]:
        """Yield the devices that are known to be in use, as their backends know them, and what containers hold."""
        sources = self._offering.sources
        for replica in self._custodian.occupancy.held:
            name = replica.resource
            whole = name.removesuffix(SHARED_SUFFIX)  # an earlier host may have offered it so
            yield inventory.Key(sources.get(name, sources.get(whole, name)), device_id(replica.id)), replica

    def _looked(self) -> None:
        """Take in what the kubelet said of who holds what, or that it is silent."""
        before = self._inventory.snapshot
        self._inventory = inventory.recall(self._inventory, self._occupancy().held, self._clock())
        self._changed(before)
        if offers.mixed(self._offering.offers, self._held()) != self._mixed:
            self._offer(self._inventory.snapshot)
        self._tidy()

    def _tidy(self) -> None:
        """Drop from the CDI specifications what is gone and held by nobody."""
        occupancy = self._custodian.occupancy
        silent_since = max(self._started, occupancy.spoken_at)
        patient = self._clock() - silent_since >= self._plan.settings.health.keep_lost
        if self._rules.delivers_through_cdi and (occupancy.complete or patient):
            self._retention.keep(self._inventory.snapshot, self._offering.offers, occupancy)

    async def _release(self, release: Release, turn: Turn) -> bool:
        """Tell a backend that nobody holds some of its devices any more; return whether it is at work no more."""
        resource = self._offering.resources.get(release.resource)
        if resource is None or not self._offering.leads(release.resource):  # of two hosts the one that is asked does it
            return True
        return await resource.service.release(release, turn)
