"""A pod that fails admission: its status, its event, its count (behaviour 42)."""

from collections.abc import Sequence

import pytest

from devbay._proto import deviceplugin_v1beta1_pb2 as pb
from devbay.simulator import AllocationFailed, ContainerStarted, Kubelet, PodAdmitted, PodRejected
from tests.simulator.conftest import pod, up
from tests.simulator.plugin import RESOURCE, Plugin


async def refuse(_ids: Sequence[str]) -> pb.AllocateResponse:
    """Fail with what gRPC calls an invalid argument."""
    raise ValueError("the widget is cold")


async def test_42_a_failed_allocation_rejects_the_pod_for_good(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 42: the pod is Failed with the kubelet's reason, its prefix, and the error as Go prints it."""
    plugin.on_allocate = refuse
    await up(kubelet, plugin)

    status = await kubelet.create_pod(pod("p"))

    error = "rpc error: code = InvalidArgument desc = the widget is cold"
    message = f"Pod was rejected: Allocate failed due to {error}, which is unexpected"
    assert (status.phase, status.reason, status.message) == ("Failed", "UnexpectedAdmissionError", message)
    assert [container.state for container in status.containers] == ["Waiting"]
    assert [failure.reason for failure in kubelet.events_of(AllocationFailed)] == [error]
    (rejected,) = kubelet.events_of(PodRejected)
    assert (rejected.pod, rejected.reason, rejected.message) == ("p", "UnexpectedAdmissionError", message)
    assert kubelet.events_of(PodAdmitted) == []
    assert kubelet.metrics.admission_rejections_total == {"UnexpectedAdmissionError": 1}


async def test_42_a_rejected_pod_is_not_tried_again(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 42: what is Failed stays so, over a restart and a plugin that would answer now; a new pod is served."""
    plugin.on_allocate = refuse
    await up(kubelet, plugin)
    rejected = await kubelet.create_pod(pod("p"))
    await kubelet.restart()
    await plugin.stop()
    again = Plugin(plugin.directory, "a")
    async with again:
        await up(kubelet, again)

        status = await kubelet.create_pod(pod("q"))

        assert kubelet.pods["p"] == rejected
        assert status.phase == "Running"
        assert [started.pod for started in kubelet.events_of(ContainerStarted)] == ["q"]
        assert len(again.asked("Allocate")) == 1


@pytest.mark.parametrize(
    ("count", "error"),
    [
        (3, f"requested number of devices unavailable for {RESOURCE}. Requested: 3, Available: 2"),
        (1, f"no healthy devices present; cannot allocate unhealthy devices {RESOURCE}"),
    ],
    ids=["too-few", "plugin-gone"],
)
async def test_42_the_kubelet_s_own_errors_reject_alike(
    kubelet: Kubelet, plugin: Plugin, count: int, error: str
) -> None:
    """Behaviour 42: an error of the kubelet's own choice of devices has the same prefix, and asks no plugin."""
    await up(kubelet, plugin)
    if count == 1:
        await plugin.stop()
        await kubelet.wait_until(lambda: kubelet.allocatable[RESOURCE] == 0, what="the stream's end")

    status = await kubelet.create_pod(pod("p", count=count))

    assert status.reason == "UnexpectedAdmissionError"
    assert status.message == f"Pod was rejected: Allocate failed due to {error}, which is unexpected"
    assert plugin.asked("Allocate") == []
