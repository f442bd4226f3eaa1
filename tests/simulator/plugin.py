"""A device plugin of a few lines, on a real grpc.aio server, that does what a test tells it to.

It shares nothing with the host. Every call it got is in `calls`; what it answers are attributes and functions that a
test may replace at any time. With `hold` it opens streams and sends nothing.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc

from devbay._proto import deviceplugin_v1beta1_pb2 as pb

RESOURCE = "example.com/widget"

Context = grpc.aio.ServicerContext[Any, Any]
_numbers = itertools.count()


def device(device_id: str, health: str = "Healthy", *nodes: int) -> pb.Device:
    """Return a device for a list; NUMA nodes only where given."""
    topology = pb.TopologyInfo(nodes=[pb.NUMANode(ID=node) for node in nodes]) if nodes else None
    return pb.Device(ID=device_id, health=health, topology=topology)


def response(**fields: Any) -> pb.AllocateResponse:
    """Return an Allocate answer with one container response."""
    return pb.AllocateResponse(container_responses=[pb.ContainerAllocateResponse(**fields)])


class Plugin:
    """A plugin for `resource` in the kubelet's `directory`."""

    def __init__(self, directory: Path, *devices: str | pb.Device, resource: str = RESOURCE, name: str = "") -> None:
        self.directory = directory
        self.resource = resource
        self.endpoint = name or f"plugin-{next(_numbers)}.sock"
        self.options = pb.DevicePluginOptions()
        self.devices = [device(item) if isinstance(item, str) else item for item in devices]
        self.calls: list[tuple[str, Any]] = []
        self.streams = 0
        self.hold = False
        self.on_allocate: Callable[[Sequence[str]], Awaitable[pb.AllocateResponse]] = self._allocate
        self.on_prefer: Callable[[Any], Awaitable[Sequence[str]]] = self._prefer
        self.on_pre_start: Callable[[Sequence[str]], Awaitable[None]] = self._pre_start
        self.on_options: Callable[[], Awaitable[pb.DevicePluginOptions]] = self._options
        self._changed = asyncio.Event()
        self._end = asyncio.Event()
        self._server: grpc.aio.Server | None = None

    @property
    def socket(self) -> Path:
        """Where it serves."""
        return self.directory / self.endpoint

    async def __aenter__(self) -> Self:
        await self.serve()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def serve(self, *leave_out: str) -> None:
        """Serve, without the methods named; nothing where it serves already."""
        if self._server is not None:
            return
        server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        unary: dict[str, tuple[Any, Any, Any]] = {
            "GetDevicePluginOptions": (self._get_options, pb.Empty, pb.DevicePluginOptions),
            "Allocate": (self._get_allocate, pb.AllocateRequest, pb.AllocateResponse),
            "GetPreferredAllocation": (
                self._get_preferred,
                pb.PreferredAllocationRequest,
                pb.PreferredAllocationResponse,
            ),
            "PreStartContainer": (self._get_pre_start, pb.PreStartContainerRequest, pb.PreStartContainerResponse),
        }
        handlers: dict[str, Any] = {
            name: grpc.unary_unary_rpc_method_handler(
                function, request_deserializer=kind.FromString, response_serializer=answer.SerializeToString
            )
            for name, (function, kind, answer) in unary.items()
            if name not in leave_out
        }
        handlers["ListAndWatch"] = grpc.unary_stream_rpc_method_handler(
            self._watch,
            request_deserializer=pb.Empty.FromString,
            response_serializer=pb.ListAndWatchResponse.SerializeToString,
        )
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("v1beta1.DevicePlugin", handlers),))
        server.add_insecure_port(f"unix:{self.socket}")
        await server.start()
        self._server = server

    async def stop(self) -> None:
        """Stop serving: streams and connections end."""
        server, self._server = self._server, None
        if server is not None:
            await server.stop(None)

    async def register(self, timeout: float = 5, **fields: Any) -> None:  # noqa: ASYNC109 - it is the call's own
        """Register with the kubelet; `fields` replace those of the request."""
        request = pb.RegisterRequest(
            **{"version": "v1beta1", "endpoint": self.endpoint, "resource_name": self.resource, **fields}
        )
        options = [("grpc.use_local_subchannel_pool", 1)]
        async with grpc.aio.insecure_channel(f"unix:{self.directory}/kubelet.sock", options=options) as channel:
            method = channel.unary_unary(
                "/v1beta1.Registration/Register",
                request_serializer=pb.RegisterRequest.SerializeToString,
                response_deserializer=pb.Empty.FromString,
            )
            await method(request, timeout=timeout)

    def send(self, *devices: str | pb.Device) -> None:
        """Send a new list on every stream."""
        self.devices = [device(item) if isinstance(item, str) else item for item in devices]
        self._changed.set()
        self._changed = asyncio.Event()

    def end_streams(self) -> None:
        """Return from every ListAndWatch handler."""
        self._end.set()
        self._changed.set()
        self._end, self._changed = asyncio.Event(), asyncio.Event()

    def asked(self, method: str) -> list[Any]:
        """Return what was asked of one method, in order."""
        return [argument for name, argument in self.calls if name == method]

    async def _watch(self, _request: pb.Empty, _context: Context) -> AsyncIterator[pb.ListAndWatchResponse]:
        self.calls.append(("ListAndWatch", None))
        self.streams += 1
        end = self._end
        try:
            while not end.is_set():
                changed = self._changed
                if not self.hold:
                    yield pb.ListAndWatchResponse(devices=self.devices)
                await changed.wait()
        finally:
            self.streams -= 1

    async def _get_options(self, _request: pb.Empty, _context: Context) -> pb.DevicePluginOptions:
        self.calls.append(("GetDevicePluginOptions", None))
        return await self.on_options()

    async def _get_allocate(self, request: pb.AllocateRequest, context: Context) -> pb.AllocateResponse:
        assert len(request.container_requests) == 1
        ids = list(request.container_requests[0].devices_ids)
        self.calls.append(("Allocate", ids))
        try:
            return await self.on_allocate(ids)
        except ValueError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))

    async def _get_preferred(
        self, request: pb.PreferredAllocationRequest, context: Context
    ) -> pb.PreferredAllocationResponse:
        wish = request.container_requests[0]
        self.calls.append(("GetPreferredAllocation", wish))
        try:
            ids = await self.on_prefer(wish)
        except ValueError as error:
            await context.abort(grpc.StatusCode.INTERNAL, str(error))
        return pb.PreferredAllocationResponse(
            container_responses=[pb.ContainerPreferredAllocationResponse(deviceIDs=ids)]
        )

    async def _get_pre_start(
        self, request: pb.PreStartContainerRequest, context: Context
    ) -> pb.PreStartContainerResponse:
        ids = list(request.devices_ids)
        self.calls.append(("PreStartContainer", ids))
        try:
            await self.on_pre_start(ids)
        except ValueError as error:
            await context.abort(grpc.StatusCode.INTERNAL, str(error))
        return pb.PreStartContainerResponse()

    async def _options(self) -> pb.DevicePluginOptions:
        return self.options

    async def _allocate(self, ids: Sequence[str]) -> pb.AllocateResponse:
        return response(envs={"WIDGETS": ",".join(sorted(ids))})

    async def _prefer(self, wish: Any) -> Sequence[str]:
        return sorted(wish.available_deviceIDs)[: wish.allocation_size]

    async def _pre_start(self, ids: Sequence[str]) -> None:
        """Do nothing."""
