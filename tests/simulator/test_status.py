"""allocatedResourcesStatus: what a pod's status tells of its devices' health, and when it is told anew."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from devbay.simulator import (
    AllocatedResourceStatus,
    Container,
    DevicesReceived,
    Finding,
    Kubelet,
    Pod,
    PodUpdated,
    ResourceHealth,
    StreamEnded,
)
from tests.simulator.conftest import QUICK, listed, pod, up
from tests.simulator.plugin import RESOURCE, Plugin, device

OTHER = "example.com/other"


@pytest.fixture
async def busy(directory: Path) -> AsyncIterator[Kubelet]:
    """Run a kubelet that syncs its pods all the time."""
    async with Kubelet(directory, timing=replace(QUICK, pod_sync=0.01)) as running:
        yield running


def told(kubelet: Kubelet, name: str = "p", container: str = "c") -> dict[str, str]:
    """Return the health that a pod's status tells, by device id."""
    status = kubelet.pods[name].container(container).allocated_resources_status
    return {entry.resource_id: entry.health for resource in status for entry in resource.resources}


async def received(kubelet: Kubelet, count: int) -> None:
    """Wait until so many messages were applied."""
    await kubelet.wait_until(lambda: len(kubelet.events_of(DevicesReceived)) == count, what=f"{count} messages")


async def updated(kubelet: Kubelet) -> None:
    """Wait until a pod was updated."""
    await kubelet.wait_until(lambda: kubelet.events_of(PodUpdated) != [], what="a pod to be updated")


async def test_52_a_status_has_a_container_resources_and_their_devices(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 52: a container's status names each resource it holds, and each device with its health."""
    await up(kubelet, plugin)
    status = await kubelet.create_pod(pod("p", count=2))

    assert status.container("c").allocated_resources_status == (
        AllocatedResourceStatus(RESOURCE, (ResourceHealth("a", "Healthy"), ResourceHealth("b", "Healthy"))),
    )


@pytest.mark.parametrize("word", ["Unhealthy", "Unknown", "healthy", ""])
async def test_52_every_other_word_is_unhealthy(kubelet: Kubelet, plugin: Plugin, word: str) -> None:
    """Behaviour 52: a plugin's device is Healthy or Unhealthy in a status, never Unknown; the container runs on."""
    await up(kubelet, plugin)
    await kubelet.create_pod(pod("p", count=2))
    plugin.send(device("a", word), device("b"))
    await kubelet.wait_until(lambda: told(kubelet) == {"a": "Unhealthy", "b": "Healthy"})

    assert kubelet.pods["p"].phase == "Running"


async def test_52_init_containers_have_none(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 52: only the statuses of app containers tell of devices, not even a sidecar's does."""
    await up(kubelet, plugin)
    sidecar = Container(name="s", limits={RESOURCE: 1}, restartable=True)
    await kubelet.create_pod(Pod(name="p", init_containers=(sidecar,), containers=(Container(name="c"),)))

    assert kubelet.pods["p"].container("s").devices != {}
    assert told(kubelet, container="s") == {}
    assert told(kubelet) == {}


async def test_52_a_vanished_device_is_healthy(busy: Kubelet, plugin: Plugin) -> None:
    """Behaviour 52: a device that was Unhealthy and is not listed any more is told as Healthy at the next sync."""
    await up(busy, plugin)
    await busy.create_pod(pod("p", count=2))
    plugin.send(device("a", "Unhealthy"), "b")
    await busy.wait_until(lambda: told(busy) == {"a": "Unhealthy", "b": "Healthy"})
    plugin.send("b")
    await busy.wait_until(lambda: told(busy) == {"a": "Healthy", "b": "Healthy"})


async def test_52_a_disconnect_changes_nothing(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 52: with its plugin gone, a device keeps the health that was told last, also at a new start."""
    await up(kubelet, plugin)
    await kubelet.create_pod(pod("p", count=2))
    plugin.send(device("a", "Unhealthy"), "b")
    await kubelet.wait_until(lambda: told(kubelet) == {"a": "Unhealthy", "b": "Healthy"})
    await plugin.stop()
    await kubelet.wait_until(lambda: kubelet.events_of(StreamEnded) != [])
    await kubelet.restart_container("p", "c")

    assert kubelet.allocatable == {RESOURCE: 0}
    assert told(kubelet) == {"a": "Unhealthy", "b": "Healthy"}
    assert len(kubelet.events_of(PodUpdated)) == 1


async def test_52_a_restarted_kubelet_knows_no_health_until_its_plugin_is_back(
    kubelet: Kubelet, plugin: Plugin
) -> None:
    """Behaviours 28 and 52: the checkpoint holds no health, so every device is Healthy; the first list corrects it."""
    await up(kubelet, plugin)
    await kubelet.create_pod(pod("p", count=2))
    plugin.send(device("a", "Unhealthy"), "b")
    await kubelet.wait_until(lambda: told(kubelet)["a"] == "Unhealthy")
    await kubelet.restart()
    await kubelet.wait_until(lambda: told(kubelet) == {"a": "Healthy", "b": "Healthy"})
    await plugin.stop()
    await up(kubelet, plugin)

    assert told(kubelet) == {"a": "Unhealthy", "b": "Healthy"}


async def test_53_only_a_new_word_or_a_return_updates_a_pod(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 53: a message updates pods for changed and returned ids; the same again or a vanished id does not."""
    await up(kubelet, plugin)
    await kubelet.create_pod(pod("p", count=2))
    for count, devices in enumerate(
        (
            (device("a"), device("b")),
            (device("a", "Unhealthy"), device("b")),
            (device("a", "Unhealthy"), device("b")),
            (device("b"),),
            (device("a", "Unhealthy"), device("b"), device("new")),
            (device("a"), device("b", "Unhealthy"), device("new", "Unhealthy")),
        ),
        start=2,
    ):
        plugin.send(*devices)
        await received(kubelet, count)

    assert [event.ids for event in kubelet.events_of(PodUpdated)] == [("a",), ("a",), ("a", "b")]


async def test_53_an_unlisted_device_is_not_updated_by_itself(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviours 52 and 53: when a device vanishes nothing is synced, so the last word stands for now."""
    await up(kubelet, plugin)
    await kubelet.create_pod(pod("p", count=2))
    plugin.send(device("a", "Unhealthy"), "b")
    await received(kubelet, 2)
    plugin.send("b")
    await received(kubelet, 3)

    assert told(kubelet) == {"a": "Unhealthy", "b": "Healthy"}


@pytest.mark.parametrize(("version", "lost"), [("1.36", True), ("1.37", False)])
async def test_53_ids_that_are_not_unique_lead_to_the_wrong_pod(directory: Path, version: str, *, lost: bool) -> None:
    """Behaviour 53: to 1.36 the pod is found by the id alone, so the one with the changed device may not be updated."""
    missed = 0
    for seed in range(4):
        fresh = directory / str(seed)
        async with (
            Kubelet(fresh, version=version, seed=seed, timing=QUICK) as kubelet,
            Plugin(fresh, "same") as one,
            Plugin(fresh, "same", resource=OTHER) as two,
        ):
            await up(kubelet, one)
            await up(kubelet, two)
            await kubelet.create_pod(replace(pod("one"), uid="1"))
            await kubelet.create_pod(replace(pod("two", OTHER), uid="2"))
            one.send(device("same", "Unhealthy"))
            await updated(kubelet)
            wrong = told(kubelet, "one") == {"same": "Healthy"}
            assert wrong == any("unique on the node" in event.message for event in kubelet.events_of(Finding))
            missed += wrong

    assert bool(missed) is lost


async def test_52_before_1_36_there_is_no_such_status(directory: Path, plugin: Plugin) -> None:
    """Behaviour 52: the feature is off by default before 1.36."""
    async with Kubelet(directory, version="1.35") as kubelet:
        await up(kubelet, plugin)
        await kubelet.create_pod(pod("p"))
        plugin.send(device("a", "Unhealthy"), device("b", "Unhealthy"))
        await listed(kubelet, 0)

        assert told(kubelet) == {}
        assert kubelet.events_of(PodUpdated) == []
