"""The topology manager: a pod's way through admission, container by container or as a whole (behaviours 31 and 49).

TM/scope.go, TM/scope_container.go, TM/scope_pod.go. The device manager is its only provider of hints: the CPU and
memory managers are not simulated, which is as if their policies were none; nor are its policy options.
"""

from collections.abc import Callable

from devbay.simulator import admission, hints, topology
from devbay.simulator.admission import Rejection
from devbay.simulator.allocation import AllocationFailure
from devbay.simulator.allocator import Allocator
from devbay.simulator.devicemanager import DeviceManager
from devbay.simulator.endpoints import RpcError
from devbay.simulator.events import TopologyDecided
from devbay.simulator.hints import Request
from devbay.simulator.pods import Container, Pod
from devbay.simulator.process import Process

_BOUNDARY = "numa_node"


class _AffinityError(Exception):
    """The policy does not admit the pod (TM/topology_manager.go:43-60)."""

    reason = "TopologyAffinityError"

    def __str__(self) -> str:
        return "Resources cannot be allocated with Topology locality"


class TopologyManager:
    """Allocates a pod's resources, on the NUMA nodes that the policy chooses."""

    def __init__(self, process: Process, manager: DeviceManager, allocator: Allocator) -> None:
        self._process = process
        self._manager = manager
        self._allocator = allocator
        self._topology = process.topology
        if self._topology.policy != "none":
            # These are there from the start (TM/topology_manager.go, initializeMetrics).
            for scope in ("container", "pod"):
                process.metrics.container_aligned_compute_resources_count[scope, _BOUNDARY] += 0
                process.metrics.container_aligned_compute_resources_failure_count[scope, _BOUNDARY] += 0

    async def admit(self, pod: Pod, was_running: Callable[[Container], bool]) -> Rejection | None:
        """Allocate for every container, init containers first; return why not, if not."""
        metrics = self._process.metrics
        metrics.topology_manager_admission_requests_total += 1
        began = self._process.now
        rejection = None
        try:
            await self._scope(pod, was_running)
        except _AffinityError as error:
            rejection = Rejection(error.reason, f"Pod was rejected: {error}")
        except (AllocationFailure, RpcError) as error:
            rejection = admission.unexpected(error)
        if rejection is not None and self._topology.policy != "none":
            metrics.topology_manager_admission_errors_total += 1
        metrics.topology_manager_admission_duration_ms.append(int((self._process.now - began) * 1000))
        return rejection

    async def _scope(self, pod: Pod, was_running: Callable[[Container], bool]) -> None:
        """Decide for the pod or for each container, then allocate (TM/scope_pod.go:62-83, scope_container.go:52-84)."""
        by_container = self._topology.policy != "none" and self._topology.scope == "container"
        whole = None
        if self._topology.policy != "none" and self._topology.scope == "pod":
            whole = self._decide(pod, None)
        for container in pod.all_containers:
            nodes = self._decide(pod, container) if by_container else whole
            self._allocator.affinity[pod.uid, container.name] = nodes
            await self._allocator.allocate(pod, container, was_running=was_running(container))
            if by_container:
                self._count_aligned()
        if not by_container and self._topology.policy != "none":
            self._count_aligned()

    def _decide(self, pod: Pod, container: Container | None) -> frozenset[int] | None:
        """Return the NUMA nodes for a container, or for the whole pod; None where any will do."""
        # A trigger of freeing (DM/manager.go:557-578, behaviour 46).
        self._manager.free_stale()
        requests = self._of_pod(pod) if container is None else self._of_container(pod, container)
        for request in requests:
            self._report(request)
        best, admitted = topology.merge(
            self._topology,
            {
                request.resource: hints.of_request(
                    request,
                    self._manager.devices,
                    self._topology.numa_nodes,
                    all_nodes=self._process.behaviour.hints_on_all_nodes,
                )
                for request in requests
            },
        )
        self._process.journal.add(
            TopologyDecided(
                at=self._process.now,
                pod=pod.name,
                namespace=pod.namespace,
                container=container.name if container else "",
                numa_nodes=None if best.nodes is None else tuple(sorted(best.nodes)),
                preferred=best.preferred,
                admitted=admitted,
            )
        )
        if not admitted:
            if self._guaranteed:
                counts = self._process.metrics.container_aligned_compute_resources_failure_count
                counts[self._topology.scope, _BOUNDARY] += 1
            raise _AffinityError
        return best.nodes

    @property
    def _guaranteed(self) -> bool:
        """Whether the policy promises that resources lie on one node (TM/policy.go, IsAlignmentGuaranteed)."""
        return self._topology.policy == "single-numa-node"

    def _count_aligned(self) -> None:
        if self._guaranteed:
            self._process.metrics.container_aligned_compute_resources_count[self._topology.scope, _BOUNDARY] += 1

    def _of_container(self, pod: Pod, container: Container) -> list[Request]:
        reusable = self._allocator.reusable(pod.uid)
        return [
            Request(
                resource=resource,
                count=count,
                held=self._manager.records.ids(pod.uid, container.name, resource) or frozenset(),
                reusable=reusable.get(resource, frozenset()),
            )
            for resource, count in sorted(container.limits.items())
            if self._manager.devices.is_plugin_resource(resource)
        ]

    def _of_pod(self, pod: Pod) -> list[Request]:
        """Return what the pod asks for as a whole (DM/topology_hints.go, getPodDeviceRequest)."""
        return [
            Request(resource=resource, count=count, held=self._manager.records.of_pod(pod.uid, resource))
            for resource, count in sorted(admission.request(pod).items())
            if self._manager.devices.is_plugin_resource(resource)
        ]

    def _report(self, request: Request) -> None:
        """Say loudly what would crash a kubelet: the topology of a device that is not listed any more is read."""
        resource = request.resource
        if (
            len(request.held) not in (0, request.count)
            or not self._process.behaviour.panics_on_vanished
            or not self._manager.devices.has_alignment(resource)
        ):
            return
        for lost in sorted((request.held or request.reusable) - self._manager.devices.known[resource].keys()):
            self._process.journal.finding(
                resource,
                f"device {lost} left the list, and the hints for a pod that holds it read its topology: this would "
                "crash a real kubelet",
            )
