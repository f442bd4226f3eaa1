"""Who holds which device, from the kubelet's own mouth, and what follows: dropping, releasing, preparing (P10)."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from devbay.simulator import Container, Kubelet, Pod
from tests.host import until
from tests.host.running import PATIENCE, RunningHost, running
from tests.packages import Site

RESOURCE = "example.com/locker"
QUICK = {
    "DEVBAY_BACKENDS": "locker",
    "DEVBAY_HEALTH__SCAN_INTERVAL": "0.05",
    "DEVBAY_HEALTH__KEEP_ALLOCATED": "0",
    "DEVBAY_KUBELET__POD_RESOURCES_INTERVAL": "0.05",
    "DEVBAY_KUBELET__POD_RESOURCES_SETTLE": "0.2",
}


@pytest.fixture
def lockers(place: Path) -> Path:
    """Make three lockers."""
    root = place / "lockers"
    root.mkdir()
    for name in ("a0", "a1", "b0"):
        (root / name).symlink_to("/dev/null")
    return root


@asynccontextmanager
async def node(site: Site, place: Path, **variables: str) -> AsyncIterator[tuple[RunningHost, Kubelet]]:
    """Run a host with the lockers beside a kubelet that says who holds what."""
    socket = place / "pod-resources.sock"
    settings = QUICK | {
        "DEVBAY_LOCKER__ROOT": f"{place}/lockers",
        "DEVBAY_LOCKER__DIARY": f"{place}/diary",
        "DEVBAY_KUBELET__POD_RESOURCES": f"{socket}",
    }
    environment = os.environ | site.environ("devbay-locker")
    async with (
        Kubelet(place / "plugins", pod_resources_socket=socket) as kubelet,
        running(place / "plugins", environment, **(settings | variables)) as host,
    ):
        await kubelet.wait_until(lambda: kubelet.allocatable.get(RESOURCE) == 3, PATIENCE, "three lockers")
        yield host, kubelet


def pod(name: str, count: int = 1) -> Pod:
    """Return a pod that asks for lockers."""
    return Pod(name=name, containers=(Container(name="main", limits={RESOURCE: count}),))


def diary(place: Path) -> list[str]:
    """Return what the backend was asked."""
    path = place / "diary"
    return path.read_text().splitlines() if path.exists() else []


async def looked_at(kubelet: Kubelet) -> None:
    """Wait until the kubelet was asked, from now on, who holds what, and its answer was taken in."""
    asked = kubelet.metrics.pod_resources_endpoint_requests_list
    before = asked["v1"]
    await until(lambda: asked["v1"] >= before + 2)  # the next question comes when an answer has been taken in


@pytest.mark.usefixtures("lockers")
async def test_a_pods_end_is_told_to_the_backend(broken_site: Site, place: Path) -> None:
    """P10: what a pod held is released once it is gone, once, and with all it held; not before."""
    async with node(broken_site, place) as (host, kubelet):
        held = (await kubelet.create_pod(pod("p", 2))).container("main").devices[RESOURCE]
        await kubelet.create_pod(pod("other"))
        await looked_at(kubelet)
        await kubelet.delete_pod("p")
        line = await host.says("released")

        assert (line["devices"], line["pod"]) == (list(held), "default/p")
        assert diary(place).count(f"release {','.join(held)}") == 1
        assert len([entry for entry in diary(place) if entry.startswith("release")]) == 1


@pytest.mark.usefixtures("lockers")
async def test_a_device_given_again_is_released_first(broken_site: Site, place: Path) -> None:
    """P10: where a pod ends and the next one asks at once, release comes before the new one's prepare."""
    async with node(broken_site, place) as (_, kubelet):
        await kubelet.create_pod(pod("first", 3))
        await looked_at(kubelet)
        await kubelet.delete_pod("first")
        await kubelet.create_pod(pod("second", 3))

        assert diary(place) == ["prepare a0,a1,b0", "release a0,a1,b0", "prepare a0,a1,b0"]


@pytest.mark.usefixtures("lockers")
async def test_a_restarted_kubelet_that_knows_no_pods_yet_is_not_believed(broken_site: Site, place: Path) -> None:
    """P10: nothing is released because a kubelet came back and has not heard of its pods; a pod's end later is."""
    async with node(broken_site, place) as (host, kubelet):
        await kubelet.create_pod(pod("p"))
        await looked_at(kubelet)
        await kubelet.restart(api_server=False)
        for _ in range(3):
            await looked_at(kubelet)
        assert not host.logged("released")

        await kubelet.connect_api_server()
        await looked_at(kubelet)
        assert not host.logged("released")
        await kubelet.delete_pod("p")
        await kubelet.create_pod(Pod(name="other", containers=(Container(name="main"),)))
        await host.says("released")


async def test_a_held_device_that_vanishes_stays_until_its_pod_ends(
    broken_site: Site, place: Path, lockers: Path
) -> None:
    """P10: a device that is gone stays listed, unhealthy, while a pod holds it, and is dropped when none does."""
    async with node(broken_site, place) as (host, kubelet):
        (held,) = (await kubelet.create_pod(pod("p"))).container("main").devices[RESOURCE]
        (lockers / held).unlink()
        await host.says("device unhealthy", device=held)
        await kubelet.wait_until(lambda: kubelet.allocatable.get(RESOURCE) == 2, PATIENCE, "two lockers")
        assert kubelet.capacity[RESOURCE] == 3
        assert not host.logged("device dropped")

        await kubelet.delete_pod("p")
        await host.says("device dropped", device=held)
        await kubelet.wait_until(lambda: kubelet.capacity.get(RESOURCE) == 2, PATIENCE, "two lockers left")


async def test_a_held_device_that_vanished_outlives_a_silence(broken_site: Site, place: Path, lockers: Path) -> None:
    """P10: a held device that is gone for long stays listed when the kubelet restarts and knows no pods yet."""
    async with node(broken_site, place, DEVBAY_HEALTH__KEEP_LOST="0") as (host, kubelet):
        (held,) = (await kubelet.create_pod(pod("p"))).container("main").devices[RESOURCE]
        await looked_at(kubelet)
        (lockers / held).unlink()
        await host.says("device unhealthy", device=held)
        await kubelet.restart(api_server=False)
        await kubelet.wait_until(lambda: kubelet.allocatable.get(RESOURCE) == 2, PATIENCE, "two lockers")
        for _ in range(5):
            await looked_at(kubelet)

        assert not host.logged("device dropped")
        assert kubelet.capacity[RESOURCE] == 3


async def test_a_held_device_that_vanished_before_the_start_is_listed(
    broken_site: Site, place: Path, lockers: Path
) -> None:
    """P10: a device that a pod holds and that went while no host ran is listed, unhealthy, until the pod ends."""
    async with node(broken_site, place) as (host, kubelet):
        await kubelet.create_pod(Pod(name="devbay", containers=(Container(name="main"),)))
        (held,) = (await kubelet.create_pod(pod("p"))).container("main").devices[RESOURCE]
        await host.stop()
        (lockers / held).unlink()
        async with running(place / "plugins", host.environment, **host.variables) as second:
            await second.says("device found", device=held)
            await kubelet.wait_until(
                lambda: (kubelet.capacity.get(RESOURCE), kubelet.allocatable.get(RESOURCE)) == (3, 2),
                PATIENCE,
                "2 of 3",
            )
            await kubelet.delete_pod("p")
            await second.says("device dropped", device=held)


@pytest.mark.usefixtures("lockers")
async def test_of_two_hosts_one_releases(broken_site: Site, place: Path) -> None:
    """P10: while two hosts overlap, the one that the kubelet asks releases, and the other does not."""
    async with node(broken_site, place) as (first, kubelet):
        await kubelet.create_pod(pod("p"))
        await looked_at(kubelet)
        async with running(place / "plugins", first.environment, **first.variables) as second:
            await second.says("ListAndWatch opened")
            for _ in range(3):
                await looked_at(kubelet)
            await kubelet.delete_pod("p")
            await kubelet.create_pod(Pod(name="other", containers=(Container(name="main"),)))
            await second.says("released")
            for _ in range(5):
                await looked_at(kubelet)

            assert len([entry for entry in diary(place) if entry.startswith("release")]) == 1
            assert not first.logged("released")


@pytest.mark.usefixtures("lockers")
async def test_a_share_that_is_held_keeps_its_device_from_being_given_whole(broken_site: Site, place: Path) -> None:
    """P16: where sharing is switched off while a pod holds a share, nobody gets the whole device until it ends."""
    config = place / "config.yaml"
    config.write_text("{}\n")
    async with node(broken_site, place, DEVBAY_CONFIG=f"{config}") as (first, kubelet):
        await kubelet.create_pod(Pod(name="devbay", containers=(Container(name="main"),)))
        await first.stop()
        config.write_text(f"resources: {{{RESOURCE}: {{sharing: {{replicas: 2}}}}}}\n")
        async with running(place / "plugins", first.environment, **first.variables) as sharing:
            await kubelet.wait_until(lambda: kubelet.allocatable.get(RESOURCE) == 6, PATIENCE, "six shares")
            await kubelet.create_pod(pod("p"))
            await sharing.stop()
        config.write_text("{}\n")
        async with running(place / "plugins", first.environment, **first.variables):
            await kubelet.wait_until(
                lambda: (kubelet.capacity.get(RESOURCE), kubelet.allocatable.get(RESOURCE)) == (3, 2),
                PATIENCE,
                "2 of 3",
            )
            await kubelet.delete_pod("p")
            await kubelet.wait_until(lambda: kubelet.allocatable.get(RESOURCE) == 3, PATIENCE, "three lockers")


async def test_a_free_device_that_vanishes_is_dropped(broken_site: Site, place: Path, lockers: Path) -> None:
    """P10: a device that nobody holds, by the kubelet's word, goes after two looks, and not after ten minutes."""
    async with node(broken_site, place) as (host, kubelet):
        # A kubelet that lists no pod at all may have heard of none yet; this host's own would be there on a node.
        await kubelet.create_pod(Pod(name="devbay", containers=(Container(name="main"),)))
        (lockers / "b0").unlink()
        await host.says("device dropped", device="b0")
        await kubelet.wait_until(lambda: kubelet.capacity.get(RESOURCE) == 2, PATIENCE, "two lockers left")


async def test_without_pod_resources_nothing_is_dropped(broken_site: Site, place: Path, lockers: Path) -> None:
    """P10: where nobody can say who holds what, a vanished device stays listed, and the log says why."""
    async with node(broken_site, place, DEVBAY_KUBELET__POD_RESOURCES=f"{place}/none.sock") as (host, kubelet):
        (lockers / "b0").unlink()
        await host.says("device unhealthy", device="b0")
        line = next(line for line in host.lines if "does not say who holds what" in line["event"])

        assert "is not there" in line["reason"]
        assert kubelet.capacity[RESOURCE] == 3
        assert not host.logged("device dropped")


@pytest.mark.usefixtures("lockers")
async def test_prepare_reaches_the_pods_event(broken_site: Site, place: Path) -> None:
    """What `prepare` raises fails the container's start with its text, and the pod's devices stay its own."""
    async with node(broken_site, place, DEVBAY_LOCKER__REFUSE="the lock is jammed") as (_, kubelet):
        status = (await kubelet.create_pod(pod("p"))).container("main")

        assert status.state == "Waiting"
        assert "the lock is jammed" in status.message


@pytest.mark.usefixtures("lockers")
async def test_close_devices_are_given_together(broken_site: Site, place: Path) -> None:
    """P15: what the backend says of closeness decides which devices a pod gets."""
    async with node(broken_site, place) as (_, kubelet):
        pods = [(await kubelet.create_pod(pod(name, count))).container("main") for name, count in (("p", 2), ("q", 1))]

        assert [status.devices[RESOURCE] for status in pods] == [("a0", "a1"), ("b0",)]
