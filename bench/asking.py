"""The kubelet's side of a measurement, as light as can be: takes registrations, and calls endpoints with bytes.

The simulated kubelet reads and keeps what it is told, in the time of the one that measures; this does not.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from bench.processes import PATIENCE, Place
from devbay._proto import deviceplugin_v1beta1_pb2 as pb

_PLUGIN = "/v1beta1.DevicePlugin/"
_OPTIONS = (("grpc.max_receive_message_length", -1), ("grpc.use_local_subchannel_pool", 1))


class Desk:
    """Takes registrations, and does nothing with them.

    Attributes:
        taken: the endpoint's socket, for each registration.
    """

    def __init__(self, where: Place) -> None:
        self._where = where
        self.taken: asyncio.Queue[Path] = asyncio.Queue()

    async def _register(self, request: pb.RegisterRequest, _context: Any) -> bytes:
        self.taken.put_nowait(self._where.plugins / request.endpoint)
        return b""

    async def next(self) -> Path:
        """Return the socket of the next endpoint."""
        async with asyncio.timeout(PATIENCE):
            return await self.taken.get()

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Desk"]:
        """Listen in the kubelet's directory."""
        handlers: dict[str, Any] = {
            "Register": grpc.unary_unary_rpc_method_handler(self._register, pb.RegisterRequest.FromString, None)
        }
        server = grpc.aio.server()
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("v1beta1.Registration", handlers),))
        server.add_insecure_port(f"unix:{self._where.plugins}/kubelet.sock")
        await server.start()
        try:
            yield self
        finally:
            await server.stop(None)


class Caller:
    """Calls one endpoint; answers stay bytes."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        self._allocate: Any = channel.unary_unary(f"{_PLUGIN}Allocate")

    def stream(self) -> Any:
        """Open a ListAndWatch stream; its ``read`` returns the next message's bytes."""
        method: Any = self.channel.unary_stream(f"{_PLUGIN}ListAndWatch")
        return method(b"")

    async def allocate(self, request: bytes) -> bytes:
        """Call Allocate with a serialised request."""
        answer: bytes = await self._allocate(request)
        return answer


@asynccontextmanager
async def calling(path: Path) -> AsyncIterator[Caller]:
    """Connect to an endpoint's socket."""
    async with grpc.aio.insecure_channel(f"unix:{path}", options=_OPTIONS) as channel:
        async with asyncio.timeout(PATIENCE):
            await channel.channel_ready()
        yield Caller(channel)


def allocation(ids: Sequence[str]) -> bytes:
    """Return a serialised AllocateRequest for one container."""
    container = pb.ContainerAllocateRequest(devices_ids=ids)
    return pb.AllocateRequest(container_requests=[container]).SerializeToString()
