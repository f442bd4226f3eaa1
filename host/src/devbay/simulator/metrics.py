"""What a kubelet counts about device plugins, under its own metric names (KL/metrics/metrics.go, behaviour 54).

Values, one field for each metric, named as the metric is after ``kubelet_``; `exposition` writes them as text. They
belong to one process: a restart starts at nought.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Version: TypeAlias = Literal["v1", "v1alpha1"]
Method: TypeAlias = Literal["list", "get", "get_allocatable"]

_KNOWN_REASONS = frozenset({"UnexpectedAdmissionError", "TopologyAffinityError"})


def _durations() -> defaultdict[str, list[float]]:
    return defaultdict(list)


@dataclass(slots=True)
class Metrics:
    """The numbers of one kubelet process.

    Attributes:
        device_plugin_registration_total: Register calls by resource, refused ones too (DMP/server.go:162, behaviour 4).
        device_plugin_alloc_duration_seconds: how long every Allocate took by resource, failed ones too
            (DM/manager.go:905, behaviour 41).
        pod_resources_endpoint_requests_total: calls of the pod-resources API by its version.
        pod_resources_endpoint_requests_list: of these, List; of v1 only.
        pod_resources_endpoint_requests_get: Get.
        pod_resources_endpoint_requests_get_allocatable: GetAllocatableResources.
        pod_resources_endpoint_errors_list: never counted, as in the kubelet.
        pod_resources_endpoint_errors_get: Get calls that failed; those over the rate limit are counted nowhere.
        pod_resources_endpoint_errors_get_allocatable: never counted, as in the kubelet.
        admission_rejections_total: rejected pods by reason, of a list of reasons.
        topology_manager_admission_requests_total: pods that came to admission, whatever the policy.
        topology_manager_admission_errors_total: those rejected there; not counted with policy none.
        topology_manager_admission_duration_ms: how long each admission took, in whole milliseconds.
        container_aligned_compute_resources_count: containers, or pods, whose resources lie on one NUMA node, by
            (scope, boundary); only policy single-numa-node promises it.
        container_aligned_compute_resources_failure_count: those for which it failed.
    """

    device_plugin_registration_total: Counter[str] = field(default_factory=Counter)
    device_plugin_alloc_duration_seconds: defaultdict[str, list[float]] = field(default_factory=_durations)
    pod_resources_endpoint_requests_total: Counter[str] = field(default_factory=Counter)
    pod_resources_endpoint_requests_list: Counter[str] = field(default_factory=Counter)
    pod_resources_endpoint_requests_get: Counter[str] = field(default_factory=Counter)
    pod_resources_endpoint_requests_get_allocatable: Counter[str] = field(default_factory=Counter)
    pod_resources_endpoint_errors_list: Counter[str] = field(default_factory=Counter)
    pod_resources_endpoint_errors_get: Counter[str] = field(default_factory=Counter)
    pod_resources_endpoint_errors_get_allocatable: Counter[str] = field(default_factory=Counter)
    admission_rejections_total: Counter[str] = field(default_factory=Counter)
    topology_manager_admission_requests_total: int = 0
    topology_manager_admission_errors_total: int = 0
    topology_manager_admission_duration_ms: list[float] = field(default_factory=list)
    container_aligned_compute_resources_count: Counter[tuple[str, str]] = field(default_factory=Counter)
    container_aligned_compute_resources_failure_count: Counter[tuple[str, str]] = field(default_factory=Counter)

    def rejected(self, reason: str) -> None:
        """Count a rejected pod; resource names are kept out of the label (KL/allocation, recordAdmissionRejection)."""
        if reason not in _KNOWN_REASONS:
            reason = "OutOfExtendedResources" if reason.startswith("OutOf") else "Other"
        self.admission_rejections_total[reason] += 1

    def pod_resources(self, version: Version, method: Method | None = None) -> None:
        """Count a call of the pod-resources API; v1alpha1's List is counted in the total alone."""
        self.pod_resources_endpoint_requests_total[version] += 1
        if method is not None:
            requests = {
                "list": self.pod_resources_endpoint_requests_list,
                "get": self.pod_resources_endpoint_requests_get,
                "get_allocatable": self.pod_resources_endpoint_requests_get_allocatable,
            }
            requests[method][version] += 1

    def pod_resources_error(self, version: Version) -> None:
        """Count a Get that failed: the only call whose errors a kubelet counts (PR/server_v1.go:125)."""
        self.pod_resources_endpoint_errors_get[version] += 1
