"""The kubelet's client of one plugin: one connection, one ListAndWatch stream, the calls.

DMP/client.go. It never reconnects: when its stream ends it is over, and a new registration makes a new one.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import grpc

from devbay._proto import deviceplugin_v1beta1_pb2 as pb
from devbay.simulator import wire
from devbay.simulator.answers import Answer
from devbay.simulator.devices import Device
from devbay.simulator.endpoints import Options, RpcError

_T = TypeVar("_T")

_CLOSING = "rpc error: code = Canceled desc = grpc: the client connection is closing"
_GO_CODES = {"CANCELLED": "Canceled", "OK": "OK"}


def go_error(code: grpc.StatusCode, details: str | None) -> str:
    """Return a gRPC error as Go prints it.

    >>> go_error(grpc.StatusCode.INVALID_ARGUMENT, "no such device")
    'rpc error: code = InvalidArgument desc = no such device'
    """
    name = _GO_CODES.get(code.name) or "".join(part.capitalize() for part in code.name.split("_"))
    return f"rpc error: code = {name} desc = {details or ''}"


class PluginClient:
    """A client of the plugin that serves `resource` at `socket`."""

    def __init__(self, resource: str, socket: str) -> None:
        self.resource = resource
        self._socket = socket
        self._connected = False
        self._channel = grpc.aio.insecure_channel(
            f"unix:{socket}",
            options=[
                ("grpc.default_authority", "localhost"),  # DMP/client.go:134
                ("grpc.max_receive_message_length", wire.LIMIT),
                ("grpc.max_send_message_length", -1),
                # Else connections of two registrations share one back-off, and a fresh one waits for an old failure.
                ("grpc.use_local_subchannel_pool", 1),
            ],
        )

    @property
    def socket(self) -> str:
        """The path of the plugin's socket."""
        return self._socket

    async def dial(self, seconds: float) -> None:
        """Connect, trying for so many seconds (DMP/client.go:131-142, behaviour 8)."""
        try:
            async with asyncio.timeout(seconds):  # not wait_for, which may swallow a stop before Python 3.12
                await self._channel.channel_ready()
        except TimeoutError:
            raise RpcError("failed to dial device plugin: context deadline exceeded") from None
        self._connected = True

    async def options(self) -> Options:
        """Call GetDevicePluginOptions, which has no deadline of its own (DM/manager.go:230)."""
        return wire.options(await self._call("GetDevicePluginOptions", pb.Empty(), pb.DevicePluginOptions.FromString))

    async def watch(self, received: Callable[[list[Device]], None]) -> str:
        """Call ListAndWatch, hand over every message, and return why the stream ended (DMP/client.go:81-100).

        Its end is the same to the kubelet whether the plugin returned, died or sent too much (behaviour 12, 22).
        """
        method = self._channel.unary_stream(
            f"{wire.SERVICE}ListAndWatch",
            request_serializer=pb.Empty.SerializeToString,
            response_deserializer=pb.ListAndWatchResponse.FromString,
        )
        try:
            call = method(pb.Empty())
            async for message in call:
                received(wire.devices(message.devices))
        except grpc.aio.AioRpcError as error:
            return go_error(error.code(), error.details())
        except grpc.aio.UsageError:  # the channel was closed before the call
            return _CLOSING
        except asyncio.CancelledError:
            if _task_cancelled():
                raise
            return _CLOSING
        return "EOF"

    async def allocate(self, ids: Sequence[str]) -> list[Answer]:
        """Call Allocate for one container, without a deadline (DM/endpoint.go:102-111, behaviours 37 and 38)."""
        request = pb.AllocateRequest(container_requests=[pb.ContainerAllocateRequest(devices_ids=ids)])
        response = await self._call("Allocate", request, pb.AllocateResponse.FromString)
        return [wire.answer(message) for message in response.container_responses]

    async def prefer(self, available: Sequence[str], must_include: Sequence[str], size: int) -> list[str]:
        """Call GetPreferredAllocation for one container, without a deadline (DM/endpoint.go:86-99)."""
        request = pb.PreferredAllocationRequest(
            container_requests=[
                pb.ContainerPreferredAllocationRequest(
                    available_deviceIDs=available, must_include_deviceIDs=must_include, allocation_size=size
                )
            ]
        )
        response = await self._call("GetPreferredAllocation", request, pb.PreferredAllocationResponse.FromString)
        return list(response.container_responses[0].deviceIDs) if response.container_responses else []

    async def pre_start(self, ids: Sequence[str], seconds: float) -> None:
        """Call PreStartContainer with its deadline (DM/endpoint.go:114-123)."""
        request = pb.PreStartContainerRequest(devices_ids=ids)
        await self._call("PreStartContainer", request, pb.PreStartContainerResponse.FromString, seconds)

    async def disconnect(self) -> None:
        """Close the connection if there is one yet: a dial in progress goes on (DMP/client.go:103)."""
        if self._connected:
            await self.close()

    async def close(self) -> None:
        """Close the connection; calls in flight end as cancelled."""
        await self._channel.close()

    async def _call(self, method: str, request: Any, parse: Callable[[bytes], _T], seconds: float | None = None) -> _T:
        unary = self._channel.unary_unary(
            wire.SERVICE + method, request_serializer=type(request).SerializeToString, response_deserializer=parse
        )
        try:
            call: Awaitable[_T] = unary(request, timeout=seconds)
            return await call
        except grpc.aio.AioRpcError as error:
            raise RpcError(go_error(error.code(), error.details())) from error
        except grpc.aio.UsageError:  # the channel was closed before the call
            raise RpcError(_CLOSING) from None
        except asyncio.CancelledError:
            if _task_cancelled():
                raise
            raise RpcError(_CLOSING) from None


def _task_cancelled() -> bool:
    """Say whether we are cancelled ourselves: grpc also raises CancelledError where only its call was."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
