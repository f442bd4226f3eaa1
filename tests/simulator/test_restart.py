"""The kubelet's end and its return: what it deletes, what it leaves, what it remembers."""

import asyncio
import socket
import threading
from pathlib import Path

import pytest

from devbay.errors import KubeletDirectoryError, KubeletUnavailable
from devbay.simulator import Allocated, DevicesReceived, Finding, Kubelet, KubeletStarted
from tests.simulator.conftest import QUICK, listed, pod, up
from tests.simulator.plugin import RESOURCE, Plugin

CHECKPOINT = "kubelet_internal_checkpoint"


def litter(directory: Path) -> None:
    """Leave one of everything in the directory."""
    (directory / "file").write_text("x")
    (directory / "folder").mkdir()
    (directory / "link").symlink_to("file")
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(directory / "stale.sock"))


def names(directory: Path) -> set[str]:
    """Return what is in the directory."""
    return {path.name for path in directory.iterdir()}


async def test_2_a_starting_kubelet_deletes_sockets_only(directory: Path) -> None:
    """Behaviour 2: sockets go; plain files, folders and the checkpoint stay."""
    litter(directory)
    (directory / CHECKPOINT).write_text("")
    async with Kubelet(directory) as kubelet:
        assert names(directory) == {"file", "folder", "link", CHECKPOINT, "kubelet.sock"}
        assert kubelet.events_of(KubeletStarted)[0].deleted == ("stale.sock",)


async def test_3_release_1_32_deletes_every_file(directory: Path) -> None:
    """Behaviour 3: in 1.32 everything goes but folders and the checkpoint."""
    litter(directory)
    (directory / CHECKPOINT).write_text("")
    async with Kubelet(directory, version="1.32"):
        assert names(directory) == {"folder", CHECKPOINT, "kubelet.sock"}


async def test_18_a_dead_kubelet_leaves_a_socket_that_refuses(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 18: after its end kubelet.sock is the same file, and connecting to it is refused; streams are cut."""
    await up(kubelet, plugin)
    before = kubelet.socket.stat().st_ino
    await kubelet.stop()
    await kubelet.wait_until(lambda: plugin.streams == 0, what="the plugin's stream to be cancelled")

    assert kubelet.socket.stat().st_ino == before
    with socket.socket(socket.AF_UNIX) as client, pytest.raises(ConnectionRefusedError):
        client.connect(str(kubelet.socket))


async def test_18_a_restart_deletes_the_plugins_sockets(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 18: every socket is deleted before kubelet.sock is there again; the plugin must serve anew."""
    await up(kubelet, plugin)
    await kubelet.restart()

    assert not plugin.socket.exists()
    assert set(kubelet.events_of(KubeletStarted)[-1].deleted) == {"kubelet.sock", plugin.endpoint}
    await kubelet.wait_until(lambda: plugin.streams == 0)
    await plugin.stop()
    await up(kubelet, plugin)


async def test_19_the_gap_of_a_restart_is_the_callers_to_choose(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 19: a plugin that re-creates its socket while the kubelet is away has it deleted."""
    await up(kubelet, plugin)
    restarting = asyncio.create_task(kubelet.restart(gap=0.2))
    await kubelet.wait_until(lambda: plugin.streams == 0 and not kubelet.running)
    await plugin.stop()
    await plugin.serve()
    early = plugin.socket.exists()
    await restarting

    assert early
    assert not plugin.socket.exists()


async def test_a_closed_simulation_removes_its_socket_and_no_other(directory: Path) -> None:
    """Closing removes kubelet.sock if it is still the one that was made."""
    kubelet = Kubelet(directory)
    async with kubelet:
        pass
    gone = not kubelet.socket.exists()
    async with Kubelet(directory) as first:
        first.socket.unlink()
        first.socket.write_text("another's")

    assert gone
    assert kubelet.socket.read_text() == "another's"


async def test_27_the_checkpoint_is_written_for_messages_and_allocations(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 27: a message and an allocation write the file; the end of a stream and a deletion do not."""
    file = kubelet.directory / CHECKPOINT
    await up(kubelet, plugin)
    listed_ = file.read_text()
    await kubelet.create_pod(pod("p"))
    allocated = file.read_text()
    await kubelet.delete_pod("p")
    await plugin.stop()
    await listed(kubelet, 0)

    assert f'"{RESOURCE}":["a","b"]' in listed_
    assert '"PodDeviceEntries":null' in listed_
    assert '"ContainerName":"c"' in allocated
    assert file.read_text() == allocated


async def test_28_a_restarted_kubelet_remembers_who_holds_what(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 28: devices stay taken over a restart, and the resource is known, without devices and options."""
    plugin.options.pre_start_required = True
    await up(kubelet, plugin)
    held = (await kubelet.create_pod(pod("p"))).container("c").devices[RESOURCE]
    await kubelet.restart()

    assert not kubelet.resources[RESOURCE].pre_start_required
    await plugin.stop()
    await up(kubelet, plugin)
    assert {d.id for d in kubelet.devices(RESOURCE).values() if d.allocated} == set(held)
    other = (await kubelet.create_pod(pod("q"))).container("c").devices[RESOURCE]
    assert set(other).isdisjoint(held)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"Data":{"PodDeviceEntries":null,"RegisteredDevices":{}},"Checksum":1}']
)
async def test_29_a_corrupt_checkpoint_is_not_fatal(directory: Path, plugin: Plugin, text: str) -> None:
    """Behaviour 29: the kubelet says so and goes on with nothing."""
    (directory / CHECKPOINT).write_text(text)
    async with Kubelet(directory) as kubelet:
        await up(kubelet, plugin)

        assert "Continue after failing to read checkpoint file" in kubelet.events_of(Finding)[0].message


async def test_running_pods_survive_a_kubelet_restart(kubelet: Kubelet, plugin: Plugin) -> None:
    """A container that runs while the kubelet restarts is left alone: no Allocate, no rejection, the same devices."""
    await up(kubelet, plugin)
    before = await kubelet.create_pod(pod("p", count=2))
    await kubelet.restart()

    assert kubelet.pods == {"p": before}
    assert len(kubelet.events_of(Allocated)) == 1


async def test_47_a_reboot_rejects_pods_that_come_before_their_plugin(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 47: after a reboot a pod is admitted before its plugin registered, and fails for good."""
    await up(kubelet, plugin)
    await kubelet.create_pod(pod("p"))
    await kubelet.reboot()
    status = kubelet.pods["p"]

    assert (status.phase, status.reason) == ("Failed", "UnexpectedAdmissionError")
    assert status.message == (
        "Pod was rejected: Allocate failed due to no healthy devices present; cannot allocate unhealthy devices "
        f"{RESOURCE}, which is unexpected"
    )


async def test_47_a_reboot_without_a_checkpoint_starts_pods_without_devices(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviours 33 and 47: a kubelet that knows nothing of the resource ignores the limit."""
    await up(kubelet, plugin)
    await kubelet.create_pod(pod("p"))
    await kubelet.stop()
    (kubelet.directory / CHECKPOINT).unlink()
    await kubelet.reboot()
    await kubelet.wait_until(lambda: kubelet.pods["p"].phase == "Running")

    assert kubelet.pods["p"].container("c").devices == {}


async def test_a_kubelet_starts_once_and_only_where_it_can(directory: Path) -> None:
    """Starting twice is an error, and so is a directory that cannot be made; stopping twice is not."""
    async with Kubelet(directory) as kubelet:
        with pytest.raises(KubeletUnavailable):
            await kubelet.start()
        await kubelet.stop()
        await kubelet.stop()
    (directory / "file").write_text("")
    with pytest.raises(KubeletDirectoryError):
        await Kubelet(directory / "file" / "plugins").start()


async def test_a_long_directory_is_no_obstacle_to_the_kubelet(directory: Path) -> None:
    """A directory whose path is longer than a socket's may be is served, as long as plugins find it their own way."""
    deep = directory / ("d" * 60) / ("e" * 60)
    async with Kubelet(deep) as kubelet:
        assert kubelet.socket.is_socket()


async def test_200_restarts_leave_nothing_behind(directory: Path) -> None:
    """File descriptors, threads and tasks are as many after 200 restarts with a plugin as after the first few."""

    def used() -> tuple[int, int, int]:
        return sum(1 for _ in Path("/proc/self/fd").iterdir()), threading.active_count(), len(asyncio.all_tasks())

    async with Kubelet(directory, timing=QUICK) as kubelet, Plugin(directory, "a") as plugin:
        counts = []
        for _ in range(200):
            await plugin.stop()
            await plugin.serve()
            await plugin.register()
            await listed(kubelet, 1)
            await kubelet.restart()
            counts.append(used())

    assert len(kubelet.events_of(DevicesReceived)) == 200
    # What is just ending when it is counted comes and goes; what is left behind is in every one of the last counts.
    early, late = tuple(map(max, *counts[:20])), tuple(map(min, *counts[-20:]))
    assert all(last <= first + 2 for first, last in zip(early, late, strict=True)), (early, late)
