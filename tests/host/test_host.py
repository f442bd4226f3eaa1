"""The host as a process beside a kubelet: what a node's operator is promised."""

import asyncio
import contextlib
import socket
import sys
from pathlib import Path

import asyncinotify
import pytest

from devbay.simulator import Container, Kubelet, Pod
from tests.host.running import PATIENCE, running

RESOURCE = "example.com/custom-accelerator"


def pod(name: str, count: int = 1) -> Pod:
    """Return a pod whose container asks for accelerators."""
    return Pod(name=name, containers=(Container(name="main", limits={RESOURCE: count}),))


async def allocatable(kubelet: Kubelet, count: int, resource: str = RESOURCE) -> None:
    """Wait until the node has so many devices to give."""
    what = f"{count} allocatable {resource}"
    await kubelet.wait_until(lambda: kubelet.allocatable.get(resource) == count, PATIENCE, what)


def ours(plugins: Path) -> list[str]:
    """Return the sockets of hosts in a kubelet's directory."""
    return sorted(path.name for path in plugins.glob("devbay-*"))


async def test_devices_reach_the_node_and_pods(plugins: Path, kubelet: Kubelet, tree: dict[str, str]) -> None:
    """The main job: devices become capacity, and a pod's container gets what its devices need (P14)."""
    async with running(plugins, **tree):
        await allocatable(kubelet, 3)
        status = (await kubelet.create_pod(pod("p", 2))).container("main")

        assert kubelet.capacity == {RESOURCE: 3}
        assert status.env["ACCELERATOR_VISIBLE_DEVICES"] == ",".join(status.devices[RESOURCE])
        assert [mount.container_path for mount in status.mounts] == ["/dev/accelerator0", "/dev/accelerator1"]


async def test_real_device_nodes_are_given_as_devices(plugins: Path, kubelet: Kubelet, place: Path) -> None:
    """A device node reaches the container as a device, a plain file as a mount (P14)."""
    for name in ("null", "zero"):
        (place / "class" / name).mkdir(parents=True)
        (place / "class" / name / "status").write_text("online\n")

    async with running(plugins, DEVBAY_BACKENDS="mock", DEVBAY_MOCK__ROOT=f"{place}/class"):
        await allocatable(kubelet, 2)
        status = (await kubelet.create_pod(pod("p", 2))).container("main")

        assert [(node.path, node.permissions) for node in status.device_nodes] == [
            ("/dev/accelerator0", "rw"),
            ("/dev/accelerator1", "rw"),
        ]
        assert {node.host_path for node in status.device_nodes} == {"/dev/null", "/dev/zero"}


async def test_a_failing_device_moves_allocatable(
    plugins: Path, kubelet: Kubelet, tree: dict[str, str], place: Path
) -> None:
    """A device that fails leaves allocatable, keeps its capacity, and comes back when it recovers (P11, P12)."""
    status = place / "class/acc1/status"
    async with running(plugins, **tree) as host:
        await allocatable(kubelet, 3)

        status.write_text("offline\n")
        await allocatable(kubelet, 2)
        assert kubelet.capacity == {RESOURCE: 3}
        line = await host.says("device unhealthy")
        assert (line["backend"], line["resource"], line["device"]) == ("mock", RESOURCE, "acc1")
        assert line["reason"] == "status is offline, not online"

        status.write_text("online\n")
        await allocatable(kubelet, 3)


async def test_a_vanished_device_is_unhealthy_and_not_dropped(
    plugins: Path, kubelet: Kubelet, tree: dict[str, str], place: Path
) -> None:
    """A device that may be in use is reported unhealthy when it is gone, never dropped (P10)."""
    async with running(plugins, **tree) as host:
        await allocatable(kubelet, 3)
        held = (await kubelet.create_pod(pod("p"))).container("main").devices[RESOURCE][0]

        for file in (place / "class" / held).iterdir():
            file.unlink()
        (place / "class" / held).rmdir()
        await host.says("device unhealthy", device=held)
        await allocatable(kubelet, 2)

        assert kubelet.capacity == {RESOURCE: 3}
        assert not kubelet.devices(RESOURCE)[held].healthy


async def test_a_kubelet_that_is_away_is_waited_for(plugins: Path, tree: dict[str, str]) -> None:
    """A host that starts before its kubelet registers as soon as that comes up (P4)."""
    async with running(plugins, **tree) as host:
        await host.says("waiting for the kubelet: no kubelet.sock")
        assert ours(plugins) == []  # it would only be deleted when the kubelet starts

        async with Kubelet(plugins) as kubelet:
            await allocatable(kubelet, 3)


async def test_a_stale_kubelet_socket_is_not_a_kubelet(plugins: Path, tree: dict[str, str]) -> None:
    """A kubelet.sock that a dead kubelet left is waited at, and its successor's is acted on (P4)."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(plugins / "kubelet.sock"))

    async with running(plugins, **tree) as host:
        await host.says("waiting for the kubelet: kubelet.sock does not answer")
        async with Kubelet(plugins) as kubelet:
            await allocatable(kubelet, 3)


async def test_a_directory_that_is_not_there_yet_is_waited_for(place: Path, tree: dict[str, str]) -> None:
    """A kubelet's directory that comes later is found (P4)."""
    later = place / "later"
    async with running(later, **tree) as host:
        await host.says("backend ready")
        async with Kubelet(later) as kubelet:
            await allocatable(kubelet, 3)


async def test_kubelet_restarts_lose_nothing(plugins: Path, kubelet: Kubelet, tree: dict[str, str]) -> None:
    """Twenty kubelet restarts in a row: all devices are back each time, and no backend is asked for it (P5)."""
    async with running(plugins, **tree) as host:
        await allocatable(kubelet, 3)
        for _ in range(20):
            await kubelet.restart()
            await allocatable(kubelet, 3)

        assert len(ours(plugins)) == 1
        assert len(host.logged("backend ready")) == 1


async def test_files_and_threads_stay_flat(plugins: Path, kubelet: Kubelet, tree: dict[str, str]) -> None:
    """Two hundred kubelet restarts leave no file descriptor and no thread behind (P5)."""
    async with running(plugins, DEVBAY_LOG__LEVEL="warning", **tree) as host:
        await allocatable(kubelet, 3)
        for _ in range(5):
            await kubelet.restart()
            await allocatable(kubelet, 3)
        before = host.footprint

        for _ in range(200):
            await kubelet.restart()
            await allocatable(kubelet, 3)
        await kubelet.create_pod(pod("p"))

        after = host.footprint
        assert after[0] <= before[0] + 2  # a connection that is just closing
        assert after[1] <= before[1] + 2


async def test_a_deleted_socket_is_replaced(plugins: Path, kubelet: Kubelet, tree: dict[str, str]) -> None:
    """A socket's file that somebody deleted is made anew and registered, by the same process (P6)."""
    async with running(plugins, **tree) as host:
        await allocatable(kubelet, 3)
        (old,) = ours(plugins)

        (plugins / old).unlink()
        await host.says("registered", times=2)
        await allocatable(kubelet, 3)

        assert ours(plugins) != [old]
        assert len(ours(plugins)) == 1


async def test_a_replaced_directory_is_followed(plugins: Path, place: Path, tree: dict[str, str]) -> None:
    """A kubelet's directory that is moved away and made anew is found again (P6)."""
    async with running(plugins, **tree):
        async with Kubelet(plugins) as kubelet:
            await allocatable(kubelet, 3)
        plugins.rename(place / "old")
        plugins.mkdir()

        async with Kubelet(plugins) as kubelet:
            await allocatable(kubelet, 3)


async def test_a_killed_host_recovers(plugins: Path, kubelet: Kubelet, tree: dict[str, str]) -> None:
    """After kill -9 a new host takes over, and removes the socket that was left (P8)."""
    async with running(plugins, **tree) as host:
        await allocatable(kubelet, 3)
        await host.kill()
        (left,) = ours(plugins)

    async with running(plugins, **tree) as host:
        await allocatable(kubelet, 3)

        assert (await host.says("removed a socket that a dead host left"))["socket"] == left
        assert left not in ours(plugins)


async def test_other_sockets_are_left_alone(plugins: Path, kubelet: Kubelet, tree: dict[str, str]) -> None:
    """What is not of our pattern, or is served by someone, is never removed (P8)."""
    with socket.socket(socket.AF_UNIX) as dead, socket.socket(socket.AF_UNIX) as live:
        dead.bind(str(plugins / "nvidia-gpu.sock"))
        live.bind(str(plugins / "devbay-00000000-00000000.sock"))
        live.listen()
        (plugins / "devbay-00000000-11111111.sock").write_text("a file, not a socket")

        async with running(plugins, **tree) as host:
            await allocatable(kubelet, 3)
            assert await host.stop() == 0

        assert ours(plugins) == ["devbay-00000000-00000000.sock", "devbay-00000000-11111111.sock"]
        assert (plugins / "nvidia-gpu.sock").exists()


@pytest.mark.parametrize("version", ["1.36", "1.37"])
async def test_a_rolling_update_hands_over(plugins: Path, tree: dict[str, str], version: str) -> None:
    """Two hosts overlap: the newer says so, and serves on when the older ends, whatever the kubelet does (P8)."""
    async with Kubelet(plugins, version=version) as kubelet, running(plugins, **tree) as older:
        await allocatable(kubelet, 3)
        async with running(plugins, **tree) as newer:
            await newer.says("another host serves this resource on this node", resource=RESOURCE)
            await newer.says("registered")
            assert await older.stop() == 0
            await allocatable(kubelet, 3)
            status = await kubelet.create_pod(pod("p"))

            assert status.phase == "Running"
            assert newer.process.returncode is None


async def test_sigterm_leaves_nothing(plugins: Path, kubelet: Kubelet, tree: dict[str, str], place: Path) -> None:
    """SIGTERM: exit code 0, no socket, and what the mock backend made is gone (P22)."""
    async with running(plugins, **tree) as host:
        await allocatable(kubelet, 3)

        assert await host.stop() == 0
        assert ours(plugins) == []
        assert not list(place.glob("class/*"))


async def test_a_resource_without_devices_is_withdrawn(plugins: Path, kubelet: Kubelet, place: Path) -> None:
    """When nobody can hold the last device any more, an empty list is sent before the endpoint closes (P10, P11)."""
    device = place / "class/null"
    device.mkdir(parents=True)
    (device / "status").write_text("online\n")
    quick = {"DEVBAY_HEALTH__KEEP_LOST": "0", "DEVBAY_HEALTH__SCAN_INTERVAL": "0.05"}
    async with running(plugins, DEVBAY_BACKENDS="mock", DEVBAY_MOCK__ROOT=f"{place}/class", **quick) as host:
        await allocatable(kubelet, 1)
        (device / "status").unlink()
        device.rmdir()

        await host.says("no devices left", resource=RESOURCE)
        await kubelet.wait_until(lambda: kubelet.capacity == {RESOURCE: 0}, PATIENCE, "an empty list")
        await kubelet.wait_until(lambda: not ours(plugins), PATIENCE, "the socket to go")


async def test_new_hardware_is_offered(plugins: Path, kubelet: Kubelet, place: Path) -> None:
    """Hardware that appears while the host runs gets its endpoint (P11)."""
    (place / "class").mkdir()
    async with running(plugins, DEVBAY_BACKENDS="mock", DEVBAY_MOCK__ROOT=f"{place}/class") as host:
        await host.says("backend ready", devices=0)

        (place / "class/null").mkdir()
        (place / "class/null/status").write_text("online\n")
        await allocatable(kubelet, 1)


async def test_concurrent_pods_are_served(plugins: Path, kubelet: Kubelet, tree: dict[str, str]) -> None:
    """Pods that come at once get different devices, and one too many is refused by the kubelet."""
    async with running(plugins, **tree):
        await allocatable(kubelet, 3)
        statuses = await asyncio.gather(*(kubelet.create_pod(pod(f"p{number}")) for number in range(4)))

        given = [status.container("main").devices[RESOURCE] for status in statuses if status.phase == "Running"]
        assert sorted(given) == [("acc0",), ("acc1",), ("acc2",)]


async def test_a_log_that_cannot_be_written_stops_nothing(
    plugins: Path, kubelet: Kubelet, tree: dict[str, str]
) -> None:
    """A host whose log goes to a full disk serves, survives a kubelet restart, and stops cleanly (P22, P24)."""
    environment = {"PATH": "/usr/bin", "DEVBAY_KUBELET__DIRECTORY": f"{plugins}", "NODE_NAME": "node-a", **tree}
    with Path("/dev/full").open("wb") as full:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "devbay", "run", env=environment, stderr=full
        )
    try:
        await allocatable(kubelet, 3)
        await kubelet.restart()
        await allocatable(kubelet, 3)
    finally:
        process.terminate()

    assert await process.wait() == 0
    assert ours(plugins) == []


async def test_a_node_without_inotify_is_looked_at(plugins: Path, tree: dict[str, str]) -> None:
    """Where every inotify instance is taken, the directory is looked at often instead, and that is said (P4, P6)."""
    limit = int(Path("/proc/sys/fs/inotify/max_user_instances").read_text())
    with contextlib.ExitStack() as taken:
        for _ in range(limit):
            try:
                taken.enter_context(asyncinotify.Inotify())
            except OSError:
                break
        async with running(plugins, **tree) as host:
            await host.says("cannot watch the directory; looking twice a second instead")
            async with Kubelet(plugins) as kubelet:
                await allocatable(kubelet, 3)
                await kubelet.restart()
                await allocatable(kubelet, 3)


async def test_a_rising_number_is_not_news(plugins: Path, kubelet: Kubelet, tree: dict[str, str], place: Path) -> None:
    """A device that stays unhealthy for the same cause is told once, however its numbers change (P24)."""
    temperature = place / "class/acc0/temperature"
    async with running(plugins, DEVBAY_LOG__LEVEL="debug", **tree) as host:
        await allocatable(kubelet, 3)
        for degrees in (90, 91, 92):
            temperature.write_text(f"{degrees}\n")
            await host.says("device unhealthy", reason=f"temperature {degrees} °C is above 85 °C")

        levels = [line["level"] for line in host.logged("device unhealthy", device="acc0")]
        assert levels == ["warning", "debug", "debug"]
