"""What may happen to a node, as series, and which alerts fire then: the cases that promtool judges."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Labels: TypeAlias = dict[str, str]

TARGET = 'job="devbay/devbay",instance="10.0.0.1:8080",node="a"'
OTHER = 'job="devbay/devbay",instance="10.0.0.2:8080",node="a"'
FAR = 'job="devbay/devbay",instance="10.0.0.3:8080",node="b"'
GPU = f'{TARGET},resource="example.com/gpu"'
UP = {f"up{{{TARGET}}}": "1x120"}
NODE = {"node": "a"}
RESOURCE = NODE | {"resource": "example.com/gpu"}
DEVICE = RESOURCE | {"device": "gpu-1"}
BACKEND = NODE | {"backend": "nvidia"}


def gpus(healthy: str, unhealthy: str, target: str = GPU) -> dict[str, str]:
    """Return the series of how many devices there are, with values from the first minute on."""
    return {
        f'devbay_devices{{{target},health="healthy"}}': healthy,
        f'devbay_devices{{{target},health="unhealthy"}}': unhealthy,
    }


@dataclass(frozen=True)
class Case:
    """What happens, and which alerts fire at which minute.

    Attributes:
        alert: the one that this is about.
        name: what happens.
        series: by series, its values minute by minute.
        at: by minute, the labels of the alert that fires then; None where nothing fires.
        others: alerts that fire as well, with their labels, whenever this one does.
    """

    alert: str
    name: str
    series: Mapping[str, str]
    at: Mapping[int, Labels | None]
    others: Mapping[str, Labels] = field(default_factory=dict)

    def test(self) -> dict[str, Any]:
        """Return this as promtool reads it; each answer is every alert that fires."""
        named = ", ".join(("alertname", *DEVICE, "backend"))
        return {
            "name": f"{self.alert}: {self.name}",
            "interval": "1m",
            "input_series": [{"series": series, "values": values} for series, values in self.series.items()],
            "promql_expr_test": [
                {
                    "expr": f'sum by ({named}) (ALERTS{{alertstate="firing"}})',
                    "eval_time": f"{minute}m",
                    "exp_samples": [
                        {"labels": _series({"alertname": alert} | who), "value": 1}
                        for alert, who in ({self.alert: labels} | dict(self.others)).items()
                    ]
                    if labels is not None
                    else [],
                }
                for minute, labels in self.at.items()
            ],
        }


def _series(labels: Labels) -> str:
    return "{" + ", ".join(f"{name}={json.dumps(value)}" for name, value in sorted(labels.items())) + "}"


def state(name: str, labels: str, value: str, values: str) -> dict[str, str]:
    """Return one series of a metric that has one for each state."""
    return UP | {f'{name}{{{labels},state="{value}"}}': values}


def backend(value: str, values: str) -> dict[str, str]:
    """Return the series of a backend's state."""
    return state("devbay_backend_state", f'{TARGET},backend="nvidia"', value, values)


HELD = f"devbay_devices_held{{{GPU}}}"
FAILURES = f'devbay_device_failures_total{{{GPU},device="gpu-1"}}'

CASES = (
    Case("DevbayDown", "a node does not answer", {f"up{{{TARGET}}}": "1x10 0x30"}, {14: None, 17: NODE}),
    Case("DevbayDown", "a pod is replaced", {f"up{{{TARGET}}}": "1x10 0x2 1x30"}, {12: None, 20: None}),
    Case("DevbayDown", "another job is down", UP | {'up{job="other",node="a"}': "0x60"}, {30: None}),
    Case("DevbayDown", "a job by its plain name", {'up{job="devbay",node="a"}': "0x60"}, {30: NODE}),
    Case("DevbayAbsent", "nothing is scraped", {"some_other_metric": "1x60"}, {14: None, 16: {}}),
    Case("DevbayAbsent", "only one of two nodes is", UP, {60: None}),
    Case(
        "DevbayConfigurationRejected",
        "a bad edit, and its mending",
        UP | {f"devbay_config_last_reload_successful{{{TARGET}}}": "1x10 0x20 1x20"},
        {9: None, 14: None, 17: NODE, 35: None},
    ),
    Case(
        "DevbayTwoHosts",
        "two on a node for long",
        UP | {f"devbay_build_info{{{TARGET}}}": "1x60", f"devbay_build_info{{{OTHER}}}": "1x60"},
        {14: None, 16: NODE},
    ),
    Case(
        "DevbayTwoHosts",
        "a rolling update, and one on each of two nodes",
        UP
        | {
            f"devbay_build_info{{{TARGET}}}": "1x60",
            f"devbay_build_info{{{OTHER}}}": "1x3 _x60",
            f"devbay_build_info{{{FAR}}}": "1x60",
        },
        {2: None, 20: None, 50: None},
    ),
    Case(
        "DevbayCdiWriteFailures",
        "the directory cannot be written for a moment",
        UP | {f"devbay_cdi_write_failures_total{{{TARGET}}}": "0x10 1x60"},
        {10: None, 12: NODE, 30: None},
    ),
    Case(
        "DevbayBackendFailing",
        "it fails for long",
        backend("failing", "0x5 1x20 0x20"),
        {9: None, 12: BACKEND, 30: None},
    ),
    Case("DevbayBackendFailing", "it fails for a moment", backend("failing", "0x5 1x3 0x20"), {8: None, 15: None}),
    Case("DevbayBackendFailing", "its hardware is not here", backend("unavailable", "1x60"), {30: None}),
    Case("DevbayBackendHung", "it hangs for long", backend("hung", "0x5 1x20 0x20"), {9: None, 12: BACKEND, 30: None}),
    Case(
        "DevbayBackendRejected",
        "it cannot be loaded",
        backend("rejected", "1x20 0x20"),
        {4: None, 6: BACKEND, 30: None},
    ),
    Case(
        "DevbayResourceUnregistered",
        "the kubelet is away",
        state("devbay_registration_state", GPU, "streaming", "1x5 0x20 1x20") | gpus("2x60", "0x60"),
        {9: None, 12: RESOURCE, 30: None},
    ),
    Case(
        "DevbayResourceUnregistered",
        "a resource without devices",
        state("devbay_registration_state", GPU, "streaming", "0x60") | gpus("0x60", "0x60"),
        {30: None},
    ),
    Case(
        "DevbayRegistrationUnsteady",
        "lost every two minutes",
        UP | {f"devbay_stream_restarts_total{{{GPU}}}": "0x10 1 1 2 2 3 3 4 4 4x60"},
        {12: None, 18: RESOURCE, 50: None},
    ),
    Case(
        "DevbayRegistrationUnsteady",
        "the kubelet restarts twice",
        UP | {f"devbay_stream_restarts_total{{{GPU}}}": "0x10 1 2x60"},
        {12: None, 20: None},
    ),
    Case(
        "DevbayNoCapacity",
        "no device works",
        UP | gpus("2x5 0x20 2x20", "0x5 2x20 0x20"),
        {9: None, 12: RESOURCE, 30: None},
    ),
    Case("DevbayNoCapacity", "one still works", UP | gpus("1x60", "1x60"), {30: None}),
    Case("DevbayNoCapacity", "there are none", UP | gpus("0x60", "0x60"), {30: None}),
    Case(
        "DevbayAllocationHigh",
        "nine of ten are in use on this node, and none on another",
        UP
        | gpus("10x60", "0x60")
        | gpus("10x60", "0x60", f'{FAR},resource="example.com/gpu"')
        | {HELD: "0x5 9x60", f'devbay_devices_held{{{FAR},resource="example.com/gpu"}}': "0x60"},
        {14: None, 16: RESOURCE},
    ),
    Case("DevbayAllocationHigh", "eight of ten are", UP | gpus("10x60", "0x60") | {HELD: "8x60"}, {40: None}),
    Case(
        "DevbayAllocationHigh",
        "half of them fail and none is in use",
        UP | gpus("5x60", "5x60") | {HELD: "0x60"},
        {40: None},
    ),
    Case(
        "DevbayAllocationHigh",
        "half of them fail and all others are in use",
        UP | gpus("5x60", "5x60") | {HELD: "5x60"},
        {9: None, 40: RESOURCE},
        {"DevbayFleetAllocationHigh": {"resource": "example.com/gpu"}},
    ),
    Case(
        "DevbayFleetAllocationHigh",
        "every node that can tell is full",
        UP | gpus("10x60", "0x60") | gpus("10x60", "0x60", f'{FAR},resource="example.com/gpu"') | {HELD: "10x60"},
        {9: None, 16: {"resource": "example.com/gpu"}},
        {"DevbayAllocationHigh": RESOURCE},
    ),
    Case(
        "DevbayAllocationsFailing",
        "a pod fails",
        UP | {f'devbay_allocation_failures_total{{{GPU},reason="backend_bug"}}': "0x10 1x60"},
        {10: None, 12: RESOURCE, 30: None},
    ),
    Case(
        "DevbayDeviceUnhealthy",
        "one fails and recovers",
        UP | {f'devbay_device_unhealthy{{{GPU},device="gpu-1"}}': "_x5 1x10 stale"},
        {9: None, 12: DEVICE, 20: None},
    ),
    Case(
        "DevbayDeviceUnhealthy",
        "one fails for a moment",
        UP | {f'devbay_device_unhealthy{{{GPU},device="gpu-1"}}': "_x5 1x2 stale"},
        {7: None, 20: None},
    ),
    Case(
        "DevbayDeviceFlapping", "three failures", UP | {FAILURES: "0x5 1x5 2x5 3x60"}, {16: None, 19: DEVICE, 60: None}
    ),
    Case("DevbayDeviceFlapping", "two failures", UP | {FAILURES: "0x5 1x5 2x60"}, {16: None, 30: None}),
    Case("DevbayDeviceFlapping", "the host restarts", UP | {FAILURES: "0x5 5x60 0x10"}, {70: None}),
)
