"""A kubelet whose API server does not answer yet: its sources of pods are not ready."""

from devbay.simulator import Allocated, Container, Freed, Kubelet, Pod
from tests.simulator.conftest import pod, up
from tests.simulator.plugin import RESOURCE, Plugin


async def test_46_nothing_is_freed_until_the_sources_are_ready(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 46: the pods that a kubelet does not know yet may still be there, so it frees nothing before."""
    await up(kubelet, plugin)
    await kubelet.create_pod(pod("gone", count=2))
    await kubelet.delete_pod("gone")
    await kubelet.restart(api_server=False)
    await plugin.stop()
    await up(kubelet, plugin)
    static = await kubelet.create_pod(pod("static"))

    assert static.reason == "UnexpectedAdmissionError"
    assert f"requested number of devices unavailable for {RESOURCE}. Requested: 1, Available: 0" in static.message
    assert kubelet.events_of(Freed) == []
    await kubelet.connect_api_server()
    assert (await kubelet.create_pod(pod("later"))).phase == "Running"
    assert [event.ids for event in kubelet.events_of(Freed)] == [("a", "b")]


async def test_46_pods_are_admitted_when_the_api_server_answers(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviours 46 and 47: after a reboot in which the plugin is quicker than the API server, its pods come up."""
    await up(kubelet, plugin)
    await kubelet.create_pod(pod("p"))
    await kubelet.reboot(api_server=False)
    await plugin.stop()
    await up(kubelet, plugin)
    before = kubelet.pods["p"].phase
    await kubelet.connect_api_server()
    await kubelet.wait_until(lambda: kubelet.pods["p"].phase == "Running", what="the pod to run again")

    assert before == "Pending"
    assert len(kubelet.events_of(Allocated)) == 1


async def test_46_static_pods_are_not_admitted_twice(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 46: a static pod that runs already when the API server answers is left alone."""
    await kubelet.restart(api_server=False)
    await up(kubelet, plugin)
    static = await kubelet.create_pod(pod("static"))
    await kubelet.connect_api_server()

    assert static.phase == "Running"
    assert kubelet.pods == {"static": static}
    assert len(kubelet.events_of(Allocated)) == 1
    assert kubelet.metrics.topology_manager_admission_requests_total == 1


async def test_46_running_containers_are_left_alone_meanwhile(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviours 34 and 46: at the API server's answer a container that runs keeps its devices, healthy or not."""
    await up(kubelet, plugin)
    await kubelet.create_pod(pod("p", count=2))
    await kubelet.restart(api_server=False)
    await plugin.stop()
    plugin.devices = []
    await up(kubelet, plugin)
    await kubelet.connect_api_server()

    assert kubelet.pods["p"].phase == "Running"
    assert kubelet.pods["p"].container("c").devices == {RESOURCE: ("a", "b")}
    assert (await kubelet.create_pod(Pod(name="plain", containers=(Container(name="c"),)))).phase == "Running"
