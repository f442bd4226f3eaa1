"""Plugins that are found by their sockets: what they are asked and told, and when they are tried again."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest

from devbay._proto import pluginregistration_v1_pb2 as v1
from devbay.simulator import Kubelet, Registered, RegistrationRefused, Timing
from tests.simulator.conftest import QUICK, pod
from tests.simulator.plugin import RESOURCE, Context, Plugin

WATCHING = replace(QUICK, watcher=0.02)


class Found(Plugin):
    """A plugin that waits to be found: it also serves what the kubelet asks of whatever it finds.

    Attributes:
        info: what it says of itself.
        told: what it was told of its registration.
    """

    def __init__(self, directory: Path, *devices: str, **info: Any) -> None:
        super().__init__(directory, *devices)
        said = {"type": "DevicePlugin", "name": RESOURCE, "endpoint": "", "supported_versions": ["v1beta1"]}
        self.info = v1.PluginInfo(**(said | info))
        self.told: list[v1.RegistrationStatus] = []
        self.refuses = 0
        self._door: grpc.aio.Server | None = None

    @property
    def door(self) -> Path:
        """Where it waits to be found."""
        return self.directory / f"reg-{self.endpoint}"

    async def serve(self, *leave_out: str) -> None:
        """Serve, and open the door."""
        self.info.endpoint = self.info.endpoint or str(self.socket)
        await super().serve(*leave_out)
        await self.open()

    async def open(self) -> None:
        """Make the socket by which it is found."""
        self._door = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        handlers: dict[str, Any] = {
            "GetInfo": grpc.unary_unary_rpc_method_handler(
                self._get_info,
                request_deserializer=v1.InfoRequest.FromString,
                response_serializer=v1.PluginInfo.SerializeToString,
            ),
            "NotifyRegistrationStatus": grpc.unary_unary_rpc_method_handler(
                self._notify,
                request_deserializer=v1.RegistrationStatus.FromString,
                response_serializer=v1.RegistrationStatusResponse.SerializeToString,
            ),
        }
        name = "pluginregistration.Registration"
        self._door.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, handlers),))
        self._door.add_insecure_port(f"unix:{self.door}")
        await self._door.start()

    async def shut(self) -> None:
        """Remove the socket by which it was found."""
        door, self._door = self._door, None
        if door is not None:
            await door.stop(None)
            self.door.unlink(missing_ok=True)

    async def stop(self) -> None:
        """Stop serving."""
        await self.shut()
        await super().stop()

    async def _get_info(self, _request: v1.InfoRequest, _context: Context) -> v1.PluginInfo:
        self.calls.append(("GetInfo", None))
        return self.info

    async def _notify(self, request: v1.RegistrationStatus, context: Context) -> v1.RegistrationStatusResponse:
        self.told.append(request)
        if self.refuses:
            self.refuses -= 1
            await context.abort(grpc.StatusCode.INTERNAL, "not now")
        return v1.RegistrationStatusResponse()


@pytest.fixture
def registry(directory: Path) -> Path:
    """Make a directory in which plugins are found."""
    path = directory / "registry"
    path.mkdir()
    return path


@pytest.fixture
async def kubelet(directory: Path, registry: Path) -> AsyncIterator[Kubelet]:
    """Run a kubelet that looks for plugins."""
    async with Kubelet(directory / "plugins", plugins_registry=registry, timing=WATCHING) as running:
        yield running


async def capacity(kubelet: Kubelet, count: int) -> None:
    """Wait until the node has so many widgets to give."""
    await kubelet.wait_until(lambda: kubelet.allocatable.get(RESOURCE, 0) == count, what=f"{count} widgets")


async def test_20_a_plugin_is_found_by_its_socket(kubelet: Kubelet, registry: Path) -> None:
    """Behaviours 20 and 21: it is asked what it is, registered without being counted, and told so; pods get devices."""
    async with Found(registry, "a", "b") as plugin:
        await capacity(kubelet, 2)
        status = await kubelet.create_pod(pod("p"))
        await kubelet.wait_until(lambda: bool(plugin.told), what="word of the registration")

        assert [(one.plugin_registered, one.error) for one in plugin.told] == [(True, "")]
        assert status.phase == "Running"
        assert kubelet.metrics.device_plugin_registration_total == {}


async def test_20_what_was_there_before_is_found(directory: Path, registry: Path) -> None:
    """Behaviour 20: sockets of before the kubelet's start are found, in directories below too, and after a restart."""
    below = registry / "below"
    below.mkdir()
    async with (
        Found(below, "a"),
        Kubelet(directory / "plugins", plugins_registry=registry, timing=WATCHING) as kubelet,
    ):
        await capacity(kubelet, 1)
        await kubelet.restart()
        await capacity(kubelet, 1)

        assert len(kubelet.events_of(Registered)) == 2


async def test_20_what_begins_with_a_dot_is_passed_over(kubelet: Kubelet, registry: Path) -> None:
    """Behaviour 20: a socket or a directory whose name begins with a dot, and a plain file, are not looked at."""
    hidden = registry / ".hidden"
    hidden.mkdir()
    (registry / "file.sock").write_text("")
    async with Found(hidden, "a") as unseen, Found(registry, "b"):
        await capacity(kubelet, 1)

        assert (unseen.calls, unseen.told) == ([], [])


@pytest.mark.parametrize(
    ("info", "error"),
    [
        (
            {"type": "CSIPlugin"},
            "RegisterPlugin error -- no handler registered for plugin type: CSIPlugin at socket {socket}",
        ),
        (
            {"supported_versions": ["v1", "v2"]},
            (
                "RegisterPlugin error -- plugin validation failed with err: manager version, v1beta1, is not among "
                "plugin supported versions [v1 v2]"
            ),
        ),
        (
            {"name": "widget"},
            (
                "RegisterPlugin error -- plugin validation failed with err: invalid name of device plugin socket: the "
                'ResourceName "widget" is invalid'
            ),
        ),
    ],
    ids=["type", "version", "name"],
)
async def test_20_what_is_wrong_with_a_plugin_is_told(
    kubelet: Kubelet, registry: Path, info: dict[str, Any], error: str
) -> None:
    """Behaviours 20 and 21: a plugin of another kind, version or name is told why, and is not registered."""
    async with Found(registry, "a", **info) as plugin:
        await kubelet.wait_until(lambda: bool(plugin.told), what="word of the refusal")

        assert plugin.told[0].plugin_registered is False
        assert plugin.told[0].error == error.format(socket=plugin.door)
        assert kubelet.events_of(Registered) == []
        await kubelet.wait_until(lambda: bool(kubelet.events_of(RegistrationRefused)), what="an event")


async def test_20_a_plugin_that_serves_nothing_is_told(directory: Path, registry: Path) -> None:
    """Behaviour 20: where the plugin's own socket cannot be reached it is told with the reason of the dial."""
    timing = replace(WATCHING, dial=0.1)
    async with Kubelet(directory / "plugins", plugins_registry=registry, timing=timing) as kubelet:
        plugin = Found(registry, "a", endpoint=f"{registry}/nobody.sock")
        await plugin.open()
        await kubelet.wait_until(lambda: bool(plugin.told), what="word of the failure")
        await plugin.shut()

        assert plugin.told[0].error == (
            "RegisterPlugin error -- plugin registration failed with err: failed to dial device plugin: context "
            "deadline exceeded"
        )


@pytest.mark.parametrize(("version", "again"), [("1.36", True), ("1.32", False)])
async def test_20_who_is_tried_again(directory: Path, registry: Path, version: str, again: bool) -> None:  # noqa: FBT001 - a case
    """Behaviour 20: a plugin that does not take the word of its registration is tried again, in 1.32 it is not."""
    async with (
        Kubelet(directory / "plugins", version=version, plugins_registry=registry, timing=WATCHING) as kubelet,
        Found(registry, "a") as plugin,
    ):
        plugin.refuses = 1
        await capacity(kubelet, 1)
        await kubelet.wait_until(lambda: bool(kubelet.events_of(RegistrationRefused)), what="the refusal")
        if again:
            await kubelet.wait_until(lambda: len(plugin.told) == 2, what="another try")
        else:
            await asyncio.sleep(0.7)  # longer than the first pause, after which there would be one

        assert len(plugin.told) == (2 if again else 1)


async def test_20_a_socket_that_goes_takes_the_plugin_with_it(kubelet: Kubelet, registry: Path) -> None:
    """Behaviour 20: when the socket is gone the plugin is disconnected; made anew it is another, and registered."""
    async with Found(registry, "a") as plugin:
        await capacity(kubelet, 1)
        await plugin.shut()
        await capacity(kubelet, 0)
        assert kubelet.capacity[RESOURCE] == 1

        await plugin.open()
        await capacity(kubelet, 1)
        assert len(kubelet.events_of(Registered)) == 2


def test_20_the_kubelet_looks_once_a_second() -> None:
    """Behaviour 20: the defaults are the kubelet's own."""
    assert Timing().watcher == 1.0
