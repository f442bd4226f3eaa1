"""Behaviour 54: the kubelet's metrics by their names and labels, as values and as Prometheus reads them."""

from pathlib import Path

import grpc
import pytest

from devbay.simulator import Container, Kubelet, Pod
from devbay.simulator.exposition import text
from devbay.simulator.metrics import Metrics
from tests.simulator.asking import Asking
from tests.simulator.conftest import QUICK, ManualClock, pod, up
from tests.simulator.plugin import RESOURCE, Plugin, device


def samples(exposed: str) -> dict[str, str]:
    """Return the value of each sample by its name and labels."""
    return dict(line.rsplit(" ", 1) for line in exposed.splitlines() if not line.startswith("#"))


def counters(exposed: str) -> dict[str, str]:
    """Return the samples that are not parts of a histogram."""
    histograms = ("kubelet_device_plugin_alloc_duration_seconds", "kubelet_topology_manager_admission_duration_ms")
    return {name: value for name, value in samples(exposed).items() if not name.startswith(histograms)}


def test_54_at_first_there_is_only_what_has_no_labels() -> None:
    """Behaviour 54: metrics with labels are absent until they have a value; those without are there, at nought."""
    exposed = text(Metrics())

    assert exposed.startswith(
        "# HELP kubelet_topology_manager_admission_duration_ms [ALPHA] Duration in milliseconds to serve a pod "
        "admission request.\n# TYPE kubelet_topology_manager_admission_duration_ms histogram\n"
    )
    assert exposed.endswith("\n")
    assert counters(exposed) == {
        "kubelet_topology_manager_admission_requests_total": "0",
        "kubelet_topology_manager_admission_errors_total": "0",
    }


def test_54_names_labels_and_types_are_the_kubelets() -> None:
    """Behaviour 54: all metrics at once, each with its type and labels, in the order in which a scrape finds them."""
    metrics = Metrics()
    metrics.device_plugin_registration_total[RESOURCE] += 2
    metrics.device_plugin_alloc_duration_seconds[RESOURCE].append(1)
    metrics.pod_resources("v1", "list")
    metrics.pod_resources("v1", "get")
    metrics.pod_resources("v1", "get_allocatable")
    metrics.pod_resources("v1alpha1")
    metrics.pod_resources_error("v1")
    metrics.pod_resources_endpoint_errors_list["v1"] += 0
    metrics.pod_resources_endpoint_errors_get_allocatable["v1"] += 0
    metrics.rejected("UnexpectedAdmissionError")
    metrics.container_aligned_compute_resources_count["container", "numa_node"] += 1
    metrics.container_aligned_compute_resources_failure_count["pod", "numa_node"] += 1
    exposed = text(metrics)

    assert [tuple(line.split()[2:]) for line in exposed.splitlines() if line.startswith("# TYPE")] == [
        ("kubelet_admission_rejections_total", "counter"),
        ("kubelet_container_aligned_compute_resources_count", "counter"),
        ("kubelet_container_aligned_compute_resources_failure_count", "counter"),
        ("kubelet_device_plugin_alloc_duration_seconds", "histogram"),
        ("kubelet_device_plugin_registration_total", "counter"),
        ("kubelet_pod_resources_endpoint_errors_get", "counter"),
        ("kubelet_pod_resources_endpoint_errors_get_allocatable", "counter"),
        ("kubelet_pod_resources_endpoint_errors_list", "counter"),
        ("kubelet_pod_resources_endpoint_requests_get", "counter"),
        ("kubelet_pod_resources_endpoint_requests_get_allocatable", "counter"),
        ("kubelet_pod_resources_endpoint_requests_list", "counter"),
        ("kubelet_pod_resources_endpoint_requests_total", "counter"),
        ("kubelet_topology_manager_admission_duration_ms", "histogram"),
        ("kubelet_topology_manager_admission_errors_total", "counter"),
        ("kubelet_topology_manager_admission_requests_total", "counter"),
    ]
    assert counters(exposed) == {
        'kubelet_admission_rejections_total{reason="UnexpectedAdmissionError"}': "1",
        'kubelet_container_aligned_compute_resources_count{boundary="numa_node",scope="container"}': "1",
        'kubelet_container_aligned_compute_resources_failure_count{boundary="numa_node",scope="pod"}': "1",
        f'kubelet_device_plugin_registration_total{{resource_name="{RESOURCE}"}}': "2",
        'kubelet_pod_resources_endpoint_errors_get{server_api_version="v1"}': "1",
        'kubelet_pod_resources_endpoint_errors_get_allocatable{server_api_version="v1"}': "0",
        'kubelet_pod_resources_endpoint_errors_list{server_api_version="v1"}': "0",
        'kubelet_pod_resources_endpoint_requests_get{server_api_version="v1"}': "1",
        'kubelet_pod_resources_endpoint_requests_get_allocatable{server_api_version="v1"}': "1",
        'kubelet_pod_resources_endpoint_requests_list{server_api_version="v1"}': "1",
        'kubelet_pod_resources_endpoint_requests_total{server_api_version="v1"}': "3",
        'kubelet_pod_resources_endpoint_requests_total{server_api_version="v1alpha1"}': "1",
        "kubelet_topology_manager_admission_errors_total": "0",
        "kubelet_topology_manager_admission_requests_total": "0",
    }


def test_54_histograms_have_the_kubelets_buckets() -> None:
    """Behaviour 54: a bucket counts what is no more than its bound, and each holds those before it."""
    metrics = Metrics()
    metrics.device_plugin_alloc_duration_seconds["r"].extend([0.005, 0.3, 11])
    metrics.topology_manager_admission_duration_ms.extend([0, 1, 1000])
    found = samples(text(metrics))
    seconds = "kubelet_device_plugin_alloc_duration_seconds"
    milliseconds = "kubelet_topology_manager_admission_duration_ms"
    bounds = ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"]

    assert [found[f'{seconds}_bucket{{le="{le}",resource_name="r"}}'] for le in bounds] == list("111111222223")
    assert found[f'{seconds}_sum{{resource_name="r"}}'] == "11.305"
    assert found[f'{seconds}_count{{resource_name="r"}}'] == "3"
    bounds = [
        "0.05",
        "0.1",
        "0.2",
        "0.4",
        "0.8",
        "1.6",
        "3.2",
        "6.4",
        "12.8",
        "25.6",
        "51.2",
        "102.4",
        "204.8",
        "409.6",
        "819.2",
        "+Inf",
    ]
    assert [found[f'{milliseconds}_bucket{{le="{le}"}}'] for le in bounds] == list("1111122222222223")
    assert (found[f"{milliseconds}_sum"], found[f"{milliseconds}_count"]) == ("1001", "3")


def test_54_a_label_is_escaped() -> None:
    """Behaviour 54: a plugin may register any name, and it is counted before it is looked at."""
    metrics = Metrics()
    metrics.device_plugin_registration_total['a"b\\c\nd'] += 1

    assert 'kubelet_device_plugin_registration_total{resource_name="a\\"b\\\\c\\nd"} 1\n' in text(metrics)


@pytest.mark.parametrize(
    ("reason", "label"),
    [
        ("UnexpectedAdmissionError", "UnexpectedAdmissionError"),
        ("TopologyAffinityError", "TopologyAffinityError"),
        (f"OutOf{RESOURCE}", "OutOfExtendedResources"),
        ("SomethingElse", "Other"),
    ],
)
def test_54_rejections_are_counted_by_a_list_of_reasons(reason: str, label: str) -> None:
    """Behaviour 54: resource names do not become labels."""
    metrics = Metrics()
    metrics.rejected(reason)

    assert metrics.admission_rejections_total == {label: 1}


async def test_54_a_day_is_counted(directory: Path, clock: ManualClock, plugin: Plugin) -> None:
    """Behaviour 54: registrations, allocations, admissions, rejections and questions, each under its name."""
    path = directory / "pod-resources" / "kubelet.sock"
    plugin.devices = [device("a", "Healthy", 0), device("b", "Healthy", 1)]
    async with (
        Kubelet(
            directory,
            clock=clock,
            timing=QUICK,
            pod_resources_socket=path,
            topology_policy="single-numa-node",
        ) as kubelet,
        Asking(path) as asking,
    ):
        await up(kubelet, plugin)
        await kubelet.create_pod(pod("one"))
        await kubelet.create_pod(pod("two", count=2))
        await asking.list()
        with pytest.raises(grpc.aio.AioRpcError):
            await asking.get("nobody")
        exposed = kubelet.metrics_text

    assert counters(exposed) == {
        'kubelet_admission_rejections_total{reason="TopologyAffinityError"}': "1",
        'kubelet_container_aligned_compute_resources_count{boundary="numa_node",scope="container"}': "1",
        'kubelet_container_aligned_compute_resources_count{boundary="numa_node",scope="pod"}': "0",
        'kubelet_container_aligned_compute_resources_failure_count{boundary="numa_node",scope="container"}': "1",
        'kubelet_container_aligned_compute_resources_failure_count{boundary="numa_node",scope="pod"}': "0",
        f'kubelet_device_plugin_registration_total{{resource_name="{RESOURCE}"}}': "1",
        'kubelet_pod_resources_endpoint_errors_get{server_api_version="v1"}': "1",
        'kubelet_pod_resources_endpoint_requests_get{server_api_version="v1"}': "1",
        'kubelet_pod_resources_endpoint_requests_list{server_api_version="v1"}': "1",
        'kubelet_pod_resources_endpoint_requests_total{server_api_version="v1"}': "2",
        "kubelet_topology_manager_admission_errors_total": "1",
        "kubelet_topology_manager_admission_requests_total": "2",
    }
    found = samples(exposed)
    assert found[f'kubelet_device_plugin_alloc_duration_seconds_count{{resource_name="{RESOURCE}"}}'] == "1"
    assert found["kubelet_topology_manager_admission_duration_ms_count"] == "2"


async def test_54_policy_none_counts_requests_and_no_errors(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 54: without a policy every pod is counted, a rejection is not, and nothing is aligned."""
    await up(kubelet, plugin)
    await kubelet.create_pod(Pod(name="plain", containers=(Container(name="c"),)))
    await kubelet.create_pod(pod("big", count=3))

    assert counters(kubelet.metrics_text) == {
        'kubelet_admission_rejections_total{reason="UnexpectedAdmissionError"}': "1",
        f'kubelet_device_plugin_registration_total{{resource_name="{RESOURCE}"}}': "1",
        "kubelet_topology_manager_admission_errors_total": "0",
        "kubelet_topology_manager_admission_requests_total": "2",
    }


async def test_54_a_restart_starts_at_nought(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 54: the numbers are a process's; those of the last one can be read until the next starts."""
    await up(kubelet, plugin)
    await kubelet.stop()
    assert kubelet.metrics.device_plugin_registration_total == {RESOURCE: 1}
    await kubelet.start()

    assert kubelet.metrics.device_plugin_registration_total == {}
