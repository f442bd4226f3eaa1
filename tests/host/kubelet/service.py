"""A service with fixed answers, and a kubelet's side of an endpoint, for tests of the kubelet's room."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc.aio

from devbay._proto import deviceplugin_v1beta1_pb2 as pb
from devbay.errors import DevbayError
from devbay.kubelet.service import Advertised, Given
from devbay.model import ContainerEdits
from devbay.tally import ResourceTally

RESOURCE = "example.com/widget"


def widgets(*ids: str, healthy: bool = True) -> list[Advertised]:
    """Return advertised devices."""
    return [Advertised(id=device_id, healthy=healthy) for device_id in ids]


@dataclass
class FixedService:
    """Answers what it was made with; `asked` keeps the questions."""

    edits: ContainerEdits = field(default_factory=ContainerEdits)
    error: DevbayError | None = None
    prepares: bool = False
    backend: str = "widget"
    tally: ResourceTally = field(default_factory=ResourceTally)
    asked: list[Sequence[str]] = field(default_factory=list)

    async def allocate(self, ids: Sequence[str]) -> Given:
        """Return the edits."""
        self._ask(ids)
        return Given(edits=self.edits)

    def prefer(self, available: Sequence[str], must_include: Sequence[str], size: int) -> Sequence[str]:
        """Return the first of the available ids, as many as were asked for."""
        return [*must_include, *available][:size]

    async def prepare(self, ids: Sequence[str]) -> None:
        """Do nothing."""
        self._ask(ids)

    def _ask(self, ids: Sequence[str]) -> None:
        self.asked.append(list(ids))
        if self.error is not None:
            raise self.error


class Caller:
    """A kubelet's side of one endpoint: calls by name, on a channel of its own."""

    def __init__(self, path: Path) -> None:
        options = [("grpc.use_local_subchannel_pool", 1)]
        self.channel = grpc.aio.insecure_channel(f"unix:{os.fspath(path)}", options=options)

    async def call(self, method: str, request: Any, answer: type[Any]) -> Any:
        """Make one unary call."""
        rpc: Any = self.channel.unary_unary(
            f"/v1beta1.DevicePlugin/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=answer.FromString,
        )
        return await rpc(request)

    def list_and_watch(self) -> Any:
        """Open a stream of device lists."""
        rpc: Any = self.channel.unary_stream(
            "/v1beta1.DevicePlugin/ListAndWatch",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=pb.ListAndWatchResponse.FromString,
        )
        return rpc(pb.Empty())


def ids(message: pb.ListAndWatchResponse) -> list[str]:
    """Return the ids of a list, in its order."""
    return [device.ID for device in message.devices]
