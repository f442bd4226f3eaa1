"""The host: wires the rooms together, and owns every task.

The way of the data is one line. Reports of the backends change the inventory; its snapshot says what each resource
advertises; the kubelet's questions come back to the resource's service. The event loop owns all of this, so nothing
here is locked; backends run in threads of their own and hand over values.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devbay import inventory, plugins
from devbay.allocation import ResourceService
from devbay.errors import ConfigError
from devbay.journal import Journal
from devbay.kubelet.client import Registrar
from devbay.kubelet.directory import KubeletDirectory
from devbay.kubelet.registration import Registration
from devbay.model import Node
from devbay.plugins import Installed, Rejected
from devbay.runner import Report, Runner, State, Timing
from devbay.selection import Choice
from devbay.settings import Settings
from devbay.sources import Sources


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to run here, before anything of it is imported.

    Attributes:
        settings: the host's own.
        sources: where the backends' settings come from.
        node: where we run.
        installed: the backends that can be had, by name.
        rejected: those that cannot be run whatever is configured.
        choice: which are enabled on this node.
    """

    settings: Settings
    sources: Sources
    node: Node
    installed: Mapping[str, Installed]
    rejected: tuple[Rejected, ...]
    choice: Choice

    @property
    def enabled(self) -> list[Installed]:
        """The backends to load; one that is enabled and rejected costs the others nothing."""
        return [self.installed[name] for name in self.choice.enabled if name in self.installed]


def plan(sources: Sources, node_name: str) -> Plan:
    """Return what the configuration means on this node; `node_name` counts where the configuration has none.

    Raises:
        ConfigError: it cannot be used; the text says where and why.
    """
    settings = sources.settings()
    if not (directory := settings.kubelet.directory) or not directory.isprintable():
        raise ConfigError(f"kubelet.directory = {directory!r}: this names no directory")
    installed, rejected = plugins.find()
    known = {*installed, *(r.name for r in rejected)}
    sources.check_sections(known)
    node = Node(
        name=settings.node.name or node_name,
        sys=Path(settings.node.sys),
        dev=Path(settings.node.dev),
        proc=Path(settings.node.proc),
    )
    choice = sources.selection().on(node.name, known)
    return Plan(settings=settings, sources=sources, node=node, installed=installed, rejected=rejected, choice=choice)


_LAST_PATIENCE = 0.2
"""Seconds that our own tasks may take to end at the end; they need none."""

_AFTER_MISTAKE = 1.0
"""Seconds until a task that ended by a mistake of ours begins again."""


@dataclass(slots=True)
class _Resource:
    """One resource that is offered to the kubelet."""

    service: ResourceService
    registration: Registration


class Host:
    """Runs backends and offers their devices to the kubelet, from `run` until it is cancelled."""

    def __init__(self, plan: Plan, clock: Callable[[], float] = time.monotonic) -> None:
        self._plan = plan
        self._clock = clock
        self._inventory = inventory.Inventory(policy=plan.settings.health.policy())
        self._directory = KubeletDirectory(Path(plan.settings.kubelet.directory))
        self._registrar = Registrar(self._directory.socket)
        self._runners: dict[str, Runner] = {}
        self._resources: dict[str, _Resource] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._leaving: set[Registration] = set()
        self._withdrawals: set[asyncio.Task[None]] = set()
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
        for one in asyncio.as_completed([self._load(installed) for installed in self._plan.enabled]):
            loaded = await one
            if isinstance(loaded, Rejected):
                self._journal.rejected(loaded)
            else:
                self._runners[loaded.backend.name] = loaded
                self._keep_running(loaded.run, f"{loaded.backend.name}-runner")

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
            self._inventory, refused = inventory.observe(self._inventory, report.backend, report.found, now)
            rejected += refused
        self._journal.report(self._runners[report.backend].backend, report, rejected)
        if self._inventory.snapshot is not before:
            self._journal.changes(inventory.difference(before, self._inventory.snapshot))
            self._offer(before, self._inventory.snapshot)

    def _offer(self, before: inventory.Snapshot, snapshot: inventory.Snapshot) -> None:
        for name in self._resources.keys() - snapshot.resources.keys():
            self._withdraw(name)
        for name, devices in snapshot.resources.items():
            if devices == before.resources.get(name):
                continue
            runner = self._runners[devices[0].backend]
            resource = self._resources.get(name)
            if resource is not None and resource.service.runner is not runner:
                self._withdraw(name)
                resource = None
            known = resource or self._new_resource(name, runner)
            known.registration.publish(known.service.update(devices))
            if resource is None:
                known.registration.start()

    def _new_resource(self, name: str, runner: Runner) -> _Resource:
        def in_use(ids: Iterable[str]) -> None:
            self._inventory = inventory.allocated(self._inventory, name, ids, self._clock())

        service = ResourceService(name, runner, in_use)
        self._resources[name] = _Resource(service, Registration(name, service, self._directory, self._registrar))
        for path in self._directory.others(name):
            self._journal.rival(name, path.name)
        return self._resources[name]

    def _withdraw(self, name: str) -> None:
        resource = self._resources.pop(name)
        resource.service.close()
        self._journal.withdrawn(name)
        self._leaving.add(resource.registration)
        task = asyncio.create_task(resource.registration.withdraw(), name=f"{name}-withdraw")
        task.add_done_callback(lambda _: self._leaving.discard(resource.registration))
        self._withdrawals.add(task)
        task.add_done_callback(self._withdrawals.discard)


async def load(plan: Plan, installed: Installed, report: Callable[[Report], None]) -> Runner | Rejected:
    """Load one backend and make what runs it; a rejection where it, or its part of the configuration, does not fit."""
    loaded = await plugins.load(installed, plan.settings.deadlines.load)
    if isinstance(loaded, Rejected):
        return loaded
    try:
        settings: object = plan.sources.section(loaded.name, loaded.settings_type)
    except ConfigError as error:
        return plugins.reject(installed, f"its configuration does not fit: {error}")
    timing = Timing(deadlines=plan.settings.deadlines, scan_interval=plan.settings.health.scan_interval)
    return Runner(loaded, plan.node, settings, timing, report)


def node_name(environment: Mapping[str, str], host_name: str) -> str:
    """Return the node's name where the configuration has none.

    Raises:
        ConfigError: neither ``NODE_NAME`` nor the machine has one.
    """
    if name := environment.get("NODE_NAME", "").strip() or host_name:
        return name
    raise ConfigError("the node has no name; set NODE_NAME")
