"""Registration: what the kubelet checks, whom it calls before it answers, and the words of its refusals."""

import asyncio
import stat
import time
from pathlib import Path
from typing import Any

import grpc
import pytest

from devbay._proto import deviceplugin_v1beta1_pb2 as pb
from devbay.simulator import Kubelet, Registered, RegistrationRefused, StreamOpened, Timing
from tests.simulator.conftest import QUICK, listed, up
from tests.simulator.plugin import RESOURCE, Plugin

INVALID = 'the ResourceName "{}" is invalid'
UNSUPPORTED = 'requested API version "{}" is not supported by kubelet. Supported version is ["v1beta1"]'


async def refusal(plugin: Plugin, **fields: Any) -> tuple[grpc.StatusCode, str | None]:
    """Register, which must be refused; return the code and the text."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await plugin.register(**fields)
    return caught.value.code(), caught.value.details()


async def test_1_the_directory_is_made_and_the_socket_served(directory: Path) -> None:
    """Behaviour 1: a missing directory is made with mode 0755, and kubelet.sock is a socket in it."""
    async with Kubelet(directory / "plugins") as kubelet:
        made = (directory / "plugins").stat().st_mode

        assert stat.S_IMODE(made) == 0o755
        assert stat.S_ISSOCK(kubelet.socket.stat().st_mode)


async def test_1_a_register_message_over_4_mib_is_refused(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 1: the registry receives at most 4 MiB."""
    code, _ = await refusal(plugin, version="x" * (4 * 1024 * 1024))

    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert kubelet.metrics.device_plugin_registration_total == {}


async def test_4_registrations_are_counted_before_they_are_checked(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 4: a refused registration counts under the name it gave."""
    await refusal(plugin, version="v1alpha1")
    await refusal(plugin, resource_name="nonsense")

    assert kubelet.metrics.device_plugin_registration_total == {RESOURCE: 1, "nonsense": 1}


async def test_5_the_version_is_checked_first(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 5: a wrong version is refused with the kubelet's words and code UNKNOWN, before the name is seen."""
    answer = await refusal(plugin, version="v1", resource_name="nonsense")

    assert answer == (grpc.StatusCode.UNKNOWN, UNSUPPORTED.format("v1"))
    assert [event.reason for event in kubelet.events_of(RegistrationRefused)] == [UNSUPPORTED.format("v1")]


async def test_5_the_name_is_checked_before_the_dial(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 5: a wrong name is refused at once, though nothing serves the endpoint."""
    assert await refusal(plugin, resource_name="widget") == (grpc.StatusCode.UNKNOWN, INVALID.format("widget"))
    assert kubelet.resources == {}


async def test_5_a_plugin_that_does_not_serve_is_refused(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviours 5 and 8: the dial goes on until its time is over, then fails with the kubelet's words."""
    began = time.monotonic()
    answer = await refusal(plugin)

    assert answer == (grpc.StatusCode.UNKNOWN, "failed to dial device plugin: context deadline exceeded")
    assert time.monotonic() - began >= QUICK.dial
    assert kubelet.resources == {}


async def test_7_the_endpoint_is_joined_and_cleaned(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 7: the endpoint is taken relative to the directory, absolute or with dots as it may be."""
    await plugin.serve()
    await plugin.register(endpoint=f"/sub/..//{plugin.endpoint}")

    assert kubelet.resources[RESOURCE].endpoint == plugin.endpoint


async def test_8_a_plugin_that_serves_a_little_late_is_reached(directory: Path, plugin: Plugin) -> None:
    """Behaviour 8: the dial is tried again within its ten seconds."""
    async with Kubelet(directory) as kubelet:
        registering = asyncio.create_task(plugin.register())
        await kubelet.wait_until(lambda: kubelet.metrics.device_plugin_registration_total[RESOURCE] == 1)
        await plugin.serve()
        await registering

        await listed(kubelet, 2)


async def test_8_the_callers_deadline_ends_the_dial(directory: Path, plugin: Plugin) -> None:
    """Behaviour 8: from 1.36 the plugin's own deadline bounds the dial; nothing of the attempt remains."""
    async with Kubelet(directory) as kubelet:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await plugin.register(timeout=0.1)
        await plugin.serve()

        # Whose clock rings first is a matter of luck.
        assert caught.value.code() in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNKNOWN)
        assert kubelet.resources == {}
        assert plugin.calls == []


@pytest.mark.parametrize(("remaining", "seconds"), [(None, 10.0), (60.0, 10.0), (0.1, 0.1), (-1.0, -1.0)])
def test_8_the_dial_ends_with_the_first_deadline(remaining: float | None, seconds: float) -> None:
    """Behaviour 8: ten seconds, or what the caller has left if that is less; a caller may have no deadline."""
    assert Timing().dial_for(remaining) == seconds


async def test_8_release_1_32_dials_on_without_the_caller(directory: Path, plugin: Plugin) -> None:
    """Behaviour 8: in 1.32 a registration goes on when the plugin has given up waiting for the answer."""
    async with Kubelet(directory, version="1.32") as kubelet:
        with pytest.raises(grpc.aio.AioRpcError):
            await plugin.register(timeout=0.1)
        await plugin.serve()

        await listed(kubelet, 2)


async def test_9_options_are_asked_for_before_the_answer(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 9: Register is answered only when the plugin's options are known."""
    release = asyncio.Event()

    async def options() -> pb.DevicePluginOptions:
        await release.wait()
        return pb.DevicePluginOptions(pre_start_required=True)

    plugin.on_options = options
    await plugin.serve()
    registering = asyncio.create_task(plugin.register())
    await kubelet.wait_until(lambda: plugin.asked("GetDevicePluginOptions") != [])

    assert not registering.done()
    release.set()
    await registering
    assert kubelet.resources[RESOURCE].pre_start_required


async def test_9_options_in_the_request_are_ignored(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 9: only GetDevicePluginOptions counts."""
    await plugin.serve()
    await plugin.register(options=pb.DevicePluginOptions(pre_start_required=True))

    assert not kubelet.resources[RESOURCE].pre_start_required
    assert [event.pre_start_required for event in kubelet.events_of(Registered)] == [False]


async def test_9_a_plugin_without_options_is_refused(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 9: a plugin that does not implement GetDevicePluginOptions cannot register."""
    await plugin.serve("GetDevicePluginOptions")
    code, text = await refusal(plugin)

    assert code is grpc.StatusCode.UNKNOWN
    assert text is not None
    assert text.startswith("failed to get device plugin options: rpc error: code = Unimplemented desc = ")
    assert plugin.asked("ListAndWatch") == []
    assert kubelet.resources == {}


async def test_10_the_list_is_opened_beside_the_answer(kubelet: Kubelet, plugin: Plugin) -> None:
    """Behaviour 10: after its answer the kubelet calls ListAndWatch by itself, once."""
    await up(kubelet, plugin)

    assert [event.resource for event in kubelet.events_of(StreamOpened)] == [RESOURCE]
    assert plugin.streams == 1
    assert plugin.asked("ListAndWatch") == [None]


async def test_a_kubelet_that_stops_drops_the_registrations_it_is_dialling(directory: Path, plugin: Plugin) -> None:
    """A plugin that waits for its answer when the kubelet dies gets an error, and nothing is left over."""
    kubelet = Kubelet(directory, timing=Timing(dial=60))
    await kubelet.start()
    registering = asyncio.create_task(plugin.register())
    await kubelet.wait_until(lambda: kubelet.metrics.device_plugin_registration_total[RESOURCE] == 1)
    await kubelet.close()

    with pytest.raises(grpc.aio.AioRpcError):
        await registering
