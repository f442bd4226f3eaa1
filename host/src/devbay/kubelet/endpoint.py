"""One endpoint: the gRPC server of one resource, on a socket of its own, and the list that its streams follow."""

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from pathlib import Path
from typing import Any, TypeAlias

import grpc
import grpc.aio
import structlog

from devbay._proto import deviceplugin_v1beta1_pb2 as pb
from devbay.errors import (
    AllocationError,
    BackendBug,
    CallTimeout,
    DeliveryError,
    DevbayError,
    KubeletDirectoryError,
    UnhealthyDevice,
    UnknownDevice,
)
from devbay.kubelet import messages
from devbay.kubelet.service import Advertised, Service

# Quoted: grpc's classes are generic in their stubs only.
_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
_Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"

_SERVICE = "v1beta1.DevicePlugin"
_CODES: dict[type[DevbayError], grpc.StatusCode] = {
    UnknownDevice: grpc.StatusCode.NOT_FOUND,
    UnhealthyDevice: grpc.StatusCode.FAILED_PRECONDITION,
    DeliveryError: grpc.StatusCode.UNAVAILABLE,  # the node's fault, and not the pod's
    AllocationError: grpc.StatusCode.INVALID_ARGUMENT,
    CallTimeout: grpc.StatusCode.DEADLINE_EXCEEDED,
    BackendBug: grpc.StatusCode.INTERNAL,
}


MOST_BYTES = 4 * 1024 * 1024
"""Of one message to the kubelet: gRPC's own limit, since it sets none (pkg/kubelet/cm/devicemanager/plugin/v1beta1).

It ends the stream of a list that is longer, and the resource is gone.
"""


class ListTooLong(Exception):  # noqa: N818 - says what was asked for; whose list it is, is known where it is caught
    """A list that the kubelet would not read; the error says how long it is."""


class DeviceList:
    """The current list of a resource, as a message, and everyone who follows it.

    Every follower has its own place, so none can take another's news; one that is slow gets the newest list and not
    each one between. Outlives the endpoints of its resource.
    """

    def __init__(self, most: int = MOST_BYTES) -> None:
        """Begin with an empty list; `most` is how many bytes one may have."""
        self._most = most
        self._message = messages.device_list(())
        self._changed = asyncio.Event()
        self._places: dict[object, bytes | None] = {}
        self._progress = asyncio.Event()

    def publish(self, devices: Iterable[Advertised]) -> bool:
        """Make `devices` the list; return whether that changed it.

        Raises:
            ListTooLong: it has too many bytes; the list stays as it was.
        """
        listed = list(devices)
        message = messages.device_list(listed)
        if len(message) > self._most:
            raise ListTooLong(
                f"its list of {len(listed)} ids has {len(message)} bytes, and the kubelet reads {self._most} at most"
            )
        if message == self._message:
            return False
        self._message = message
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
        return True

    async def follow(self) -> AsyncGenerator[bytes, None]:
        """Yield the list, and then each newer one, for ever."""
        place = object()
        self._places[place] = None
        try:
            while True:
                changed = self._changed
                if self._places[place] == self._message:
                    await changed.wait()
                    continue
                message = self._message
                yield message
                self._places[place] = message  # taken: whoever follows has come back for more
                self._progress.set()
        finally:
            del self._places[place]
            self._progress.set()

    async def delivered(self, patience: float) -> None:
        """Wait until every follower has taken the current list, but no more than `patience` seconds."""
        try:
            async with asyncio.timeout(patience):
                while any(taken != self._message for taken in self._places.values()):
                    self._progress.clear()
                    await self._progress.wait()
        except TimeoutError:
            return


class Endpoint:
    """Serves one resource on one socket, once. What happens to its streams is told through the two callbacks.

    Attributes:
        streams: how many are open.
    """

    def __init__(
        self,
        resource: str,
        service: Service,
        devices: DeviceList,
        *,
        opened: Callable[[], None],
        ended: Callable[[], None],
    ) -> None:
        self._service = service
        self._devices = devices
        self._opened = opened
        self._ended = ended
        self._tally = service.tally
        self.streams = 0
        self._server: grpc.aio.Server | None = None
        self._log = structlog.get_logger().bind(resource=resource, backend=service.backend)

    @property
    def options(self) -> pb.DevicePluginOptions:
        """What the kubelet may ask of this resource."""
        return pb.DevicePluginOptions(
            pre_start_required=self._service.prepares, get_preferred_allocation_available=True
        )

    async def serve(self, path: Path) -> None:
        """Listen on `path`. Returns when calls are answered.

        Raises:
            KubeletDirectoryError: the socket cannot be made.
        """
        server = grpc.aio.server()
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, self._handlers()),))
        try:
            server.add_insecure_port(f"unix:{os.fspath(path)}")
            await server.start()
        except RuntimeError as error:
            raise KubeletDirectoryError(f"cannot listen on {path}: {error}") from None
        self._server = server

    async def close(self) -> None:
        """End the streams, then the server. The socket's file goes with it."""
        if (server := self._server) is not None:
            self._server = None
            await server.stop(None)

    def _handlers(self) -> dict[str, _Handler]:
        def unary(answer: Callable[..., Any], request: Any) -> _Handler:
            # Answers are bytes already: a list or an allocation is built once and sent often.
            return grpc.unary_unary_rpc_method_handler(answer, request.FromString, None)

        return {
            "GetDevicePluginOptions": unary(self._get_options, pb.Empty),
            "ListAndWatch": grpc.unary_stream_rpc_method_handler(self._list_and_watch, pb.Empty.FromString, None),
            "GetPreferredAllocation": unary(self._get_preferred, pb.PreferredAllocationRequest),
            "Allocate": unary(self._allocate, pb.AllocateRequest),
            "PreStartContainer": unary(self._pre_start, pb.PreStartContainerRequest),
        }

    async def _get_options(self, _request: pb.Empty, _context: _Context) -> bytes:
        return self.options.SerializeToString()

    async def _list_and_watch(self, _request: pb.Empty, context: _Context) -> None:
        self.streams += 1
        self._log.info("ListAndWatch opened", streams=self.streams)
        if self.streams == 1:
            self._opened()
        follow = self._devices.follow()
        try:
            async for message in follow:
                await context.write(message)
        finally:
            await follow.aclose()
            self.streams -= 1
            self._log.debug("ListAndWatch ended", streams=self.streams)
            if not self.streams:
                self._ended()

    async def _get_preferred(self, request: pb.PreferredAllocationRequest, _context: _Context) -> bytes:
        answers = [
            self._service.prefer(r.available_deviceIDs, r.must_include_deviceIDs, r.allocation_size)
            for r in request.container_requests
        ]
        self._tally.preferred += 1
        self._log.debug("GetPreferredAllocation", devices=[list(answer) for answer in answers])
        return messages.preferred_response(answers)

    async def _allocate(self, request: pb.AllocateRequest, context: _Context) -> bytes:
        started = time.perf_counter()
        asked = [list(container.devices_ids) for container in request.container_requests]
        try:
            given = [await self._service.allocate(ids) for ids in asked]
        except DevbayError as error:
            self._tally.failures[type(error).__name__] += 1
            self._log.error("Allocate failed", devices=_flat(asked), reason=str(error))
            await context.abort(_code(error), str(error))
        took = time.perf_counter() - started
        self._tally.allocations.add(took)
        self._tally.containers += len(given)
        self._log.info("Allocate", devices=_flat(asked), ms=round(took * 1e3, 2))
        return messages.allocate_response(given)

    async def _pre_start(self, request: pb.PreStartContainerRequest, context: _Context) -> bytes:
        ids = list(request.devices_ids)
        try:
            await self._service.prepare(ids)
        except DevbayError as error:
            self._tally.failures[type(error).__name__] += 1
            self._log.error("PreStartContainer failed", devices=ids, reason=str(error))
            await context.abort(_code(error), str(error))
        self._log.info("PreStartContainer", devices=ids)
        return b""


def _flat(asked: list[list[str]]) -> list[str]:
    return [device_id for ids in asked for device_id in ids]


def _code(error: DevbayError) -> grpc.StatusCode:
    return next((code for kind, code in _CODES.items() if isinstance(error, kind)), grpc.StatusCode.UNAVAILABLE)
