"""The device manager's side towards pods: Allocate at admission, PreStartContainer and the merged answer at each start.

DM/manager.go:353-410 and 839-1003.
"""

import asyncio
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from devbay.simulator import answers
from devbay.simulator.allocation import AllocationFailure, Claim, Prefer, choose
from devbay.simulator.answers import Answer
from devbay.simulator.devicemanager import DeviceManager, InFlight
from devbay.simulator.endpoints import RpcError
from devbay.simulator.events import Allocated, AllocationFailed, Conflict, PreferredAllocation, PreStart
from devbay.simulator.pods import Container, Pod
from devbay.simulator.process import Process
from devbay.simulator.records import Record, by_node

_T = TypeVar("_T")


class Allocator:
    """Gives containers their devices. Raises `AllocationFailure` and `RpcError`, with the kubelet's texts."""

    def __init__(self, process: Process, manager: DeviceManager) -> None:
        self._process = process
        self._manager = manager
        self._reusable: dict[str, dict[str, frozenset[str]]] = {}
        """Devices of ended init containers by pod and resource; of one pod at a time (DM/manager.go:366-404)."""
        self.affinity: dict[tuple[str, str], frozenset[int] | None] = {}
        """The NUMA nodes that the topology manager chose, by pod uid and container; None for no opinion."""

    def reusable(self, uid: str) -> Mapping[str, frozenset[str]]:
        """Return the devices, by resource, that ended init containers of a pod in admission held."""
        return self._reusable.get(uid, {})

    def forget(self, pod: Pod) -> None:
        """Forget the NUMA nodes chosen for a pod that is gone; its devices stay until the next freeing."""
        for container in pod.all_containers:
            self.affinity.pop((pod.uid, container.name), None)

    async def allocate(self, pod: Pod, container: Container, *, was_running: bool = False) -> None:
        """Allocate every resource that `container` asks for (DM/manager.go:353-410)."""
        self._manager.admitting = pod.uid
        reusable = self._reusable.get(pod.uid, {})
        self._reusable = {pod.uid: reusable}
        await self._allocate_resources(pod, container, reusable, was_running=was_running)
        ends_first = container in pod.init_containers and not container.restartable
        for resource, record in self._manager.records.of_container(pod.uid, container.name).items():
            before = reusable.get(resource, frozenset())
            reusable[resource] = before | record.ids if ends_first else before - record.ids

    async def start(self, pod: Pod, container: Container, *, active: bool) -> Answer:
        """Return what a container that is about to be created gets (DM/manager.go:958-992, behaviour 45)."""
        missing = False
        for resource, count in self._shuffled(container.limits):
            if not self._manager.devices.is_plugin_resource(resource) or count == 0:
                continue
            await self._pre_start(pod, container, resource)
            if active and self._manager.records.ids(pod.uid, container.name, resource) is None:
                missing = True
        if missing:
            # A kubelet that restarted between admission and start has no record: it allocates anew.
            await self.allocate(pod, container)
        return self._merge(pod, container)

    async def _allocate_resources(
        self, pod: Pod, container: Container, reusable: Mapping[str, frozenset[str]], *, was_running: bool
    ) -> None:
        """Allocate resource by resource, in random order (DM/manager.go:839-941, behaviours 32 and 33)."""
        freed = False
        changed = False
        for resource, count in self._shuffled(container.limits):
            if not self._manager.devices.is_plugin_resource(resource):
                continue
            if not freed:
                self._manager.free_stale()
                freed = True
            claim = Claim(
                pod_uid=pod.uid,
                container=container.name,
                resource=resource,
                required=count,
                held=self._manager.records.ids(pod.uid, container.name, resource),
                reusable=reusable.get(resource, frozenset()),
                keep_running=was_running and not self._manager.sources_ready,
                numa_nodes=self.affinity.get((pod.uid, container.name)),
            )
            ids = await choose(claim, self._manager.devices, self._preference(resource), self._process.rng)
            if ids:
                changed = True
                await self._call_allocate(pod, container, resource, ids)
        if changed:
            self._manager.save()

    async def _call_allocate(self, pod: Pod, container: Container, resource: str, ids: frozenset[str]) -> None:
        """Call Allocate once for one container and resource, and record the first answer (DM/manager.go:891-933)."""
        endpoint = self._manager.endpoints.current.get(resource)
        if endpoint is None:
            self._manager.recount()
            raise AllocationFailure(f"unknown Device Plugin {resource}")
        began = self._process.now
        failure: Exception | None = None
        given: list[Answer] = []
        flight = InFlight(resource, ids)
        self._manager.in_flight.append(flight)
        try:
            with self._watchdog(resource, "Allocate"):
                given = await endpoint.live().allocate(self._random_order(ids))
            if not given:
                failure = AllocationFailure("no containers return in allocation response ")
        except RpcError as error:
            # The allocated ids are restored from the records (DM/manager.go:906-912, behaviour 40). They are not
            # where the answer was empty: those stay marked until the next freeing.
            self._manager.recount()
            failure = error
        finally:
            self._manager.in_flight.remove(flight)
        self._account(pod, container, flight, self._process.now - began, failure)
        if failure is not None:
            raise failure
        known = self._manager.devices.known.get(resource, {})
        for lost in sorted(ids - known.keys()):
            self._process.journal.finding(resource, f"device {lost} was allocated, though it is no longer listed")
        record = Record(by_node(sorted(ids), known), given[0])
        self._manager.records.insert(pod.uid, container.name, resource, record)

    def _account(
        self, pod: Pod, container: Container, flight: InFlight, seconds: float, failure: Exception | None
    ) -> None:
        """Count and tell an Allocate, failed or not (DM/manager.go:905)."""
        self._process.metrics.device_plugin_alloc_duration_seconds[flight.resource].append(seconds)
        event: Allocated | AllocationFailed
        at, ids, resource = self._process.now, tuple(sorted(flight.ids)), flight.resource
        if failure is None:
            event = Allocated(
                at=at,
                resource=resource,
                pod=pod.name,
                namespace=pod.namespace,
                container=container.name,
                ids=ids,
                seconds=seconds,
            )
        else:
            event = AllocationFailed(
                at=at,
                resource=resource,
                pod=pod.name,
                namespace=pod.namespace,
                container=container.name,
                ids=ids,
                seconds=seconds,
                reason=str(failure),
            )
        self._process.journal.add(event)

    def _preference(self, resource: str) -> Prefer:
        """Return how to ask the plugin of `resource` what it prefers (DM/manager.go:1029-1053)."""

        async def prefer(available: Sequence[str], must_include: Sequence[str], size: int) -> Sequence[str]:
            endpoint = self._manager.endpoints.current.get(resource)
            if endpoint is None:
                raise AllocationFailure(f"endpoint not found in cache for a registered resource: {resource}")
            if endpoint.options is None or not endpoint.options.preferred_allocation:
                return ()
            began = self._process.now
            answer: tuple[str, ...] | None = None
            reason = ""
            try:
                with self._watchdog(resource, "GetPreferredAllocation"):
                    answer = tuple(await endpoint.live().prefer(available, must_include, size))
            except RpcError as error:
                reason = str(error)
            self._process.journal.add(
                PreferredAllocation(
                    at=self._process.now,
                    resource=resource,
                    available=tuple(sorted(available)),
                    must_include=tuple(sorted(must_include)),
                    size=size,
                    answer=answer,
                    seconds=self._process.now - began,
                    reason=reason,
                )
            )
            if answer is None:
                raise AllocationFailure(f"device plugin GetPreferredAllocation rpc failed with err: {reason}")
            return answer

        return prefer

    async def _pre_start(self, pod: Pod, container: Container, resource: str) -> None:
        """Call PreStartContainer if the plugin asked for it (DM/manager.go:994-1027)."""
        endpoint = self._manager.endpoints.current.get(resource)
        if endpoint is None:
            raise AllocationFailure(f"endpoint not found in cache for a registered resource: {resource}")
        if endpoint.options is None or not endpoint.options.pre_start_required:
            return
        ids = self._manager.records.ids(pod.uid, container.name, resource)
        if ids is None:
            raise AllocationFailure(
                f"no devices found allocated in local cache for pod {pod.uid}, container {container.name}, "
                f"resource {resource}"
            )
        began = self._process.now
        reason = ""
        try:
            await endpoint.live().pre_start(self._random_order(ids), self._process.timing.pre_start)
        except RpcError as error:
            reason = str(error)
        self._process.journal.add(
            PreStart(
                at=self._process.now,
                resource=resource,
                pod=pod.name,
                namespace=pod.namespace,
                container=container.name,
                ids=tuple(sorted(ids)),
                seconds=self._process.now - began,
                reason=reason,
            )
        )
        if reason:
            raise AllocationFailure(f"device plugin PreStartContainer rpc failed with err: {reason}")

    def _merge(self, pod: Pod, container: Container) -> Answer:
        """Return the container's answers as one, merged in random order (DM/pod_devices.go:247-372)."""
        records = self._manager.records.of_container(pod.uid, container.name)
        merged = answers.merge([record.answer for _, record in self._shuffled(records)])
        for message in merged.conflicts:
            self._process.journal.add(
                Conflict(
                    at=self._process.now,
                    pod=pod.name,
                    namespace=pod.namespace,
                    container=container.name,
                    message=message,
                )
            )
        return merged.answer

    def _shuffled(self, mapping: Mapping[str, _T]) -> list[tuple[str, _T]]:
        items = sorted(mapping.items())
        self._process.rng.shuffle(items)
        return items

    def _random_order(self, ids: frozenset[str]) -> list[str]:
        order = sorted(ids)
        self._process.rng.shuffle(order)
        return order

    @contextlib.contextmanager
    def _watchdog(self, resource: str, call: str) -> Iterator[None]:
        """Report a call that takes long, and let it: the kubelet has no deadline for it (behaviour 38)."""
        seconds = self._process.timing.watchdog
        timer = asyncio.get_running_loop().call_later(
            seconds,
            self._process.journal.finding,
            resource,
            f"{call} is not answered after {seconds:g} s; a real kubelet admits no other pod while it waits",
        )
        try:
            yield
        finally:
            timer.cancel()
