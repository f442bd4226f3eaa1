"""ListAndWatch: what each message does, what the end of a stream does, and what the node's status says of it."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from devbay._proto import deviceplugin_v1beta1_pb2 as pb
from devbay.simulator import DevicesReceived, Finding, Kubelet, ResourceExpired, StreamEnded, StreamOpened
from tests.simulator.conftest import QUICK, ManualClock, listed, pod, up
from tests.simulator.plugin import RESOURCE, Plugin, device

GRACE = 300.0


@pytest.fixture
async def aging(directory: Path, clock: ManualClock, plugin: Plugin) -> AsyncIterator[Kubelet]:
    """Run a kubelet on a clock that tests move, with a plugin of two devices up."""
    async with Kubelet(directory, clock=clock, timing=QUICK) as kubelet:
        await up(kubelet, plugin)
        yield kubelet


async def ended(kubelet: Kubelet, count: int = 1) -> None:
    """Wait until so many streams have ended."""
    await kubelet.wait_until(lambda: len(kubelet.events_of(StreamEnded)) == count, what="the stream to end")


async def test_11_the_kubelet_never_reconnects(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 11: after the end of a stream nothing is called until the plugin registers again."""
    await up(kubelet, plugin)
    plugin.end_streams()
    await ended(kubelet)
    other = Plugin(plugin.directory, "x", resource="example.com/other")
    await up(kubelet, other)
    await other.stop()

    assert len(plugin.asked("ListAndWatch")) == 1
    assert not kubelet.resources[RESOURCE].streaming
    await plugin.register()
    await listed(kubelet, 2)


async def test_12_a_stream_that_returns_has_failed(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 12: a plugin that ends its stream in good order is as lost as one that dies."""
    await up(kubelet, plugin)
    plugin.end_streams()
    await ended(kubelet)

    assert (kubelet.capacity, kubelet.allocatable) == ({RESOURCE: 2}, {RESOURCE: 0})
    assert [event.reason for event in kubelet.events_of(StreamEnded)] == ["EOF"]


async def test_13_the_devices_of_a_lost_plugin_are_unhealthy(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 13: capacity stays, allocatable is 0, the endpoint is kept and stopped, the connection closed."""
    await up(kubelet, plugin)
    await plugin.stop()
    await ended(kubelet)
    status = await kubelet.create_pod(pod("p"))

    assert (kubelet.capacity, kubelet.allocatable) == ({RESOURCE: 2}, {RESOURCE: 0})
    assert kubelet.resources[RESOURCE].endpoint == plugin.endpoint
    assert "no healthy devices present" in status.message
    assert not kubelet.devices(RESOURCE)["a"].healthy


async def test_14_the_grace_ends_only_when_capacity_is_read(aging: Kubelet, plugin: Plugin, clock: ManualClock) -> None:
    """Behaviour 14: for five minutes capacity stays; the first reading after them makes it 0 and drops the endpoint."""
    await plugin.stop()
    await ended(aging)
    clock.now += GRACE
    within = aging.capacity
    clock.now += 0.001

    assert within == {RESOURCE: 2}
    assert RESOURCE in aging.resources
    assert (aging.capacity, aging.allocatable) == ({RESOURCE: 0}, {RESOURCE: 0})
    assert RESOURCE not in aging.resources
    assert [event.resource for event in aging.events_of(ResourceExpired)] == [RESOURCE]


async def test_14_a_plugin_that_returns_within_the_grace_loses_nothing(
    aging: Kubelet, plugin: Plugin, clock: ManualClock
) -> None:
    """Behaviours 14 and 25: re-registered but not yet listing, the old devices count as unhealthy."""
    await plugin.stop()
    await ended(aging)
    clock.now += GRACE - 1
    plugin.hold = True
    await plugin.serve()
    await plugin.register()
    clock.now += 2

    assert (aging.capacity, aging.allocatable) == ({RESOURCE: 2}, {RESOURCE: 0})
    plugin.hold = False
    plugin.send("a", "b")
    await listed(aging, 2)


async def test_17_a_deleted_socket_changes_nothing(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 17: the kubelet keeps its connection though the plugin's socket file is gone."""
    await up(kubelet, plugin)
    plugin.socket.unlink()
    plugin.send("a", "b", "c")

    await listed(kubelet, 3)


async def test_22_a_message_over_4_mib_ends_the_stream(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 22: a list too long to receive is the end of the stream."""
    await up(kubelet, plugin)
    plugin.send(*(f"{number:063}" for number in range(65_000)))
    await ended(kubelet)

    assert "code = ResourceExhausted" in kubelet.events_of(StreamEnded)[0].reason
    assert (kubelet.capacity, kubelet.allocatable) == ({RESOURCE: 2}, {RESOURCE: 0})


async def test_22_a_message_under_4_mib_is_received(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 22: some fifty thousand devices with long ids fit."""
    plugin.send(*(f"{number:063}" for number in range(50_000)))
    await up(kubelet, plugin)

    assert kubelet.capacity == {RESOURCE: 50_000}


async def test_23_each_message_replaces_the_list(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 23: what a message does not name is gone, what it names is there."""
    await up(kubelet, plugin)
    plugin.send("b", "c", "d")
    await listed(kubelet, 3)

    assert list(kubelet.devices(RESOURCE)) == ["b", "c", "d"]
    assert [event.healthy for event in kubelet.events_of(DevicesReceived)] == [("a", "b"), ("b", "c", "d")]


async def test_23_a_device_that_is_listed_twice_is_reported(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 23: nobody checks that ids are unique; one with two healths is counted twice, and we say so."""
    plugin.send("a", "a", device("a", "Unhealthy"))
    await plugin.serve()
    await plugin.register()
    await listed(kubelet, 1)

    assert kubelet.capacity == {RESOURCE: 2}
    assert "listed more than once: a" in kubelet.events_of(Finding)[0].message


@pytest.mark.parametrize("word", ["healthy", "HEALTHY", "Healthy ", "", "Unknown", "Unhealthy"])
async def test_24_only_one_word_is_healthy(kubelet: Kubelet, plugin: Plugin, word: str) -> None:
    """Behaviour 24: every word but Healthy, in exactly these letters, is unhealthy."""
    plugin.send("a", device("b", word))
    await up(kubelet, plugin)

    assert (kubelet.capacity, kubelet.allocatable) == ({RESOURCE: 2}, {RESOURCE: 1})
    assert kubelet.devices(RESOURCE)["b"].health == word
    assert not kubelet.devices(RESOURCE)["b"].healthy


async def test_25_devices_in_use_are_not_subtracted(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 25: allocatable counts healthy devices, whether or not a container holds them."""
    await up(kubelet, plugin)
    await kubelet.create_pod(pod("p"))

    assert kubelet.allocatable == {RESOURCE: 2}


async def test_25_an_empty_list_is_no_devices_and_still_registered(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 25: capacity and allocatable are 0, not absent, and the stream stays up."""
    await up(kubelet, plugin)
    plugin.send()
    await listed(kubelet, 0)

    assert (kubelet.capacity, kubelet.allocatable) == ({RESOURCE: 0}, {RESOURCE: 0})
    assert kubelet.resources[RESOURCE].streaming


async def test_25_a_restarted_kubelet_reports_nought(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 25: after a restart, until the plugin is back, capacity and allocatable are 0."""
    await up(kubelet, plugin)
    await kubelet.restart()

    assert (kubelet.capacity, kubelet.allocatable) == ({RESOURCE: 0}, {RESOURCE: 0})


async def test_26_a_new_resource_is_absent_until_it_lists(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 26: registered and silent, a resource is not in the node's status at all."""
    plugin.hold = True
    await plugin.serve()
    await plugin.register()
    await kubelet.wait_until(lambda: plugin.streams == 1)

    assert (kubelet.capacity, kubelet.allocatable) == ({}, {})
    assert kubelet.resources[RESOURCE].streaming


async def test_30_a_device_that_leaves_while_held_is_reported(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 30: dropping a device that a container holds is said loudly, since the pod's status turns wrong."""
    await up(kubelet, plugin)
    held = (await kubelet.create_pod(pod("p", count=2))).container("c").devices[RESOURCE]
    plugin.send()
    await listed(kubelet, 0)

    messages = [event.message for event in kubelet.events_of(Finding)]
    assert len(messages) == len(held)
    assert all("while a container holds it" in message for message in messages)


@pytest.mark.parametrize(
    ("topology", "words"),
    [
        pytest.param(pb.TopologyInfo(), "topology without nodes hides a", id="empty"),
        pytest.param(pb.TopologyInfo(nodes=[pb.NUMANode(ID=-1)]), "negative NUMA node sent for a", id="negative"),
    ],
)
async def test_a_topology_that_a_kubelet_gets_wrong_is_reported(
    kubelet: Kubelet, plugin: Plugin, topology: pb.TopologyInfo, words: str
) -> None:
    """An empty topology hides a device from GetAllocatableResources, a negative node is none: both are said."""
    plugin.send(pb.Device(ID="a", health="Healthy", topology=topology))
    await up(kubelet, plugin)

    assert [event.message for event in kubelet.events_of(Finding) if words in event.message] != []


async def test_waiting_in_vain_says_what_for_and_what_was_there(kubelet: Kubelet, plugin: Plugin) -> None:
    """A wait that fails names what it waited for, the kubelet's state and the last events."""
    await up(kubelet, plugin)

    with pytest.raises(TimeoutError, match=r"waited 0\.05 s for rain.*example.com/widget: 2.*lists 2 healthy"):
        await kubelet.wait_until(lambda: False, timeout=0.05, what="rain")


async def test_listeners_hear_events_until_they_leave(kubelet: Kubelet, plugin: Plugin) -> None:
    """A subscriber gets each event as it is added; its leaving ends that."""
    heard: list[object] = []
    leave = kubelet.subscribe(heard.append)
    await up(kubelet, plugin)
    leave()
    plugin.send("a")
    await listed(kubelet, 1)

    assert [type(event) for event in heard[1:]] == [StreamOpened, DevicesReceived]
    with contextlib.suppress(ValueError):
        leave()
