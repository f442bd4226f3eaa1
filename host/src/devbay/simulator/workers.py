"""The kubelet's pods: admission one at a time, then each pod's containers, started and tried again.

What the API server and the container runtime know of a pod outlives the kubelet's process, and is in `PodRun`; the
workers belong to one process.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from devbay.simulator import admission, answers
from devbay.simulator.allocation import AllocationFailure
from devbay.simulator.allocator import Allocator
from devbay.simulator.capacity import NodeStatus
from devbay.simulator.devicemanager import DeviceManager
from devbay.simulator.endpoints import RpcError
from devbay.simulator.events import ContainerFailed, ContainerStarted, PodAdmitted, PodDeleted, PodRejected
from devbay.simulator.pods import Container, ContainerStatus, Phase, Pod, PodStatus
from devbay.simulator.process import Process
from devbay.simulator.tasks import Tasks


@dataclass(slots=True, eq=False)
class PodRun:
    """A pod and what became of it so far.

    Attributes:
        pod: the pod, with its uid.
        failed: the rejection, if admission refused it.
        deleted: whether it is gone.
        statuses: its containers' statuses by name.
    """

    pod: Pod
    failed: admission.Rejection | None = None
    deleted: bool = False
    statuses: dict[str, ContainerStatus] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Give every container a status."""
        self.statuses = {c.name: ContainerStatus(name=c.name) for c in self.pod.all_containers}

    @property
    def active(self) -> bool:
        """Whether it still counts for freeing."""
        return self.failed is None and not self.deleted

    @property
    def phase(self) -> Phase:
        """The pod's phase."""
        if self.failed is not None:
            return "Failed"
        running = any(self.statuses[container.name].state == "Running" for container in self.pod.containers)
        return "Running" if running else "Pending"

    @property
    def pending(self) -> list[Container]:
        """The containers that are still to be started, in order."""
        return [container for container in self.pod.all_containers if self.statuses[container.name].state == "Waiting"]

    @property
    def restless(self) -> bool:
        """Whether a worker still has something to do for it."""
        return self.active and bool(self.pending)

    def die(self) -> None:
        """Lose all containers, as a reboot of the node does."""
        for name, status in self.statuses.items():
            again = status.restart_count + (status.state != "Waiting")
            self.statuses[name] = ContainerStatus(name=name, restart_count=again)

    def status(self) -> PodStatus:
        """Return the pod's status as a value."""
        return PodStatus(
            pod=self.pod,
            phase=self.phase,
            reason=self.failed.reason if self.failed else "",
            message=self.failed.message if self.failed else "",
            containers=tuple(self.statuses[container.name] for container in self.pod.containers),
            init_containers=tuple(self.statuses[container.name] for container in self.pod.init_containers),
        )


class Workers:
    """Runs the pods of one kubelet process. `runs` returns all pods bound to the node."""

    def __init__(
        self, process: Process, manager: DeviceManager, tasks: Tasks, node: NodeStatus, runs: Callable[[], list[PodRun]]
    ) -> None:
        self._process = process
        self._manager = manager
        self._allocator = Allocator(process, manager)
        self._tasks = tasks
        self._node = node
        self._runs = runs
        # One pod at a time: a slow Allocate delays every later pod (allocation_manager.go:525, behaviour 48).
        self._admission = asyncio.Lock()

    async def resume(self) -> None:
        """Admit again, at the start of the process, the pods that were there before (DM/manager.go:600-628).

        The sources of pods are not ready meanwhile, which is what protects containers that are running.
        """
        async with self._admission:
            for run in [run for run in self._runs() if run.active]:
                running = any(status.state == "Running" for status in run.statuses.values())
                await self._admit(run, was_running=running)
        self._manager.sources_ready = True
        for run in self._runs():
            if run.restless:
                self._tasks.start(f"pod {run.pod.name}", self._sync_until_started(run))

    async def run(self, run: PodRun) -> None:
        """Admit a pod and start its containers, each tried once; those that fail are tried again later."""
        async with self._admission:
            await self._admit(run)
        if run.active:
            await self._sync(run)
            if run.restless:
                self._tasks.start(f"pod {run.pod.name}", self._sync_until_started(run, wait_first=True))

    async def delete(self, run: PodRun) -> None:
        """Delete a pod. Waits its turn, as the kubelet's sync loop does one thing at a time; frees nothing."""
        async with self._admission:
            run.deleted = True
        self._process.journal.add(PodDeleted(at=self._process.now, pod=run.pod.name))

    async def restart(self, run: PodRun, container: Container) -> None:
        """Restart a container: no new Allocate, the stored answer, PreStartContainer again (DM/manager.go:958)."""
        status = run.statuses[container.name]
        run.statuses[container.name] = replace(status, state="Waiting", restart_count=status.restart_count + 1)
        await self._start(run, container)
        if run.pending:
            self._tasks.start(f"pod {run.pod.name}", self._sync_until_started(run, wait_first=True))

    async def _admit(self, run: PodRun, *, was_running: bool = False) -> None:
        """Allocate for every container in order, then look whether the node has enough (scope.go:143-151)."""
        try:
            for container in run.pod.all_containers:
                running = was_running and run.statuses[container.name].state == "Running"
                await self._allocator.allocate(run.pod, container, was_running=running)
        except (AllocationFailure, RpcError) as error:
            run.failed = admission.unexpected(error)
        else:
            run.failed = self._shortage(run)
        if run.failed is not None:
            self._process.metrics.admission_rejections_total[run.failed.reason] += 1
            self._process.journal.add(
                PodRejected(
                    at=self._process.now, pod=run.pod.name, reason=run.failed.reason, message=run.failed.message
                )
            )
        elif not was_running:
            self._process.journal.add(PodAdmitted(at=self._process.now, pod=run.pod.name))

    def _shortage(self, run: PodRun) -> admission.Rejection | None:
        node = NodeStatus(dict(self._node.capacity), dict(self._node.allocatable))
        node.write(self._manager.peek_capacity())
        others = [other.pod for other in self._runs() if other.active and other is not run and _admitted(other)]
        allocated = {resource: len(ids) for resource, ids in self._manager.devices.allocated.items()}
        return admission.shortage(run.pod, others, node.allocatable, allocated)

    async def _sync_until_started(self, run: PodRun, *, wait_first: bool = False) -> None:
        if wait_first:
            await asyncio.sleep(self._process.timing.pod_retry)
        while run.restless:
            await self._sync(run)
            if run.restless:
                await asyncio.sleep(self._process.timing.pod_retry)

    async def _sync(self, run: PodRun) -> None:
        """Start what is not started: init containers one after the other, then the containers."""
        waiting = run.pending
        for container in waiting:
            await self._start(run, container)
            failed = run.statuses[container.name].state == "Waiting"
            if not run.active or (failed and container in run.pod.init_containers):
                return

    async def _start(self, run: PodRun, container: Container) -> None:
        """Create and start one container; a failure is a status, not a rejection (kuberuntime_container.go:259)."""
        status = run.statuses[container.name]
        try:
            given = await self._allocator.start(run.pod, container, active=run.active)
        except (AllocationFailure, RpcError) as error:
            reason, message = "CreateContainerConfigError", str(error)
            run.statuses[container.name] = replace(status, reason=reason, message=message)
            self._process.journal.add(
                ContainerFailed(
                    at=self._process.now,
                    pod=run.pod.name,
                    container=container.name,
                    reason=reason,
                    message=message,
                )
            )
            return
        ends = container in run.pod.init_containers and not container.restartable
        run.statuses[container.name] = ContainerStatus(
            name=container.name,
            state="Terminated" if ends else "Running",
            reason="Completed" if ends else "",
            restart_count=status.restart_count,
            devices=self._held(run.pod, container),
            env=answers.final_env(given.env, container.env),
            device_nodes=given.device_nodes,
            mounts=given.mounts,
            annotations=answers.final_annotations(given.annotations, status.restart_count),
            cdi_names=given.cdi_names,
        )
        self._process.journal.add(ContainerStarted(at=self._process.now, pod=run.pod.name, container=container.name))

    def _held(self, pod: Pod, container: Container) -> dict[str, tuple[str, ...]]:
        records = self._manager.records.of_container(pod.uid, container.name)
        return {resource: tuple(sorted(record.ids)) for resource, record in sorted(records.items())}


def _admitted(run: PodRun) -> bool:
    return any(status.state != "Waiting" for status in run.statuses.values())


def active(runs: Iterable[PodRun]) -> set[str]:
    """Return the uids of the pods that still count."""
    return {run.pod.uid for run in runs if run.active}
