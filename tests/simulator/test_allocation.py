"""Allocation as a plugin meets it: what is asked, in which order, and what becomes of every kind of answer."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from devbay._proto import deviceplugin_v1beta1_pb2 as pb
from devbay.simulator import (
    Allocated,
    AllocationFailed,
    Conflict,
    Container,
    Finding,
    Freed,
    Kubelet,
    Pod,
    PodStatus,
    PreferredAllocation,
    StreamEnded,
    Timing,
)
from tests.simulator.conftest import listed, pod, up
from tests.simulator.plugin import RESOURCE, Plugin, response

OTHER = "example.com/other"


@pytest.fixture
async def other(directory: Path) -> AsyncIterator[Plugin]:
    """Return a plugin for another resource."""
    made = Plugin(directory, "x", "y", resource=OTHER)
    yield made
    await made.stop()


def held(status: PodStatus, container: str = "c", resource: str = RESOURCE) -> tuple[str, ...]:
    """Return the devices that a container holds."""
    return status.container(container).devices.get(resource, ())


def because(status: PodStatus) -> str:
    """Return the error that made an allocation fail; the status must be a rejection for it."""
    prefix, suffix = "Pod was rejected: Allocate failed due to ", ", which is unexpected"
    assert (status.phase, status.reason) == ("Failed", "UnexpectedAdmissionError")
    assert status.message.startswith(prefix)
    assert status.message.endswith(suffix)
    return status.message.removeprefix(prefix).removesuffix(suffix)


async def test_31_containers_are_served_in_order_init_containers_first(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 31: devices are allocated at admission, container by container, init containers before the others."""
    await up(kubelet, plugin)
    one = {RESOURCE: 1}
    await kubelet.create_pod(
        Pod(
            name="p",
            init_containers=(Container(name="i", limits=one, restartable=True),),
            containers=(Container(name="c", limits=one),),
        )
    )

    assert [event.container for event in kubelet.events_of(Allocated)] == ["i", "c"]


async def test_32_the_order_of_resources_is_random_by_seed(directory: Path, plugin: Plugin, other: Plugin) -> None:
    """Behaviour 32: the resources of one container come in random order, which the seed decides."""
    orders = []
    for seed in (0, 0, 1, 2, 3, 4):
        async with Kubelet(directory, seed=seed) as kubelet:
            await up(kubelet, plugin)
            await up(kubelet, other)
            await kubelet.create_pod(Pod(name="p", containers=(Container(name="c", limits={RESOURCE: 1, OTHER: 1}),)))
            orders.append([event.resource for event in kubelet.events_of(Allocated)])
            await plugin.stop()
            await other.stop()

    assert orders[0] == orders[1]
    assert {tuple(order) for order in orders} == {(RESOURCE, OTHER), (OTHER, RESOURCE)}


async def test_33_an_unknown_resource_is_skipped(kubelet: Kubelet) -> None:
    """Behaviour 33: a limit of a resource that no plugin registered is silently ignored."""
    status = await kubelet.create_pod(pod("p", "example.com/nobody"))

    assert status.phase == "Running"
    assert status.container("c").devices == {}


async def test_34_a_resource_with_no_healthy_device_is_an_error(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 34, step 4: the kubelet's words when all devices are unhealthy."""
    await up(kubelet, plugin)
    plugin.send()
    await listed(kubelet, 0)

    status = await kubelet.create_pod(pod("p"))
    assert because(status) == f"no healthy devices present; cannot allocate unhealthy devices {RESOURCE}"


async def test_34_too_few_devices_are_an_error(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 34, step 8: the kubelet's words with both numbers; no device stays taken."""
    await up(kubelet, plugin)
    await kubelet.create_pod(pod("first"))

    status = await kubelet.create_pod(pod("p", count=2))
    assert because(status) == f"requested number of devices unavailable for {RESOURCE}. Requested: 2, Available: 1"
    assert sum(device.allocated for device in kubelet.devices(RESOURCE).values()) == 1


async def test_34_init_containers_devices_come_first(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 34, step 7: what an ended init container held is given to the pod's later containers again."""
    await up(kubelet, plugin)
    status = await kubelet.create_pod(
        Pod(
            name="p",
            init_containers=(Container(name="i", limits={RESOURCE: 1}), Container(name="j", limits={RESOURCE: 2})),
            containers=(Container(name="c", limits={RESOURCE: 1}), Container(name="d", limits={RESOURCE: 1})),
        )
    )

    assert status.phase == "Running"
    assert set(held(status, "i")) < set(held(status, "j")) == {"a", "b"}
    assert {*held(status, "c"), *held(status, "d")} == {"a", "b"}


async def test_34_a_sidecars_devices_are_not_given_again(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 34, step 7: an init container that stays keeps its devices."""
    await up(kubelet, plugin)
    status = await kubelet.create_pod(
        Pod(
            name="p",
            init_containers=(Container(name="i", limits={RESOURCE: 1}, restartable=True),),
            containers=(Container(name="c", limits={RESOURCE: 1}),),
        )
    )

    assert {*held(status, "i"), *held(status, "c")} == {"a", "b"}


async def test_35_the_choice_is_random_by_seed(directory: Path, plugin: Plugin) -> None:
    """Behaviour 35: without a preference any free device may be taken; the seed decides which."""
    chosen = []
    for seed in (7, 7, *range(8)):
        async with Kubelet(directory, seed=seed) as kubelet:
            await up(kubelet, plugin)
            chosen.append(held(await kubelet.create_pod(pod("p"))))
            await plugin.stop()

    assert chosen[0] == chosen[1]
    assert set(chosen) == {("a",), ("b",)}


async def test_36_preference_is_asked_only_if_the_options_say_so(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 36: a plugin that does not choose is not asked."""
    await up(kubelet, plugin)
    await kubelet.create_pod(pod("p"))

    assert plugin.asked("GetPreferredAllocation") == []


async def test_36_the_preferred_devices_are_taken(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 36: the plugin is told what is free and how many, and its choice is allocated."""
    plugin.options.get_preferred_allocation_available = True
    plugin.send("a", "b", "c", "d")
    await up(kubelet, plugin)
    plugin.on_prefer = wishing("d", "b")
    status = await kubelet.create_pod(pod("p", count=2))

    asked = kubelet.events_of(PreferredAllocation)[0]
    assert held(status) == ("b", "d")
    assert (asked.available, asked.must_include, asked.size) == (("a", "b", "c", "d"), (), 2)


async def test_36_reused_devices_must_be_included(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 36: devices picked already are available, must be included, and count in the size."""
    plugin.options.get_preferred_allocation_available = True
    plugin.send("a", "b", "c", "d")
    await up(kubelet, plugin)
    await kubelet.create_pod(
        Pod(
            name="p",
            init_containers=(Container(name="i", limits={RESOURCE: 1}),),
            containers=(Container(name="c", limits={RESOURCE: 3}),),
        )
    )

    asked = kubelet.events_of(PreferredAllocation)[1]
    assert len(asked.must_include) == 1
    assert (asked.available, asked.size) == (("a", "b", "c", "d"), 3)


@pytest.mark.parametrize(
    ("wish", "sure"),
    [
        pytest.param((), set(), id="empty"),
        pytest.param(("c",), {"c"}, id="too short"),
        pytest.param(("c", "c"), {"c"}, id="duplicates"),
        pytest.param(("c", "nonsense"), {"c"}, id="unknown"),
    ],
)
async def test_36_a_short_preference_is_filled_up(
    kubelet: Kubelet, plugin: Plugin, wish: Sequence[str], sure: set[str]
) -> None:
    """Behaviour 36: unknown ids are dropped, duplicates collapse, and what is missing is chosen at random."""
    plugin.options.get_preferred_allocation_available = True
    plugin.send("a", "b", "c", "d")
    await up(kubelet, plugin)
    plugin.on_prefer = wishing(*wish)
    status = await kubelet.create_pod(pod("p", count=2))

    assert len(held(status)) == 2
    assert sure <= set(held(status))


async def test_36_too_long_a_preference_is_cut(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 36: of too many, as many as are needed are taken at random."""
    plugin.options.get_preferred_allocation_available = True
    plugin.send("a", "b", "c", "d")
    await up(kubelet, plugin)
    plugin.on_prefer = wishing("a", "b", "c")
    status = await kubelet.create_pod(pod("p"))

    assert len(held(status)) == 1
    assert set(held(status)) <= {"a", "b", "c"}


async def test_36_an_error_of_the_preference_rejects_the_pod(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 36: there is no fallback from an error, only from a poor answer."""
    plugin.options.get_preferred_allocation_available = True
    await up(kubelet, plugin)
    plugin.on_prefer = failing("no idea")

    status = await kubelet.create_pod(pod("p"))
    assert because(status) == (
        "device plugin GetPreferredAllocation rpc failed with err: rpc error: code = Internal desc = no idea"
    )


async def test_37_one_call_for_each_container_and_resource(kubelet: Kubelet, plugin: Plugin, other: Plugin) -> None:
    """Behaviour 37: every Allocate has one container request, with the ids of one resource in random order."""
    await up(kubelet, plugin)
    await up(kubelet, other)
    both = {RESOURCE: 1, OTHER: 1}
    containers = (Container(name="c", limits=both), Container(name="d", limits=both))
    status = await kubelet.create_pod(Pod(name="p", containers=containers))

    assert status.phase == "Running"
    assert sorted(plugin.asked("Allocate")) == [["a"], ["b"]]
    assert sorted(other.asked("Allocate")) == [["x"], ["y"]]


async def test_38_a_slow_allocate_is_waited_for_and_reported(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 38: nothing cuts Allocate off; after a while the watchdog says so."""
    release = asyncio.Event()
    plugin.on_allocate = waiting(release)
    await up(kubelet, plugin)
    creating = asyncio.create_task(kubelet.create_pod(pod("p")))
    await kubelet.wait_until(lambda: kubelet.events_of(Finding) != [], what="the watchdog")

    assert "Allocate is not answered after 0.05 s" in kubelet.events_of(Finding)[0].message
    assert not creating.done()
    release.set()
    assert (await creating).phase == "Running"


async def test_39_only_the_first_response_counts(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 39: further container responses are ignored."""
    plugin.on_allocate = answering(
        pb.AllocateResponse(
            container_responses=[
                pb.ContainerAllocateResponse(envs={"N": "1"}),
                pb.ContainerAllocateResponse(envs={"N": "2", "M": "2"}),
            ]
        )
    )
    await up(kubelet, plugin)
    status = await kubelet.create_pod(pod("p"))

    assert status.container("c").env == {"N": "1"}


async def test_39_no_response_is_an_error(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 39: an answer without container responses rejects the pod, in the kubelet's words."""
    plugin.on_allocate = answering(pb.AllocateResponse())
    await up(kubelet, plugin)

    assert because(await kubelet.create_pod(pod("p"))) == "no containers return in allocation response "


async def test_40_an_empty_answer_leaves_its_device_taken(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 40: only an error gives the devices back; after an empty answer they are taken until the next freeing.

    That comes with the first allocation after a pod that holds devices is gone (DM/manager.go:557-578).
    """
    await up(kubelet, plugin)
    await kubelet.create_pod(pod("holds"))
    plugin.on_allocate = answering(pb.AllocateResponse())
    await kubelet.create_pod(pod("p"))
    taken = [device.allocated for device in kubelet.devices(RESOURCE).values()]
    plugin.on_allocate = answering(response())
    refused = await kubelet.create_pod(pod("q"))
    await kubelet.delete_pod("holds")
    given = await kubelet.create_pod(pod("r", count=2))

    assert taken == [True, True]
    assert because(refused).startswith("requested number of devices unavailable")
    assert given.phase == "Running"


async def test_40_a_failed_allocate_leaves_no_device_taken(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviours 40 and 42: the error reaches the pod in Go's words, and the devices are free again."""
    await up(kubelet, plugin)
    plugin.on_allocate = failing("no such device")
    status = await kubelet.create_pod(pod("p", count=2))

    assert because(status) == "rpc error: code = InvalidArgument desc = no such device"
    assert not any(device.allocated for device in kubelet.devices(RESOURCE).values())
    assert kubelet.metrics.admission_rejections_total == {"UnexpectedAdmissionError": 1}


async def test_41_failed_calls_are_measured_too(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 41: the duration of every Allocate is observed, whatever its end."""
    await up(kubelet, plugin)
    await kubelet.create_pod(pod("good"))
    plugin.on_allocate = failing("bad")
    await kubelet.create_pod(pod("bad"))

    assert len(kubelet.metrics.device_plugin_alloc_duration_seconds[RESOURCE]) == 2
    assert len(kubelet.events_of(AllocationFailed)) == 1


async def test_43_conflicting_answers_are_told_not_raised(kubelet: Kubelet, plugin: Plugin, other: Plugin) -> None:
    """Behaviour 43: where two plugins of a container disagree, one wins and the other is logged."""
    plugin.on_allocate = answering(response(envs={"N": "1"}))
    other.on_allocate = answering(response(envs={"N": "2"}))
    await up(kubelet, plugin)
    await up(kubelet, other)
    limits = {RESOURCE: 1, OTHER: 1}
    status = await kubelet.create_pod(Pod(name="p", containers=(Container(name="c", limits=limits),)))

    assert status.phase == "Running"
    assert status.container("c").env["N"] in ("1", "2")
    assert "Environment variable has conflicting setting" in kubelet.events_of(Conflict)[0].message


async def test_44_the_pods_own_environment_wins(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 44: a variable of the pod goes over a plugin's; a kubelet's annotation over a plugin's."""
    restarts = "io.kubernetes.container.restartCount"
    plugin.on_allocate = answering(response(envs={"N": "1", "M": "1"}, annotations={restarts: "99", "k": "v"}))
    await up(kubelet, plugin)
    status = await kubelet.create_pod(pod("p", N="mine"))

    assert status.container("c").env == {"N": "mine", "M": "1"}
    assert status.container("c").annotations == {restarts: "0", "k": "v"}


async def test_46_devices_are_freed_at_the_next_allocation_only(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 46: a deleted pod's devices stay taken until a container asks for a plugin's resource."""
    await up(kubelet, plugin)
    first = held(await kubelet.create_pod(pod("first", count=2)))
    await kubelet.delete_pod("first")
    before = sum(device.allocated for device in kubelet.devices(RESOURCE).values())
    second = await kubelet.create_pod(pod("second", count=2))

    assert before == 2
    assert held(second) == first
    assert [event.ids for event in kubelet.events_of(Freed)] == [("a", "b")]


async def test_48_a_slow_allocate_delays_every_later_pod(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 48: pods are admitted one at a time, in order, also those that need no device."""
    release = asyncio.Event()
    plugin.on_allocate = waiting(release)
    await up(kubelet, plugin)
    slow = asyncio.create_task(kubelet.create_pod(pod("slow")))
    await kubelet.wait_until(lambda: plugin.asked("Allocate") != [])
    plain = asyncio.create_task(kubelet.create_pod(Pod(name="plain", containers=(Container(name="c"),))))
    await kubelet.wait_until(lambda: "plain" in kubelet.pods)

    assert kubelet.pods["plain"].phase == "Pending"
    release.set()
    assert [(await slow).phase, (await plain).phase] == ["Running", "Running"]


async def test_30_a_device_that_leaves_during_its_allocation_is_reported(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 30: what would crash a kubelet of 1.36 is a finding, and the simulator goes on."""
    release = asyncio.Event()
    plugin.on_allocate = waiting(release)
    await up(kubelet, plugin)
    creating = asyncio.create_task(kubelet.create_pod(pod("p", count=2)))
    await kubelet.wait_until(lambda: plugin.asked("Allocate") != [])
    plugin.send("z")
    await listed(kubelet, 1)
    release.set()

    assert (await creating).phase == "Running"
    assert [e for e in kubelet.events_of(Finding) if "this would crash a real kubelet" in e.message] != []


async def test_a_stream_that_ends_during_allocate_fails_that_pod_only(kubelet: Kubelet, plugin: Plugin) -> None:
    """When the plugin dies while it allocates, the pod is rejected with the connection's error."""
    plugin.on_allocate = waiting(asyncio.Event())
    await up(kubelet, plugin)
    creating = asyncio.create_task(kubelet.create_pod(pod("p")))
    await kubelet.wait_until(lambda: plugin.asked("Allocate") != [])
    await plugin.stop()
    status = await creating
    await kubelet.wait_until(lambda: kubelet.events_of(StreamEnded) != [])

    assert because(status).startswith("rpc error: code = ")
    assert kubelet.allocatable == {RESOURCE: 0}


async def test_a_resource_whose_grace_is_over_is_short(directory: Path, plugin: Plugin) -> None:
    """A pod that asks for a resource the node has at 0 is refused by the node's own check, after allocation."""
    async with Kubelet(directory, timing=Timing(grace=0)) as kubelet:
        await up(kubelet, plugin)
        await plugin.stop()
        await listed(kubelet, 0)
        await kubelet.wait_until(lambda: kubelet.capacity == {RESOURCE: 0})
        status = await kubelet.create_pod(pod("p"))

    assert (status.phase, status.reason) == ("Failed", f"OutOf{RESOURCE}")
    assert status.message == (
        f"Pod was rejected: Node didn't have enough resource: {RESOURCE}, requested: 1, used: 0, capacity: 0"
    )


async def test_a_pod_admitted_already_survives_a_plugins_failure(kubelet: Kubelet, plugin: Plugin) -> None:
    """With the plugin gone, pods that hold devices run on, and pods that need none are admitted."""
    await up(kubelet, plugin)
    await kubelet.create_pod(pod("p"))
    await plugin.stop()
    await listed(kubelet, 0)

    assert kubelet.pods["p"].phase == "Running"
    assert (await kubelet.create_pod(Pod(name="plain", containers=(Container(name="c"),)))).phase == "Running"


def wishing(*ids: str) -> Any:
    """Return a plugin's preference that is always the same."""

    async def prefer(_request: Any) -> Sequence[str]:
        return ids

    return prefer


def answering(answer: pb.AllocateResponse) -> Any:
    """Return a plugin's Allocate that always answers the same."""

    async def allocate(_ids: Sequence[str]) -> pb.AllocateResponse:
        return answer

    return allocate


def waiting(release: asyncio.Event) -> Any:
    """Return a plugin's Allocate that answers when it is released."""

    async def allocate(_ids: Sequence[str]) -> pb.AllocateResponse:
        await release.wait()
        return response()

    return allocate


def failing(text: str) -> Any:
    """Return a call that fails with a text."""

    async def fail(_argument: Any) -> Any:
        raise ValueError(text)

    return fail
