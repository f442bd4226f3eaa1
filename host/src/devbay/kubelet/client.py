"""The one call we make to the kubelet: Register."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import grpc.aio

from devbay._proto import deviceplugin_v1beta1_pb2 as pb
from devbay.errors import KubeletUnavailable, RegistrationRefused
from devbay.kubelet.directory import FileId, file_id

VERSION = "v1beta1"
_REGISTER = "/v1beta1.Registration/Register"
_OPTIONS = (
    # Channels to one address share a subchannel and its back-off of a second by default.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_retries", 0),
)
_ANSWER = 15.0
"""Seconds. The kubelet dials us for up to 10 s before it answers."""

_NOT_THERE = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED})


class Registrar:
    """Registers resources with the kubelet that listens on one socket.

    A channel lives for one burst of calls to one kubelet: fifty resources that register at once share one, and after a
    failure, or with a new kubelet.sock, the next call has a fresh one.
    """

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._channel: grpc.aio.Channel | None = None
        self._to: FileId | None = None
        self._calls: dict[grpc.aio.Channel, int] = {}

    async def register(self, resource: str, endpoint: str, options: pb.DevicePluginOptions) -> None:
        """Ask the kubelet to register a resource that is served on the socket named `endpoint`.

        Raises:
            KubeletUnavailable: it could not be reached, or did not answer in time.
            RegistrationRefused: it answered with an error, whose text is passed on.
        """
        request = pb.RegisterRequest(version=VERSION, endpoint=endpoint, resource_name=resource, options=options)
        async with self._borrowed() as channel:
            call = channel.unary_unary(
                _REGISTER,
                request_serializer=pb.RegisterRequest.SerializeToString,
                response_deserializer=pb.Empty.FromString,
            )
            try:
                await call(request, timeout=_ANSWER)
            except grpc.aio.AioRpcError as error:
                if error.code() in _NOT_THERE:
                    self._channel = None
                    raise KubeletUnavailable(f"the kubelet did not answer: {error.details()}") from None
                raise RegistrationRefused(f"the kubelet refused {resource}: {error.details()}") from None

    @asynccontextmanager
    async def _borrowed(self) -> AsyncIterator[grpc.aio.Channel]:
        """Lend the channel of the current burst, or start one; the last to give a channel back closes it."""
        kubelet = file_id(self._socket)
        if self._channel is None or self._to != kubelet:
            self._channel = grpc.aio.insecure_channel(f"unix:{os.fspath(self._socket)}", options=_OPTIONS)
            self._to = kubelet
        channel = self._channel
        self._calls[channel] = self._calls.get(channel, 0) + 1
        try:
            yield channel
        finally:
            self._calls[channel] -= 1
            if not self._calls[channel]:
                del self._calls[channel]
                self._channel = None if self._channel is channel else self._channel
                await channel.close()
