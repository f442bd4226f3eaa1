"""The pod-resources API: its socket, its rate limit, and what List, Get and GetAllocatableResources say."""

import asyncio
import contextlib
import socket
import stat
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import grpc
import pytest

from devbay._proto import deviceplugin_v1beta1_pb2 as pb
from devbay.errors import KubeletDirectoryError
from devbay.simulator import Container, Freed, Kubelet, Pod, StreamEnded
from devbay.simulator.limiter import Limiter
from devbay.simulator.podresources import BURST
from tests.simulator.asking import Asking
from tests.simulator.conftest import QUICK, ManualClock, listed, pod, up
from tests.simulator.plugin import RESOURCE, Plugin, device


@pytest.fixture
def path(directory: Path) -> Path:
    """Return where the API is served: in a directory that is not there yet."""
    return directory / "pod-resources" / "kubelet.sock"


@pytest.fixture
async def kubelet(directory: Path, path: Path, clock: ManualClock) -> AsyncIterator[Kubelet]:
    """Run a kubelet that serves the API, and whose clock a test moves."""
    kubelet = Kubelet(directory, timing=QUICK, clock=clock, rate_clock=clock, pod_resources_socket=path)
    async with kubelet as running:
        yield running


@pytest.fixture
async def asking(kubelet: Kubelet, path: Path) -> AsyncIterator[Asking]:
    """Return a client of the API."""
    assert kubelet.pod_resources_socket == path
    async with Asking(path) as client:
        yield client


def entries(devices: Iterable[Any]) -> list[tuple[str, list[str], list[int] | None]]:
    """Return (resource, ids, NUMA nodes or None without topology) of each entry, sorted."""
    return sorted(
        (
            entry.resource_name,
            list(entry.device_ids),
            [node.ID for node in entry.topology.nodes] if entry.HasField("topology") else None,
        )
        for entry in devices
    )


async def test_50_the_socket_is_renamed_into_place(kubelet: Kubelet, path: Path) -> None:
    """Behaviour 50: a directory of mode 0750 with one socket in it, and no trace of the name it was bound under."""
    assert kubelet.running
    assert stat.S_IMODE(path.parent.stat().st_mode) & ~0o750 == 0
    assert [entry.name for entry in path.parent.iterdir()] == ["kubelet.sock"]
    assert path.is_socket()


async def test_50_an_old_socket_is_replaced(kubelet: Kubelet, path: Path) -> None:
    """Behaviour 50: a stopped kubelet leaves a socket that refuses; a restart puts a new one in its place."""
    await kubelet.stop()
    with socket.socket(socket.AF_UNIX) as client, pytest.raises(ConnectionRefusedError):
        client.connect(str(path))
    await kubelet.start()

    assert [entry.name for entry in path.parent.iterdir()] == ["kubelet.sock"]
    async with Asking(path) as client:
        assert list((await client.list()).pod_resources) == []


async def test_50_the_end_of_a_simulation_removes_the_socket(directory: Path, path: Path) -> None:
    """A simulation that ends takes its socket with it, and leaves one that is not its own."""
    async with Kubelet(directory, pod_resources_socket=path):
        pass
    assert not path.exists()
    async with Kubelet(directory, pod_resources_socket=path):
        path.unlink()
        path.write_text("another's")
    assert path.read_text() == "another's"


async def test_50_a_place_that_cannot_be_is_an_error(directory: Path) -> None:
    """A socket under a file cannot be; the kubelet does not start, and leaves nothing that answers."""
    (directory / "file").write_text("")
    kubelet = Kubelet(directory, pod_resources_socket=directory / "file" / "kubelet.sock")
    with pytest.raises(KubeletDirectoryError):
        await kubelet.start()

    assert not kubelet.running
    with socket.socket(socket.AF_UNIX) as client, pytest.raises(ConnectionRefusedError):
        client.connect(str(kubelet.socket))


async def test_50_ten_calls_at_once_then_a_hundred_a_second(
    kubelet: Kubelet, asking: Asking, clock: ManualClock
) -> None:
    """Behaviour 50: the eleventh call at one time is refused, whatever its method; 10 ms later there is one more."""
    for _ in range(5):
        await asking.list()
        await asking.list_alpha()
    for call in (asking.list, asking.allocatable, asking.list_alpha):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call()
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert caught.value.details() == "rejected by rate limit"
    clock.now += 0.0101
    await asking.allocatable()
    with pytest.raises(grpc.aio.AioRpcError):
        await asking.list()

    assert sum(kubelet.metrics.pod_resources_endpoint_requests_total.values()) == 11


async def test_50_a_clock_that_stands_still_refuses_nobody(directory: Path, path: Path, clock: ManualClock) -> None:
    """Where a test's clock stands, who asks on is answered on, as by a kubelet: the limit has a clock of its own."""
    async with Kubelet(directory, clock=clock, pod_resources_socket=path) as kubelet, Asking(path) as asking:
        answers = kubelet.metrics.pod_resources_endpoint_requests_list
        async with asyncio.timeout(20):
            while answers["v1"] <= BURST:
                with contextlib.suppress(grpc.aio.AioRpcError):  # it may be asked faster than a kubelet answers
                    await asking.list()

        assert kubelet.clock() == clock.now


def test_50_the_bucket_holds_no_more_than_its_burst() -> None:
    """Behaviour 50: after a long rest there are ten calls again, not more."""
    limiter = Limiter(100, 10)
    first = sum(limiter.allow(0.0) for _ in range(20))
    later = sum(limiter.allow(1000.0) for _ in range(20))

    assert (first, later) == (10, 10)


async def test_51_list_names_all_pods_and_one_id_an_entry(kubelet: Kubelet, plugin: Plugin, asking: Asking) -> None:
    """Behaviour 51: pods without devices too; each entry has one id; without topology there is none in the entry."""
    await up(kubelet, plugin)
    await kubelet.create_pod(pod("p", count=2))
    await kubelet.create_pod(Pod(name="plain", namespace="other", containers=(Container(name="c"),)))
    answer = await asking.list()

    assert [(found.namespace, found.name) for found in answer.pod_resources] == [("default", "p"), ("other", "plain")]
    container = answer.pod_resources[0].containers[0]
    assert container.name == "c"
    assert entries(container.devices) == [(RESOURCE, ["a"], None), (RESOURCE, ["b"], None)]
    assert (list(container.cpu_ids), list(container.memory), list(container.dynamic_resources)) == ([], [], [])


async def test_51_a_device_on_two_nodes_comes_twice(kubelet: Kubelet, plugin: Plugin, asking: Asking) -> None:
    """Behaviour 51: one entry for each NUMA node of a device, in List and in GetAllocatableResources."""
    plugin.devices = [device("a", "Healthy", 0, 1), device("b", "Healthy", 1)]
    await up(kubelet, plugin)
    await kubelet.create_pod(pod("p", count=2))
    expected = [(RESOURCE, ["a"], [0]), (RESOURCE, ["a"], [1]), (RESOURCE, ["b"], [1])]

    assert entries((await asking.list()).pod_resources[0].containers[0].devices) == expected
    assert entries((await asking.allocatable()).devices) == expected


async def test_51_list_leaves_out_init_containers_that_end(kubelet: Kubelet, plugin: Plugin, asking: Asking) -> None:
    """Behaviour 51: sidecars come before the containers, ordinary init containers not at all."""
    await up(kubelet, plugin)
    one = {RESOURCE: 1}
    await kubelet.create_pod(
        Pod(
            name="p",
            init_containers=(Container(name="i", limits=one), Container(name="s", limits=one, restartable=True)),
            containers=(Container(name="c", limits=one),),
        )
    )

    found = (await asking.get("p")).pod_resources
    assert [container.name for container in found.containers] == ["s", "c"]
    assert found == (await asking.list()).pod_resources[0]


async def test_51_list_knows_what_was_recorded(kubelet: Kubelet, plugin: Plugin, asking: Asking) -> None:
    """Behaviour 51: a held device that is no longer listed stays in List; it is in GetAllocatableResources no more."""
    await up(kubelet, plugin)
    await kubelet.create_pod(pod("p", count=2))
    plugin.send("b")
    await listed(kubelet, 1)

    assert entries((await asking.list()).pod_resources[0].containers[0].devices) == [
        (RESOURCE, ["a"], None),
        (RESOURCE, ["b"], None),
    ]
    assert entries((await asking.allocatable()).devices) == [(RESOURCE, ["b"], None)]


async def test_46_list_frees_and_get_does_not(kubelet: Kubelet, plugin: Plugin, asking: Asking) -> None:
    """Behaviour 46: the devices of a pod that is gone are freed by List, not by the two other calls."""
    await up(kubelet, plugin)
    await kubelet.create_pod(pod("gone", count=2))
    await kubelet.create_pod(Pod(name="plain", containers=(Container(name="c"),)))
    await kubelet.delete_pod("gone")
    await asking.get("plain")
    await asking.allocatable()
    before = kubelet.events_of(Freed)
    await asking.list()

    assert before == []
    assert [event.ids for event in kubelet.events_of(Freed)] == [("a", "b")]


async def test_46_list_of_v1alpha1_frees_too(kubelet: Kubelet, plugin: Plugin, asking: Asking) -> None:
    """Behaviour 46: so does the List of the older version; the pod last in admission is kept, though it is gone."""
    await up(kubelet, plugin)
    await kubelet.create_pod(pod("gone", count=2))
    await kubelet.delete_pod("gone")
    await asking.list_alpha()
    before = kubelet.events_of(Freed)
    await kubelet.create_pod(Pod(name="plain", containers=(Container(name="c"),)))
    await asking.list_alpha()

    assert before == []
    assert [event.ids for event in kubelet.events_of(Freed)] == [("a", "b")]


async def test_51_pods_that_failed_are_absent(kubelet: Kubelet, plugin: Plugin, asking: Asking) -> None:
    """Behaviour 51: List leaves a rejected pod out, and Get says it is not found; v1alpha1 lists all pods."""
    await up(kubelet, plugin)
    await kubelet.create_pod(pod("p", count=3))

    assert list((await asking.list()).pod_resources) == []
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await asking.get("p")
    assert caught.value.code() is grpc.StatusCode.UNKNOWN
    assert caught.value.details() == "pod p in namespace default not found"
    assert [found.name for found in (await asking.list_alpha()).pod_resources] == ["p"]


async def test_51_a_restarted_kubelet_knows_no_pods_at_first(kubelet: Kubelet, plugin: Plugin, path: Path) -> None:
    """Behaviours 46 and 51: until the API server answers, List has the pods that came since, and then all."""
    await up(kubelet, plugin)
    await kubelet.create_pod(pod("p"))
    await kubelet.restart(api_server=False)
    await plugin.stop()
    await up(kubelet, plugin)
    await kubelet.create_pod(pod("static"))
    async with Asking(path) as asking:
        before = [entry.name for entry in (await asking.list()).pod_resources]
        await kubelet.connect_api_server()
        after = [entry.name for entry in (await asking.list()).pod_resources]

    assert (before, after) == (["static"], ["p", "static"])


async def test_51_get_is_by_name_and_namespace(kubelet: Kubelet, asking: Asking) -> None:
    """Behaviour 51: the same name in another namespace is another pod."""
    await kubelet.create_pod(Pod(name="p", namespace="one", containers=(Container(name="c"),)))

    assert (await asking.get("p", "one")).pod_resources.namespace == "one"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await asking.get("p", "two")
    assert caught.value.details() == "pod p in namespace two not found"


async def test_51_allocatable_is_what_is_healthy(kubelet: Kubelet, plugin: Plugin, asking: Asking) -> None:
    """Behaviour 51: healthy devices, in use or not; none after a disconnect."""
    await up(kubelet, plugin)
    await kubelet.create_pod(pod("p"))
    plugin.send("a", "b", device("c", "Unhealthy"))
    await kubelet.wait_until(lambda: kubelet.capacity == {RESOURCE: 3})
    assert entries((await asking.allocatable()).devices) == [(RESOURCE, ["a"], None), (RESOURCE, ["b"], None)]
    await plugin.stop()
    await kubelet.wait_until(lambda: kubelet.events_of(StreamEnded) != [])

    assert entries((await asking.allocatable()).devices) == []


async def test_51_a_topology_without_nodes_hides_a_device(kubelet: Kubelet, plugin: Plugin, asking: Asking) -> None:
    """Behaviour 51: set but empty, a topology hides its device from GetAllocatableResources, not from List."""
    plugin.devices = [pb.Device(ID="a", health="Healthy", topology=pb.TopologyInfo()), device("b")]
    await up(kubelet, plugin)
    await kubelet.create_pod(pod("p", count=2))

    assert entries((await asking.allocatable()).devices) == [(RESOURCE, ["b"], None)]
    assert entries((await asking.list()).pod_resources[0].containers[0].devices) == [
        (RESOURCE, ["a"], None),
        (RESOURCE, ["b"], None),
    ]


async def test_51_v1alpha1_has_no_topology(kubelet: Kubelet, plugin: Plugin, asking: Asking) -> None:
    """Behaviour 51: the older version has containers with resource names and ids, and neither sidecars nor nodes."""
    plugin.devices = [device("a", "Healthy", 0, 1)]
    await up(kubelet, plugin)
    sidecar = Container(name="s", restartable=True)
    await kubelet.create_pod(
        Pod(name="p", init_containers=(sidecar,), containers=(Container(name="c", limits={RESOURCE: 1}),))
    )
    (found,) = (await asking.list_alpha()).pod_resources

    assert [container.name for container in found.containers] == ["c"]
    assert [(held.resource_name, list(held.device_ids)) for held in found.containers[0].devices] == [
        (RESOURCE, ["a"]),
        (RESOURCE, ["a"]),
    ]


async def test_51_before_1_34_get_is_off_and_list_has_all_pods(directory: Path, path: Path, plugin: Plugin) -> None:
    """Behaviour 51: in 1.32 Get answers that it is disabled, and List also has pods that failed."""
    async with Kubelet(directory, version="1.32", pod_resources_socket=path) as kubelet, Asking(path) as asking:
        await up(kubelet, plugin)
        await kubelet.create_pod(pod("p", count=3))

        assert [found.name for found in (await asking.list()).pod_resources] == ["p"]
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await asking.get("p")
        assert caught.value.code() is grpc.StatusCode.UNKNOWN
        assert caught.value.details() == "PodResources API Get method disabled"


async def test_51_the_order_is_random_by_seed(directory: Path, path: Path) -> None:
    """Behaviour 51: entries come in random order, which the seed decides, so that clients do not lean on one."""
    orders = []
    for seed in (0, 0, 1):
        async with (
            Plugin(directory, *"abcdefgh") as plugin,
            Kubelet(directory, seed=seed, pod_resources_socket=path) as kubelet,
            Asking(path) as asking,
        ):
            await plugin.stop()
            await up(kubelet, plugin)
            orders.append([entry.device_ids[0] for entry in (await asking.allocatable()).devices])

    assert orders[0] == orders[1] != orders[2]
