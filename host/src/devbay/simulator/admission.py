"""Whether a pod may run here: the kubelet's own check of resources after allocation, and how a rejection reads. Pure.

KL/lifecycle/predicate.go and KL/cm/admission/errors.go.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from devbay.simulator.pods import Pod


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a pod failed admission, as its status says."""

    reason: str
    message: str


def unexpected(error: Exception) -> Rejection:
    """Return the rejection for a failed allocation (KL/cm/admission/errors.go:41-46, behaviour 42)."""
    return Rejection(
        "UnexpectedAdmissionError", f"Pod was rejected: Allocate failed due to {error}, which is unexpected"
    )


def shortage(
    pod: Pod, others: Iterable[Pod], allocatable: Mapping[str, int], allocated: Mapping[str, int]
) -> Rejection | None:
    """Return the rejection of a pod that asks for more than the node has, if it does.

    A resource that the node does not name is not looked at (KL/lifecycle/predicate.go:349-379). What is allocated
    already always counts as there, so that a plugin's failure does not evict (DM/manager.go:1059-1084).
    """
    taken = [request(other) for other in others]
    for resource, wanted in sorted(request(pod).items()):
        if resource not in allocatable or wanted == 0:
            continue
        capacity = max(allocatable[resource], allocated.get(resource, 0))
        used = sum(request.get(resource, 0) for request in taken)
        if wanted > capacity - used:
            return Rejection(
                f"OutOf{resource}",
                f"Pod was rejected: Node didn't have enough resource: {resource}, requested: {wanted}, "
                f"used: {used}, capacity: {capacity}",
            )
    return None


def request(pod: Pod) -> dict[str, int]:
    """Return what a pod asks for: its containers and sidecars together, or its greediest init container.

    An init container runs beside the sidecars before it (component-helpers, PodRequests).
    """
    resources = {resource for container in pod.all_containers for resource in container.limits}
    return {resource: _most(pod, resource) for resource in resources}


def _most(pod: Pod, resource: str) -> int:
    sidecars = most = 0
    for container in pod.init_containers:
        wanted = container.limits.get(resource, 0)
        sidecars += wanted if container.restartable else 0
        most = max(most, sidecars if container.restartable else sidecars + wanted)
    return max(most, sidecars + sum(container.limits.get(resource, 0) for container in pod.containers))
