"""Metrics as the text that Prometheus reads, as the kubelet's /metrics gives it. Pure.

Names, types, labels, buckets and help are the kubelet's (KL/metrics/metrics.go, behaviour 54). As there, a metric
with labels is absent until it has a value, and one without labels is there from the start.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from devbay.simulator.metrics import Metrics

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_MILLISECONDS = tuple(0.05 * 2**power for power in range(15))


@dataclass(frozen=True, slots=True)
class _Family:
    """A metric: its field in `Metrics`, its help, the order of its labels in the field's keys, its buckets."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


_BY_VERSION = "Broken down by server api version."
_API = ("server_api_version",)
_RESOURCE = ("resource_name",)
_FAMILIES = (
    _Family("admission_rejections_total", "Cumulative number pod admission rejections by the Kubelet.", ("reason",)),
    _Family(
        "container_aligned_compute_resources_count",
        "Cumulative number of aligned compute resources allocated to containers by alignment type.",
        ("scope", "boundary"),
    ),
    _Family(
        "container_aligned_compute_resources_failure_count",
        "Cumulative number of failures to allocate aligned compute resources to containers by alignment type.",
        ("scope", "boundary"),
    ),
    _Family(
        "device_plugin_alloc_duration_seconds",
        "Duration in seconds to serve a device plugin Allocation request. Broken down by resource name.",
        _RESOURCE,
        _SECONDS,
    ),
    _Family(
        "device_plugin_registration_total",
        "Cumulative number of device plugin registrations. Broken down by resource name.",
        _RESOURCE,
    ),
    *(
        _Family(
            f"pod_resources_endpoint_errors_{method}",
            f"Number of requests to the PodResource {name} endpoint which returned error. {_BY_VERSION}",
            _API,
        )
        for method, name in (("get", "Get"), ("get_allocatable", "GetAllocatableResources"), ("list", "List"))
    ),
    *(
        _Family(
            f"pod_resources_endpoint_requests_{method}",
            f"Number of requests to the PodResource {name} endpoint. {_BY_VERSION}",
            _API,
        )
        for method, name in (("get", "Get"), ("get_allocatable", "GetAllocatableResources"), ("list", "List"))
    ),
    _Family(
        "pod_resources_endpoint_requests_total",
        f"Cumulative number of requests to the PodResource endpoint. {_BY_VERSION}",
        _API,
    ),
    _Family(
        "topology_manager_admission_duration_ms",
        "Duration in milliseconds to serve a pod admission request.",
        buckets=_MILLISECONDS,
    ),
    _Family(
        "topology_manager_admission_errors_total",
        "The number of admission request failures where resources could not be aligned.",
    ),
    _Family(
        "topology_manager_admission_requests_total",
        "The number of admission requests where resources have to be aligned.",
    ),
)


def text(metrics: Metrics) -> str:
    """Return the metrics in Prometheus' text format (version 0.0.4)."""
    return "".join(f"{line}\n" for family in _FAMILIES for line in _family(family, getattr(metrics, family.name)))


def _family(family: _Family, value: Any) -> Iterator[str]:
    values: Mapping[Any, Any] = value if family.labels else {(): value}
    if not values:
        return
    name = f"kubelet_{family.name}"
    yield f"# HELP {name} [ALPHA] {family.help}"
    yield f"# TYPE {name} {'histogram' if family.buckets else 'counter'}"
    for key, number in sorted(values.items()):
        labels = list(zip(family.labels, key if isinstance(key, tuple) else (key,), strict=True))
        if family.buckets:
            yield from _histogram(name, labels, number, family.buckets)
        else:
            yield _sample(name, labels, number)


def _histogram(
    name: str, labels: Sequence[tuple[str, str]], values: Sequence[float], buckets: Iterable[float]
) -> Iterator[str]:
    ordered = sorted(values)
    for bound in (*buckets, math.inf):
        # All values up to the bound, the bound itself included.
        count = bisect_right(ordered, bound)
        yield _sample(f"{name}_bucket", [*labels, ("le", _number(bound))], count)
    yield _sample(f"{name}_sum", labels, math.fsum(ordered))
    yield _sample(f"{name}_count", labels, len(ordered))


def _sample(name: str, labels: Sequence[tuple[str, str]], value: float) -> str:
    pairs = ",".join(f'{label}="{_escaped(content)}"' for label, content in sorted(labels))
    return f"{name}{{{pairs}}} {_number(value)}" if pairs else f"{name} {_number(value)}"


def _number(value: float) -> str:
    if value == math.inf:
        return "+Inf"
    return repr(float(value)).removesuffix(".0")


def _escaped(content: str) -> str:
    return content.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
