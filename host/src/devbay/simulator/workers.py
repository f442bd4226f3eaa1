"""The kubelet's pods: admission one at a time, then each pod's containers, started and tried again.

What the API server and the container runtime know of a pod outlives the kubelet's process, and is in `PodRun`; the
workers belong to one process.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from devbay.simulator import admission, answers, health, runtime
from devbay.simulator.allocation import AllocationFailure
from devbay.simulator.allocator import Allocator
from devbay.simulator.capacity import NodeStatus
from devbay.simulator.devicemanager import DeviceManager
from devbay.simulator.endpoints import RpcError
from devbay.simulator.events import (
    CdiFileRefused,
    ContainerFailed,
    ContainerStarted,
    PodAdmitted,
    PodDeleted,
    PodRejected,
    PodUpdated,
)
from devbay.simulator.podrun import PodRun
from devbay.simulator.pods import Container, ContainerStatus, Pod
from devbay.simulator.process import Process
from devbay.simulator.runtime import CreationFailed
from devbay.simulator.tasks import Tasks
from devbay.simulator.topologymanager import TopologyManager


class Workers:
    """Runs the pods of one kubelet process. `runs` returns all pods bound to the node."""

    def __init__(
        self, process: Process, manager: DeviceManager, tasks: Tasks, node: NodeStatus, runs: Callable[[], list[PodRun]]
    ) -> None:
        self._process = process
        self._manager = manager
        self._allocator = Allocator(process, manager)
        self._topology = TopologyManager(process, manager, self._allocator)
        self._tasks = tasks
        self._node = node
        self._runs = runs
        # One pod at a time: a slow Allocate delays every later pod (allocation_manager.go:525, behaviour 48).
        self._admission = asyncio.Lock()
        self._seen: set[str] = set()
        """The uids of the pods that this process admitted, or tried to."""
        manager.pods_changed = self._update

    def begin(self) -> None:
        """Start what a process does without being asked."""
        self._tasks.start("sync of all pods", self._sync_statuses())

    async def resume(self) -> None:
        """Admit again the pods that were there before the process: all that the API server has (DM/manager.go:600-628).

        The sources of pods are not ready until it is done, which is what protects containers that are running, and
        keeps what pods hold that are not known yet (behaviour 46).
        """
        self._manager.told_of.update(run.pod.uid for run in self._runs())
        known = [run for run in self._runs() if run.active and run.pod.uid not in self._seen]
        async with self._admission:
            for run in known:
                running = any(status.state == "Running" for status in run.statuses.values())
                await self._admit(run, was_running=running)
        self._manager.sources_ready = True
        for run in known:
            if run.restless:
                self._tasks.start(f"pod {run.pod.name}", self._sync_until_started(run))

    async def run(self, run: PodRun) -> None:
        """Admit a pod and start its containers, each tried once; those that fail are tried again later."""
        self._seen.add(run.pod.uid)
        self._manager.told_of.add(run.pod.uid)
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
        self._allocator.forget(run.pod)
        self._process.journal.add(PodDeleted(at=self._process.now, pod=run.pod.name, namespace=run.pod.namespace))

    async def restart(self, run: PodRun, container: Container) -> None:
        """Restart a container: no new Allocate, the stored answer, PreStartContainer again (DM/manager.go:958)."""
        status = run.statuses[container.name]
        run.statuses[container.name] = replace(status, state="Waiting", restart_count=status.restart_count + 1)
        await self._start(run, container)
        if run.pending:
            self._tasks.start(f"pod {run.pod.name}", self._sync_until_started(run, wait_first=True))

    async def _admit(self, run: PodRun, *, was_running: bool = False) -> None:
        """Allocate for every container in order, then look whether the node has enough (scope.go:143-151)."""

        def running(container: Container) -> bool:
            return was_running and run.statuses[container.name].state == "Running"

        run.failed = await self._topology.admit(run.pod, running) or self._shortage(run)
        if run.failed is not None:
            self._process.metrics.rejected(run.failed.reason)
            self._process.journal.add(
                PodRejected(
                    at=self._process.now,
                    pod=run.pod.name,
                    namespace=run.pod.namespace,
                    reason=run.failed.reason,
                    message=run.failed.message,
                )
            )
            return
        if not was_running:
            self._process.journal.add(PodAdmitted(at=self._process.now, pod=run.pod.name, namespace=run.pod.namespace))
        self._refresh(run)

    def _shortage(self, run: PodRun) -> admission.Rejection | None:
        node = NodeStatus(dict(self._node.capacity), dict(self._node.allocatable))
        node.write(self._manager.peek_capacity())
        others = [other.pod for other in self._runs() if other.active and other is not run and _admitted(other)]
        allocated = {resource: len(ids) for resource, ids in self._manager.devices.allocated.items()}
        return admission.shortage(run.pod, others, node.allocatable, allocated)

    async def _sync_statuses(self) -> None:
        """Make every pod's status anew from time to time, without a reason (KL, syncFrequency)."""
        while True:
            for run in self._runs():
                self._refresh(run)
            await asyncio.sleep(self._process.timing.pod_sync)

    def _update(self, resource: str, pods: Mapping[str, list[str]]) -> None:
        """Sync pods at once whose devices' health was told anew (KL/kubelet.go:2795-2810, behaviour 53)."""
        for run in self._runs():
            if run.active and run.pod.uid in pods:
                self._refresh(run)
                self._process.journal.add(
                    PodUpdated(
                        at=self._process.now,
                        pod=run.pod.name,
                        namespace=run.pod.namespace,
                        resource=resource,
                        ids=tuple(pods[run.pod.uid]),
                    )
                )

    def _refresh(self, run: PodRun) -> None:
        """Tell the health of its devices in a pod's status, as of now; not of init containers (behaviour 52)."""
        for container in run.pod.containers if run.active and self._process.behaviour.resource_health else ():
            records = self._manager.records.of_container(run.pod.uid, container.name)
            told = health.allocated_resources_status(records, self._manager.devices.known)
            run.statuses[container.name] = replace(run.statuses[container.name], allocated_resources_status=told)

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
        """Create and start one container; a failure is a status, not a rejection (kuberuntime_container.go:259-280)."""
        status = run.statuses[container.name]
        try:
            given = await self._allocator.start(run.pod, container, active=run.active)
            final = self._process.runtime.create(given, answers.final_env(given.env, container.env))
        except (AllocationFailure, RpcError) as error:
            self._fail(run, container, "CreateContainerConfigError", str(error))
            return
        except CreationFailed as error:
            self._tell_refused(run, container, error.refused)
            self._fail(run, container, "CreateContainerError", str(error))
            return
        ends = container in run.pod.init_containers and not container.restartable
        run.statuses[container.name] = ContainerStatus(
            name=container.name,
            state="Terminated" if ends else "Running",
            reason="Completed" if ends else "",
            restart_count=status.restart_count,
            devices=self._held(run.pod, container),
            env=final.env,
            device_nodes=runtime.device_nodes(final),
            mounts=runtime.mounts(final),
            annotations=answers.final_annotations(given.annotations, status.restart_count),
            cdi_names=given.cdi_names,
            final=final,
        )
        self._refresh(run)
        self._process.journal.add(
            ContainerStarted(
                at=self._process.now, pod=run.pod.name, namespace=run.pod.namespace, container=container.name
            )
        )

    def _fail(self, run: PodRun, container: Container, reason: str, message: str) -> None:
        """Let a container wait; its pod is tried again later."""
        run.statuses[container.name] = replace(run.statuses[container.name], reason=reason, message=message)
        self._process.journal.add(
            ContainerFailed(
                at=self._process.now,
                pod=run.pod.name,
                namespace=run.pod.namespace,
                container=container.name,
                reason=reason,
                message=message,
            )
        )

    def _tell_refused(self, run: PodRun, container: Container, refused: Iterable[tuple[Path, str]]) -> None:
        for path, reason in refused:
            self._process.journal.add(
                CdiFileRefused(
                    at=self._process.now,
                    pod=run.pod.name,
                    namespace=run.pod.namespace,
                    container=container.name,
                    path=str(path),
                    reason=reason,
                )
            )

    def _held(self, pod: Pod, container: Container) -> dict[str, tuple[str, ...]]:
        records = self._manager.records.of_container(pod.uid, container.name)
        return {resource: tuple(sorted(record.ids)) for resource, record in sorted(records.items())}


def _admitted(run: PodRun) -> bool:
    return any(status.state != "Waiting" for status in run.statuses.values())
