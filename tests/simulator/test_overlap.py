"""Two registrations of one resource at a time: releases to 1.36 lose the newer, later ones do not."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from devbay.simulator import Finding, Kubelet, StreamEnded
from tests.simulator.conftest import QUICK, listed, pod, up
from tests.simulator.plugin import RESOURCE, Plugin


@pytest.fixture
async def old(directory: Path) -> AsyncIterator[Plugin]:
    """Return the plugin that was there first."""
    async with Plugin(directory, "a", name="old.sock") as plugin:
        yield plugin


@pytest.fixture
async def new(directory: Path) -> AsyncIterator[Plugin]:
    """Return the plugin that came later, with more devices."""
    async with Plugin(directory, "a", "b", name="new.sock") as plugin:
        yield plugin


@pytest.fixture
async def keyed(directory: Path) -> AsyncIterator[Kubelet]:
    """Run a kubelet that is newer than 1.36."""
    async with Kubelet(directory, version="1.37", timing=QUICK) as kubelet:
        yield kubelet


async def both(kubelet: Kubelet, old: Plugin, new: Plugin) -> None:
    """Register one, then the other."""
    await old.register()
    await listed(kubelet, 1)
    await new.register()
    await listed(kubelet, 2)


async def test_15_the_old_stream_goes_on_and_the_last_word_wins(kubelet: Kubelet, old: Plugin, new: Plugin) -> None:
    """Behaviour 15: after a re-registration both streams are read, and calls go to the newer plugin."""
    await both(kubelet, old, new)
    old.send("x", "y", "z")
    await listed(kubelet, 3)
    await kubelet.create_pod(pod("p"))

    assert list(kubelet.devices(RESOURCE)) == ["x", "y", "z"]
    assert (old.streams, new.streams) == (1, 1)
    assert (len(old.asked("Allocate")), len(new.asked("Allocate"))) == (0, 1)


async def test_15_the_end_of_the_old_stream_cuts_the_newer_plugin(kubelet: Kubelet, old: Plugin, new: Plugin) -> None:
    """Behaviour 15: to 1.36, the old plugin's end leaves the resource without a plugin, though one is there."""
    await both(kubelet, old, new)
    await old.stop()
    await kubelet.wait_until(lambda: len(kubelet.events_of(StreamEnded)) == 2)

    assert (kubelet.capacity, kubelet.allocatable) == ({RESOURCE: 2}, {RESOURCE: 0})
    assert [e.message for e in kubelet.events_of(Finding) if "disconnected the newer plugin on new.sock" in e.message]
    await kubelet.wait_until(lambda: new.streams == 0, what="the newer plugin to see its stream cancelled")
    await new.register()
    await listed(kubelet, 2)


async def test_15_a_plugin_that_closes_its_stream_first_is_safe(kubelet: Kubelet, old: Plugin, new: Plugin) -> None:
    """Behaviour 15: without an overlap nothing is lost."""
    await old.register()
    await listed(kubelet, 1)
    await old.stop()
    await kubelet.wait_until(lambda: kubelet.events_of(StreamEnded) != [])
    await new.register()
    await listed(kubelet, 2)

    assert kubelet.events_of(Finding) == []
    assert kubelet.resources[RESOURCE].streaming


async def test_15_a_failed_registration_blinds_the_kubelet_to_the_old_stream(kubelet: Kubelet, old: Plugin) -> None:
    """Behaviour 15: to 1.36, after a failed Register the end of the earlier stream goes unnoticed."""
    await old.register()
    await listed(kubelet, 1)
    with pytest.raises(grpc.aio.AioRpcError):
        await old.register(endpoint="nobody.sock")
    await old.stop()
    await kubelet.wait_until(lambda: kubelet.events_of(Finding) != [])

    assert kubelet.allocatable == {RESOURCE: 1}
    assert "ended unnoticed" in kubelet.events_of(Finding)[0].message


async def test_16_the_end_of_the_old_stream_is_its_own(keyed: Kubelet, old: Plugin, new: Plugin) -> None:
    """Behaviour 16: later than 1.36, clients are told apart by socket; the newer plugin goes on."""
    await both(keyed, old, new)
    await old.stop()
    await keyed.wait_until(lambda: keyed.events_of(StreamEnded) != [])

    assert keyed.allocatable == {RESOURCE: 2}
    assert keyed.resources[RESOURCE].streaming
    assert keyed.events_of(Finding) == []
    assert (await keyed.create_pod(pod("p"))).phase == "Running"


async def test_16_the_end_of_the_newer_leaves_the_older(keyed: Kubelet, old: Plugin, new: Plugin) -> None:
    """Behaviour 16: when the plugin that serves a resource goes, a survivor takes its place, devices as last listed."""
    await both(keyed, old, new)
    await new.stop()
    await keyed.wait_until(lambda: keyed.events_of(StreamEnded) != [])
    await keyed.create_pod(pod("p"))

    assert keyed.allocatable == {RESOURCE: 2}
    assert keyed.resources[RESOURCE].endpoint == "old.sock"
    assert len(old.asked("Allocate")) == 1


async def test_16_the_last_end_marks_the_devices_unhealthy(keyed: Kubelet, old: Plugin, new: Plugin) -> None:
    """Behaviour 16: with the last of them gone, the resource has no healthy device."""
    await both(keyed, old, new)
    await asyncio.gather(old.stop(), new.stop())
    await keyed.wait_until(lambda: len(keyed.events_of(StreamEnded)) == 2)

    assert (keyed.capacity, keyed.allocatable) == ({RESOURCE: 2}, {RESOURCE: 0})


async def test_16_the_same_socket_twice_is_refused(keyed: Kubelet, old: Plugin) -> None:
    """Behaviour 16: later than 1.36, a registration from a socket that is connected already is refused."""
    await up(keyed, old)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await old.register()

    assert "device plugin already connected" in (caught.value.details() or "")
    assert str(old.socket) in (caught.value.details() or "")
    assert keyed.allocatable == {RESOURCE: 1}
