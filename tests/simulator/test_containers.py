"""The start of containers: PreStartContainer each time, the stored answer each time, failures tried again."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from devbay._proto import deviceplugin_v1beta1_pb2 as pb
from devbay.errors import KubeletUnavailable
from devbay.model import DeviceNode, Mount
from devbay.simulator import Container, ContainerFailed, ContainerStarted, Kubelet, Pod, PreStart
from tests.simulator.cdifiles import NAME, device, write
from tests.simulator.conftest import listed, pod, up
from tests.simulator.plugin import RESOURCE, Plugin, response


async def test_a_container_gets_everything_the_plugin_answered(directory: Path, plugin: Plugin, tmp_path: Path) -> None:
    """Environment, device nodes, mounts, annotations and CDI names arrive as they were given, unchecked."""
    write(tmp_path / "w.json", device("a", additionalGids=[5]))

    async def allocate(_ids: Sequence[str]) -> pb.AllocateResponse:
        return response(
            envs={"A": "1"},
            devices=[pb.DeviceSpec(container_path="/dev/w", host_path="/dev/null", permissions="rwz")],
            mounts=[pb.Mount(container_path="/lib/w", host_path="/opt/w", read_only=True)],
            annotations={"k": "v"},
            cdi_devices=[pb.CDIDevice(name=NAME)],
        )

    plugin.on_allocate = allocate
    async with Kubelet(directory, cdi_dirs=[tmp_path]) as kubelet:
        await up(kubelet, plugin)
        status = (await kubelet.create_pod(pod("p"))).container("c")

    assert (status.state, dict(status.env), dict(status.annotations)) == ("Running", {"A": "1"}, {"k": "v"})
    assert status.device_nodes == (DeviceNode(path="/dev/w", host_path="/dev/null", permissions="rwz"),)
    assert status.mounts == (Mount(container_path="/lib/w", host_path="/opt/w", read_only=True),)
    assert status.cdi_names == (NAME,)


async def test_45_prestart_is_called_only_if_the_options_say_so(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 45: a plugin that did not ask for PreStartContainer is not called."""
    await up(kubelet, plugin)
    await kubelet.create_pod(pod("p"))

    assert plugin.asked("PreStartContainer") == []


async def test_45_prestart_comes_after_allocate_and_before_the_start(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 45: a container is created only when PreStartContainer has answered, with the ids it was given."""
    plugin.options.pre_start_required = True
    await up(kubelet, plugin)
    status = await kubelet.create_pod(pod("p", count=2))

    assert [name for name, _ in plugin.calls][-2:] == ["Allocate", "PreStartContainer"]
    assert sorted(plugin.asked("PreStartContainer")[0]) == ["a", "b"]
    assert status.container("c").state == "Running"


async def test_45_a_restarted_container_has_its_prestart_and_its_old_answer(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 45: at a restart nothing is allocated; PreStartContainer is called again."""
    plugin.options.pre_start_required = True
    await up(kubelet, plugin)
    before = (await kubelet.create_pod(pod("p"))).container("c")
    after = (await kubelet.restart_container("p", "c")).container("c")

    assert (len(plugin.asked("Allocate")), len(plugin.asked("PreStartContainer"))) == (1, 2)
    assert (after.restart_count, after.devices, after.env) == (1, before.devices, before.env)


async def test_45_a_failed_prestart_is_tried_again(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 45: the container waits with CreateContainerConfigError; the pod is not rejected, and starts later."""
    plugin.options.pre_start_required = True
    plugin.on_pre_start = breaking(2)
    await up(kubelet, plugin)
    status = await kubelet.create_pod(pod("p"))

    assert (status.phase, status.container("c").reason) == ("Pending", "CreateContainerConfigError")
    assert status.container("c").message == (
        "device plugin PreStartContainer rpc failed with err: rpc error: code = Internal desc = not yet"
    )
    await kubelet.wait_until(lambda: kubelet.pods["p"].phase == "Running")
    assert len(kubelet.events_of(ContainerFailed)) == 2
    assert (kubelet.pods["p"].container("c").reason, len(plugin.asked("Allocate"))) == ("", 1)


async def test_45_prestart_has_a_deadline(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 45: after its time (30 s in a kubelet) the call has failed."""
    release = asyncio.Event()

    async def hang(_ids: Sequence[str]) -> None:
        await release.wait()

    plugin.options.pre_start_required = True
    plugin.on_pre_start = hang
    await up(kubelet, plugin)
    status = await kubelet.create_pod(pod("p"))
    release.set()

    assert "code = DeadlineExceeded" in status.container("c").message
    await kubelet.wait_until(lambda: kubelet.pods["p"].phase == "Running")


async def test_45_init_containers_end_before_the_next_is_started(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 45: containers start in order; an init container that cannot start holds up the rest."""
    plugin.options.pre_start_required = True
    plugin.on_pre_start = breaking(1)
    await up(kubelet, plugin)
    init = (Container(name="i", limits={RESOURCE: 1}), Container(name="j"))
    status = await kubelet.create_pod(Pod(name="p", init_containers=init, containers=(Container(name="c"),)))

    assert {s.state for s in status.init_containers + status.containers} == {"Waiting"}
    await kubelet.wait_until(lambda: kubelet.pods["p"].phase == "Running")
    assert [event.container for event in kubelet.events_of(ContainerStarted)] == ["i", "j", "c"]
    assert [status.state for status in kubelet.pods["p"].init_containers] == ["Terminated", "Terminated"]


async def test_45_prestart_of_a_lost_plugin_fails_as_stopped(kubelet: Kubelet, plugin: Plugin) -> None:
    """A container that restarts while its plugin is away gets the kubelet's words, and starts when it is back."""
    plugin.options.pre_start_required = True
    await up(kubelet, plugin)
    await kubelet.create_pod(pod("p"))
    await plugin.stop()
    await listed(kubelet, 0)
    status = await kubelet.restart_container("p", "c")

    assert status.container("c").message.startswith("device plugin PreStartContainer rpc failed with err: endpoint ")
    assert status.container("c").message.endswith(" has been stopped")
    await up(kubelet, plugin)
    await kubelet.wait_until(lambda: kubelet.pods["p"].phase == "Running")
    assert [event.reason == "" for event in kubelet.events_of(PreStart)][-1]


async def test_a_deleted_pods_container_is_not_tried_again(kubelet: Kubelet, plugin: Plugin) -> None:
    """Deleting a pod whose container cannot start ends the attempts."""
    plugin.options.pre_start_required = True
    plugin.on_pre_start = breaking(1_000_000)
    await up(kubelet, plugin)
    await kubelet.create_pod(pod("p"))
    await kubelet.wait_until(lambda: len(kubelet.events_of(ContainerFailed)) > 2)
    await kubelet.delete_pod("p")

    assert kubelet.pods == {}


async def test_pods_are_told_apart_by_namespace(kubelet: Kubelet) -> None:
    """Two pods of one name live in two namespaces; a second in one is an error, and so is an unknown one."""
    for namespace in ("default", "other"):
        await kubelet.create_pod(Pod(name="p", namespace=namespace))
    with pytest.raises(ValueError, match="there is a pod p in namespace default already"):
        await kubelet.create_pod(Pod(name="p"))
    with pytest.raises(KeyError, match="there is no pod q in namespace default"):
        await kubelet.delete_pod("q")
    with pytest.raises(KeyError, match="pod p has no container c"):
        await kubelet.restart_container("p", "c")

    assert list(kubelet.pods) == ["p", "other/p"]


async def test_a_kubelet_that_stops_says_so_to_whoever_waits(kubelet: Kubelet, plugin: Plugin) -> None:
    """A pod in admission when the kubelet dies stays bound and pending; without a kubelet no pod can be created."""
    stuck = asyncio.Event()

    async def hang(_ids: Sequence[str]) -> pb.AllocateResponse:
        await stuck.wait()
        return response()

    plugin.on_allocate = hang
    await up(kubelet, plugin)
    creating = asyncio.create_task(kubelet.create_pod(pod("p")))
    await kubelet.wait_until(lambda: plugin.asked("Allocate") != [])
    await kubelet.stop()

    with pytest.raises(KubeletUnavailable):
        await creating
    with pytest.raises(KubeletUnavailable):
        await kubelet.create_pod(pod("q"))
    assert [status.phase for status in kubelet.pods.values()] == ["Pending"]


def breaking(times: int) -> Any:
    """Return a PreStartContainer that fails so many times, then succeeds."""
    left = iter(range(times))

    async def pre_start(_ids: Sequence[str]) -> None:
        if next(left, None) is not None:
            raise ValueError("not yet")

    return pre_start
