"""One endpoint on a real socket, called as a kubelet calls it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from devbay._proto import deviceplugin_v1beta1_pb2 as pb
from devbay.errors import BackendBug, CallTimeout, DeliveryError, KubeletDirectoryError, UnhealthyDevice, UnknownDevice
from devbay.kubelet.endpoint import DeviceList, Endpoint
from devbay.model import ContainerEdits
from tests.host.kubelet.service import RESOURCE, Caller, FixedService, ids, widgets


@dataclass
class Served:
    """An endpoint that serves, and what it told about its streams."""

    service: FixedService
    devices: DeviceList
    endpoint: Endpoint
    caller: Caller
    told: "asyncio.Queue[str]" = field(default_factory=asyncio.Queue)


@pytest.fixture
async def served(place: Path) -> AsyncIterator[Served]:
    """Serve a resource with two widgets on a socket, with a caller connected to it."""
    service, devices = FixedService(), DeviceList()
    devices.publish(widgets("a", "b"))
    told: asyncio.Queue[str] = asyncio.Queue()
    endpoint = Endpoint(
        RESOURCE,
        service,
        devices,
        opened=lambda: told.put_nowait("opened"),
        ended=lambda: told.put_nowait("ended"),
    )
    await endpoint.serve(place / "e.sock")
    caller = Caller(place / "e.sock")
    yield Served(service, devices, endpoint, caller, told)
    await caller.channel.close()
    await endpoint.close()


@pytest.mark.parametrize("prepares", [True, False])
async def test_options_follow_from_the_hooks(served: Served, *, prepares: bool) -> None:
    """PreStartContainer is announced where the backend prepares; a preference can always be had."""
    served.service.prepares = prepares

    options = await served.caller.call("GetDevicePluginOptions", pb.Empty(), pb.DevicePluginOptions)

    expected = pb.DevicePluginOptions(pre_start_required=prepares, get_preferred_allocation_available=True)
    assert options == expected


async def test_a_list_is_sent_at_once_and_when_it_changes(served: Served) -> None:
    """A stream gets the list, then each change, and nothing when nothing changed (P9)."""
    stream = served.caller.list_and_watch()
    assert ids(await stream.read()) == ["a", "b"]

    assert not served.devices.publish(widgets("b", "a"))
    assert served.devices.publish(widgets("a", "b", "c"))

    assert ids(await stream.read()) == ["a", "b", "c"]


async def test_no_stream_takes_anothers_message(served: Served, place: Path) -> None:
    """Each of two streams gets every change (P9)."""
    other = Caller(place / "e.sock")
    streams = [served.caller.list_and_watch(), other.list_and_watch()]
    for stream in streams:
        await stream.read()

    served.devices.publish(widgets("c"))

    assert [ids(await stream.read()) for stream in streams] == [["c"], ["c"]]
    await other.channel.close()


async def test_a_slow_stream_gets_the_newest_list(served: Served) -> None:
    """Changes that come faster than they are read are merged (P9)."""
    stream = served.caller.list_and_watch()
    assert ids(await stream.read()) == ["a", "b"]

    for number in range(100):
        served.devices.publish(widgets(f"w{number}"))

    assert ids(await stream.read()) == ["w99"]


async def test_streams_are_told_of_once(served: Served, place: Path) -> None:
    """The first stream that opens and the last one that ends are told, and none between (P6)."""
    other = Caller(place / "e.sock")
    first, second = served.caller.list_and_watch(), other.list_and_watch()
    await first.read()
    await second.read()
    first.cancel()
    second.cancel()

    assert [await served.told.get(), await served.told.get()] == ["opened", "ended"]
    assert served.told.empty()
    await other.channel.close()


async def test_allocate_passes_the_ids_in_order(served: Served) -> None:
    """Each container request has its answer, in order, for the ids in the request's order (P14)."""
    served.service.edits = ContainerEdits(env={"A": "1"})
    request = pb.AllocateRequest(
        container_requests=[
            pb.ContainerAllocateRequest(devices_ids=["b", "a"]),
            pb.ContainerAllocateRequest(devices_ids=["c"]),
        ]
    )

    answer = await served.caller.call("Allocate", request, pb.AllocateResponse)

    assert served.service.asked == [["b", "a"], ["c"]]
    assert list(answer.container_responses) == [pb.ContainerAllocateResponse(envs={"A": "1"})] * 2


@pytest.mark.parametrize("method", ["Allocate", "PreStartContainer"])
@pytest.mark.parametrize(
    ("error", "code"),
    [
        pytest.param(UnknownDevice("no device x"), grpc.StatusCode.NOT_FOUND, id="unknown"),
        pytest.param(UnhealthyDevice("device x is hot"), grpc.StatusCode.FAILED_PRECONDITION, id="unhealthy"),
        pytest.param(CallTimeout("too slow"), grpc.StatusCode.DEADLINE_EXCEEDED, id="slow"),
        pytest.param(DeliveryError("disk full"), grpc.StatusCode.UNAVAILABLE, id="undeliverable"),
        pytest.param(BackendBug("w 1.0: edit raised"), grpc.StatusCode.INTERNAL, id="bug"),
    ],
)
async def test_an_error_is_told_in_its_own_words(
    served: Served, method: str, error: Any, code: grpc.StatusCode
) -> None:
    """What goes wrong reaches the kubelet with its text, which becomes the pod's event (P14)."""
    served.service.error = error
    container = pb.ContainerAllocateRequest(devices_ids=["x"])
    requests = {
        "Allocate": (pb.AllocateRequest(container_requests=[container]), pb.AllocateResponse),
        "PreStartContainer": (pb.PreStartContainerRequest(devices_ids=["x"]), pb.PreStartContainerResponse),
    }

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await served.caller.call(method, *requests[method])

    assert (caught.value.code(), caught.value.details()) == (code, str(error))


async def test_a_preference_is_answered_per_container(served: Served) -> None:
    """GetPreferredAllocation answers each container request, in order (P15)."""
    wish = pb.ContainerPreferredAllocationRequest(available_deviceIDs=["a", "b"], allocation_size=1)
    request = pb.PreferredAllocationRequest(container_requests=[wish, wish])

    answer = await served.caller.call("GetPreferredAllocation", request, pb.PreferredAllocationResponse)

    assert [list(container.deviceIDs) for container in answer.container_responses] == [["a"], ["a"]]


async def test_closing_ends_the_streams(served: Served, place: Path) -> None:
    """An endpoint that closes ends its streams and takes its socket with it (P22)."""
    stream = served.caller.list_and_watch()
    await stream.read()

    await served.endpoint.close()

    with pytest.raises(grpc.aio.AioRpcError):
        await stream.read()
    assert not (place / "e.sock").exists()


async def test_a_list_is_known_to_be_delivered(served: Served) -> None:
    """What must be read before the end is waited for (P11)."""
    stream = served.caller.list_and_watch()
    await stream.read()
    served.devices.publish(())

    await served.devices.delivered(patience=10)

    assert ids(await stream.read()) == []


async def test_a_socket_that_cannot_be_made_is_an_error(place: Path) -> None:
    """A path that refuses a socket is named (P4)."""
    endpoint = Endpoint(RESOURCE, FixedService(), DeviceList(), opened=lambda: None, ended=lambda: None)

    with pytest.raises(KubeletDirectoryError, match="cannot listen on"):
        await endpoint.serve(place / "missing" / "e.sock")
