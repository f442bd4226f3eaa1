"""The kubelet's pod-resources socket: who holds which devices, by its own word. Version v1 of the API.

The socket is optional, and so is its answer: that it is absent, restarts, limits its callers or hangs is normal, and is
a `Silent` with the reason and a sentence for people, never an exception. Each call has a channel of its own, since a
kept one would bring its back-off along. What follows from answers is decided in `devbay.custody`.
"""

import asyncio
import errno
import os
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from devbay._proto import podresources_v1_pb2 as pb
from devbay.holders import Container, Holders, Look, Replica
from devbay.kubelet.directory import MAX_PATH, file_id, refusal

SOCKET = Path("/var/lib/kubelet/pod-resources/kubelet.sock")
"""Where it is by default: below the kubelet's ``--root-dir``, which the device plugin directory does not follow."""

_SERVICE = "/v1.PodResourcesLister/"
_LARGEST = 256 * 1024 * 1024
"""Bytes in an answer. gRPC's own limit of 4 MiB would be some fifty thousand devices, over all of a node's pods."""

_OPTIONS = (
    # Channels to one address share a subchannel and its back-off of a second by default.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_retries", 0),
    ("grpc.max_receive_message_length", _LARGEST),
)
_T = TypeVar("_T")


class Why(Enum):
    """Why there is no answer."""

    ABSENT = "absent"
    """There is no socket: no kubelet yet, or its directory is not mounted here."""
    FORBIDDEN = "forbidden"
    """The socket does not let us in."""
    DOWN = "down"
    """There is a socket and nobody behind it, or the kubelet went away meanwhile: it restarts."""
    LATE = "late"
    """No answer within the deadline."""
    LIMITED = "limited"
    """The kubelet answers so many calls a second, of all its clients together."""
    UNSUPPORTED = "unsupported"
    """This kubelet does not have the call, or has it switched off."""
    REFUSED = "refused"
    """The kubelet answered with an error of another kind; its text is passed on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silent:
    """No answer: a normal state. It says nothing about who holds what.

    Attributes:
        why: for what decides.
        reason: the same as a sentence for people, with what to do.
    """

    why: Why
    reason: str


class PodResources:
    """Asks the kubelet that listens on `socket`; each call may take `deadline` seconds. `clock` dates the questions."""

    def __init__(
        self, socket: Path = SOCKET, *, deadline: float = 5.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.socket = socket
        self._deadline = deadline
        self._clock = clock
        self._last: tuple[tuple[bytes, Collection[str] | None] | None, Holders] = None, Holders()

    async def list(self, resources: Collection[str] | None = None) -> Look | Silent:
        """Ask who holds what, of these resources only where given. The kubelet frees what ended pods had, first.

        `custody` is told of all of them: it takes what an answer leaves out for gone.
        """
        asked, kubelet = self._clock(), file_id(self.socket)
        known = frozenset(resources) if resources is not None else None
        response = await self._ask("List", pb.ListPodResourcesRequest(), lambda answer: self._listed(answer, known))
        if isinstance(response, Silent):
            return response
        if file_id(self.socket) != kubelet:  # nobody can tell which of the two it was
            return self._silent(Why.DOWN, "was made anew while it was asked: the kubelet restarts")
        return Look(holders=response, kubelet=kubelet, asked=asked)

    def _listed(self, answer: bytes, resources: Collection[str] | None) -> Holders:
        """Read an answer to List; one that says what the last one did is not read again."""
        said, before = self._last
        if said != (answer, resources):
            before = holders(pb.ListPodResourcesResponse.FromString(answer).pod_resources, resources)
            self._last = (answer, resources), before
        return before

    async def get(self, namespace: str, pod: str) -> Holders | Silent:
        """Ask what the containers of one pod hold; without a pod of that name the call is refused. Since 1.27."""
        request = pb.GetPodResourcesRequest(pod_name=pod, pod_namespace=namespace)
        response = await self._ask("Get", request, pb.GetPodResourcesResponse.FromString)
        return response if isinstance(response, Silent) else holders([response.pod_resources])

    async def allocatable(self) -> Mapping[Replica, tuple[int, ...]] | Silent:
        """Ask for every healthy id that the kubelet knows, in use or not, with its NUMA nodes: none where unknown."""
        request = pb.AllocatableResourcesRequest()
        response = await self._ask("GetAllocatableResources", request, pb.AllocatableResourcesResponse.FromString)
        if isinstance(response, Silent):
            return response
        nodes: dict[Replica, set[int]] = {}
        for entry in response.devices:  # a device near two nodes comes twice
            for advertised_id in entry.device_ids:
                known = nodes.setdefault(Replica(entry.resource_name, advertised_id), set())
                known.update(node.ID for node in entry.topology.nodes)
        return {replica: tuple(sorted(known)) for replica, known in sorted(nodes.items())}

    async def _ask(self, method: str, request: Any, parse: Callable[[bytes], _T]) -> _T | Silent:
        if (silent := self._unseen()) is not None:
            return silent
        async with grpc.aio.insecure_channel(f"unix:{os.fspath(self.socket)}", options=_OPTIONS) as channel:
            call: grpc.aio.UnaryUnaryMultiCallable[Any, bytes] = channel.unary_unary(
                _SERVICE + method, request_serializer=type(request).SerializeToString
            )
            try:
                answer = await call(request, timeout=self._deadline)
            except grpc.aio.AioRpcError as error:
                return self._failed(method, error)
        try:
            return await asyncio.to_thread(parse, answer)  # a large node's takes a second
        except DecodeError as error:
            return self._silent(Why.REFUSED, f"answered {method} with what is no message of it: {error}")

    def _unseen(self) -> Silent | None:
        """Say why there is no socket to ask, where there is none."""
        if (length := len(os.fsencode(self.socket))) > MAX_PATH:
            return self._silent(
                Why.ABSENT, f"cannot be: its path has {length} bytes, and a socket's may have {MAX_PATH}"
            )
        try:
            self.socket.lstat()
        except PermissionError:
            return self._forbidden()
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                return self._silent(Why.ABSENT, f"cannot be looked at: {error.strerror}")
            if self.socket.parent.is_dir():
                return self._silent(Why.ABSENT, "is not there: the kubelet has not made it yet")
            return self._silent(
                Why.ABSENT, f"is not there: {self.socket.parent} is not mounted here, or has no kubelet"
            )
        return None

    def _failed(self, method: str, error: grpc.aio.AioRpcError) -> Silent:
        text = error.details() or error.code().name
        why = Why.REFUSED
        match error.code():
            case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.CANCELLED:
                return self._unreachable(text)
            case grpc.StatusCode.DEADLINE_EXCEEDED:
                why, what = Why.LATE, f"did not answer {method} within {self._deadline:g} s"
            case grpc.StatusCode.RESOURCE_EXHAUSTED if "larger than max" in text:
                what = f"has an answer to {method} of more than {_LARGEST >> 20} MiB"
            case grpc.StatusCode.RESOURCE_EXHAUSTED:
                why, what = Why.LIMITED, f"is asked too often, by all its clients together: {text}"
            case grpc.StatusCode.UNIMPLEMENTED:
                why, what = Why.UNSUPPORTED, f"has no {method}: this kubelet is too old for it"
            case _ if "disabled" in text:  # a plain error to gRPC: "PodResources API Get method disabled"
                why, what = Why.UNSUPPORTED, f"has {method} switched off: {text}"
            case _:
                what = f"refused {method}: {text}"
        return self._silent(why, what)

    def _unreachable(self, text: str) -> Silent:
        """Say why a socket that is there cannot be talked to."""
        match refusal(self.socket):
            case PermissionError():
                return self._forbidden()
            case ConnectionRefusedError() | FileNotFoundError():
                return self._silent(Why.DOWN, "does not answer: the kubelet is down, or restarts")
            case _:
                return self._silent(Why.DOWN, f"broke off: {text}")

    def _forbidden(self) -> Silent:
        return self._silent(Why.FORBIDDEN, f"does not let uid {os.geteuid()} in: run devbay as uid 0")

    def _silent(self, why: Why, what: str) -> Silent:
        return Silent(why=why, reason=f"pod-resources socket {self.socket} {what}")


def holders(pods: Collection[pb.PodResources], resources: Collection[str] | None = None) -> Holders:
    """Return who holds what, of these resources only where given, as an answer has it."""
    return Holders(
        containers={
            Container(pod.namespace, pod.name, container.name): frozenset(
                Replica(entry.resource_name, advertised_id)
                for entry in container.devices  # one for each NUMA node of a device
                if resources is None or entry.resource_name in resources
                for advertised_id in entry.device_ids
            )
            for pod in pods
            for container in pod.containers
        }
    )
