"""A status as Prometheus reads it. `METRICS` is the list of what there is; ``docs/metrics.md`` says it to people.

Each scrape is made anew from one status, in a registry of our own: what is no longer there has no series, so that
nothing grows with time.
"""

import platform
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from devbay import errors
from devbay.session import State
from devbay.status import BACKEND_STATES, BackendStatus, ResourceStatus, Status
from devbay.tally import Durations

Value = float | Durations
Rows = Iterable[tuple[Sequence[str], Value]]


class Family(NamedTuple):
    """One metric: its name without the ending of its kind, its kind, its labels, and what it says."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str


METRICS = (
    Family("devbay_build_info", "gauge", ("version", "python"), "What runs here; always 1."),
    Family("devbay_devices", "gauge", ("resource", "health"), "Devices offered, by health."),
    Family("devbay_device_unhealthy", "gauge", ("resource", "device"), "1 for each device that is unhealthy."),
    Family("devbay_device_failures", "counter", ("resource", "device"), "Times that a device turned unhealthy."),
    Family("devbay_advertised_ids", "gauge", ("resource",), "Ids that the kubelet is told of: devices, or shares."),
    Family("devbay_devices_held", "gauge", ("resource",), "Devices that containers have, by the kubelet's word."),
    Family(
        "devbay_container_ids_held",
        "gauge",
        ("namespace", "pod", "container", "resource"),
        "Ids that a container has, by the kubelet's word. Only with web.holders_metric.",
    ),
    Family("devbay_pod_resources_up", "gauge", (), "Whether the kubelet says who holds what."),
    Family("devbay_registration_state", "gauge", ("resource", "state"), "1 for the state a registration is in."),
    Family("devbay_registrations", "counter", ("resource",), "Registrations that the kubelet accepted."),
    Family("devbay_registration_refusals", "counter", ("resource",), "Registrations that the kubelet refused."),
    Family("devbay_stream_restarts", "counter", ("resource",), "Open ListAndWatch streams that were lost."),
    Family("devbay_allocations", "counter", ("resource",), "Containers that were given devices."),
    Family("devbay_allocation_seconds", "histogram", ("resource",), "Time for one answered call of Allocate."),
    Family(
        "devbay_allocation_failures",
        "counter",
        ("resource", "reason"),
        "Calls of Allocate and PreStartContainer that were answered with an error.",
    ),
    Family("devbay_preferred_allocations", "counter", ("resource",), "Calls of GetPreferredAllocation."),
    Family("devbay_backend_info", "gauge", ("backend", "distribution", "version"), "Whose a backend is; always 1."),
    Family("devbay_backend_state", "gauge", ("backend", "state"), "1 for the state a backend is in."),
    Family("devbay_backend_last_look_timestamp_seconds", "gauge", ("backend",), "When its last look ended."),
    Family("devbay_backend_call_seconds", "histogram", ("backend", "hook"), "Time for one call of a backend's hook."),
    Family("devbay_backend_call_failures", "counter", ("backend", "hook"), "Calls that failed or ran out of time."),
    Family("devbay_backend_hung_calls", "gauge", ("backend",), "Calls past their deadline that run still."),
    Family("devbay_backend_abandoned_calls", "counter", ("backend",), "Calls that ran past their deadline."),
    Family("devbay_config_last_reload_successful", "gauge", (), "Whether the configuration on disk is what runs."),
    Family(
        "devbay_config_last_reload_success_timestamp_seconds", "gauge", (), "When the configuration that runs was read."
    ),
    Family("devbay_loop_lag_seconds", "gauge", (), "The longest that anything had to wait during the last minute."),
    Family("devbay_rivals_found", "counter", (), "Live sockets of another host for a resource of ours."),
    Family("devbay_cdi_write_failures", "counter", (), "Times that a CDI specification could not be kept."),
    Family("devbay_log_lines_dropped", "counter", (), "Lines of the log that were lost since nobody read them."),
)
"""What is exposed, beside the ``process_…`` metrics that every client of Prometheus has."""

_KINDS: Mapping[str, Any] = {
    "gauge": GaugeMetricFamily,
    "counter": CounterMetricFamily,
    "histogram": HistogramMetricFamily,
}
_FAILURES = (
    errors.UnhealthyDevice.__name__,
    errors.UnknownDevice.__name__,
    errors.TooManyShares.__name__,
    errors.DeliveryError.__name__,
    errors.CallTimeout.__name__,
    errors.BackendBug.__name__,
    errors.BackendUnavailable.__name__,
)
"""What an allocation can end with. There from the start, at zero: the first failure is no increase otherwise."""

_REGISTRATION_STATES = tuple(state.value for state in State)


class Exposition:
    """Makes scrapes. `holders`: whether each container that has devices gets a series."""

    def __init__(self, *, holders: bool) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._of = _Collector(holders=holders)
        self._registry.register(self._of)
        ProcessCollector(registry=self._registry)

    def of(self, status: Status | None, lag: float, accept: str = "") -> tuple[bytes, str]:
        """Return a scrape and its media type; of a `status` that cannot be had, the metrics that need none."""
        try:
            encode, kind = choose_encoder(accept)
        except (TypeError, ValueError):  # a version that is no number, say
            encode, kind = choose_encoder("")
        self._of.status, self._of.lag = status, lag
        return encode(self._registry), kind


class _Collector(Collector):
    """Turns the status it was last given into metrics."""

    def __init__(self, *, holders: bool) -> None:
        self.status: Status | None = None
        self.lag = 0.0
        self._holders = holders

    def collect(self) -> Iterator[Metric]:
        rows: dict[str, Rows] = {"devbay_loop_lag_seconds": [((), self.lag)]}
        if self.status is not None:
            rows |= _of_host(self.status)
            rows |= _of_devices(self.status)
            rows |= _of_registrations(self.status.resources)
            rows |= _of_backends(self.status.backends)
            if self._holders:
                rows["devbay_container_ids_held"] = [
                    ((*who, resource), count) for (who, resource), count in sorted(self.status.by_container().items())
                ]
        for family in METRICS:
            if family.name in rows:
                yield _metric(family, rows[family.name])


def _metric(family: Family, rows: Rows) -> Metric:
    metric: GaugeMetricFamily | CounterMetricFamily | HistogramMetricFamily
    metric = _KINDS[family.kind](family.name, family.help, labels=family.labels)
    for labels, value in rows:
        if isinstance(metric, HistogramMetricFamily) and isinstance(value, Durations):
            bounds = [*map(str, value.bounds), "+Inf"]
            buckets = list(zip(bounds, map(float, accumulate(value.counts)), strict=True))
            metric.add_metric(labels, buckets=buckets, sum_value=value.total)
        elif not isinstance(metric, HistogramMetricFamily) and not isinstance(value, Durations):
            metric.add_metric(labels, value)
    return metric


def _of_host(status: Status) -> dict[str, Rows]:
    configuration = status.configuration
    return {
        "devbay_build_info": [((status.version, platform.python_version()), 1)],
        "devbay_pod_resources_up": [((), status.holders is not None)],
        "devbay_config_last_reload_successful": [((), configuration.good)],
        "devbay_config_last_reload_success_timestamp_seconds": [((), configuration.loaded_at)],
        "devbay_rivals_found": [((), status.rivals)],
        "devbay_cdi_write_failures": [((), status.cdi_failures)],
        "devbay_log_lines_dropped": [((), status.lines_dropped)],
    }


def _of_devices(status: Status) -> dict[str, Rows]:
    resources = status.resources
    return {
        "devbay_devices": [
            ((each.name, health), count)
            for each in resources
            for health, count in (("healthy", each.healthy), ("unhealthy", len(each.offer.shares) - each.healthy))
        ],
        "devbay_device_unhealthy": [
            ((each.name, share.status.device.id), 1)
            for each in resources
            for share in each.offer.shares
            if not share.status.health
        ],
        "devbay_device_failures": [
            ((each.name, share.status.device.id), share.status.failures)
            for each in resources
            for share in each.offer.shares
        ],
        "devbay_advertised_ids": [((each.name,), each.advertised) for each in resources],
        "devbay_devices_held": [((each.name,), held) for each in resources if (held := status.held(each)) is not None],
    }


def _of_registrations(resources: Sequence[ResourceStatus]) -> dict[str, Rows]:
    return {
        "devbay_registration_state": [
            ((each.name, state), each.state.value == state) for each in resources for state in _REGISTRATION_STATES
        ],
        "devbay_registrations": [((each.name,), each.counts.registrations) for each in resources],
        "devbay_registration_refusals": [((each.name,), each.counts.refusals) for each in resources],
        "devbay_stream_restarts": [((each.name,), each.counts.restarts) for each in resources],
        "devbay_allocations": [((each.name,), each.counts.containers) for each in resources],
        "devbay_allocation_seconds": [((each.name,), each.counts.allocations) for each in resources],
        "devbay_allocation_failures": [
            ((each.name, _snake(error)), each.counts.failures.get(error, 0))
            for each in resources
            for error in sorted({*_FAILURES, *each.counts.failures})
        ],
        "devbay_preferred_allocations": [((each.name,), each.counts.preferred) for each in resources],
    }


def _of_backends(backends: Sequence[BackendStatus]) -> dict[str, Rows]:
    calls = [(each.name, hook, did) for each in backends for hook, did in sorted(each.calls.items())]
    return {
        "devbay_backend_info": [((each.name, each.distribution, each.version), 1) for each in backends],
        "devbay_backend_state": [
            ((each.name, state), each.state == state) for each in backends for state in BACKEND_STATES
        ],
        "devbay_backend_last_look_timestamp_seconds": [
            ((each.name,), each.looked_at) for each in backends if each.looked_at is not None
        ],
        "devbay_backend_call_seconds": [((name, hook), did.seconds) for name, hook, did in calls],
        "devbay_backend_call_failures": [((name, hook), did.failures) for name, hook, did in calls],
        "devbay_backend_hung_calls": [((each.name,), len(each.stuck)) for each in backends],
        "devbay_backend_abandoned_calls": [((each.name,), each.abandoned) for each in backends],
    }


def _snake(name: str) -> str:
    """Return the name of an error as a label's value: ``UnhealthyDevice`` is ``unhealthy_device``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
