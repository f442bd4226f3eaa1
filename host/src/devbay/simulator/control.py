"""The control socket: where `devbay simulate pod` and its kin reach a simulated kubelet in another process.

It is in a directory of its own inside the kubelet's, since a starting kubelet deletes the sockets (of release 1.32: all
files) beside its own and never a directory (DM/manager.go:192-224), and a name with a dot is no checkpoint to it
(KL/util/store/filestore.go:83-95). Device plugins look at kubelet.sock, and at nothing else here.

One question and one answer a connection: the asker closes its side, is answered, and that is the end.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from devbay.errors import DevbayError, KubeletDirectoryError
from devbay.simulator import reports
from devbay.simulator.kubelet import Kubelet
from devbay.simulator.pods import PodStatus
from devbay.simulator.questions import (
    QUESTIONS,
    Answered,
    Asked,
    CreatePod,
    DeletePod,
    DescribeNode,
    DescribePods,
    Question,
    Restart,
    RestartContainer,
    encode,
)

FOLDER = ".devbay-simulate"
NAME = "control.sock"

_LONGEST = 107
"""Bytes of a socket's path (unix(7): sun_path has 108, the last is nought)."""


class Control:
    """Answers on the control socket of `kubelet` while it is entered; the socket is gone afterwards."""

    def __init__(self, kubelet: Kubelet) -> None:
        self._kubelet = kubelet
        self._folder = kubelet.directory / FOLDER
        self._answering: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        path = self._folder / NAME
        with socket.socket(socket.AF_UNIX) as listener:
            try:
                self._folder.mkdir(mode=0o700, exist_ok=True)
                path.unlink(missing_ok=True)  # of one that was killed: where one lives, no other starts
                with address_of(self._folder) as address:
                    listener.bind(address)
            except OSError as error:
                raise KubeletDirectoryError(f"cannot make the control socket {path}: {error.strerror}") from error
            self._server = await asyncio.start_unix_server(self._connected, sock=listener.dup())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        for task in tuple(self._answering):
            task.cancel()
        if self._answering:
            await asyncio.wait(self._answering)
        with contextlib.suppress(OSError):
            (self._folder / NAME).unlink(missing_ok=True)
            self._folder.rmdir()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer), name="control")
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            answer = await self._reply(await reader.read(-1))
            writer.write(msgspec.json.encode(answer))
            await writer.drain()
        except ConnectionError:
            pass  # whoever asked did not wait
        finally:
            writer.close()

    async def _reply(self, data: bytes) -> Answered:
        try:
            asked = msgspec.json.decode(data, type=Asked)
            question = msgspec.json.decode(asked.fields, type=QUESTIONS[asked.kind])
        except (msgspec.DecodeError, KeyError) as error:
            return Answered(refused=f"not a question that this simulator knows: {error}")
        try:
            return Answered(value=msgspec.Raw(encode(await self._do(question))))
        except KeyError as error:
            return Answered(refused=str(error.args[0]))
        except (ValueError, DevbayError) as error:
            return Answered(refused=str(error))

    async def _do(self, question: Question) -> object:
        kubelet = self._kubelet
        match question:
            case CreatePod(pod):
                return reports.pod(kubelet, await kubelet.create_pod(pod))
            case DeletePod(name, namespace):
                await kubelet.delete_pod(name, namespace)
                return None
            case RestartContainer(name, namespace, container):
                return reports.pod(kubelet, await kubelet.restart_container(name, container, namespace))
            case DescribePods(name, namespace):
                return [reports.pod(kubelet, status) for status in self._pods(name, namespace)]
            case DescribeNode():
                return reports.node(kubelet)
            case Restart(gap, reboot):
                await (kubelet.reboot(gap) if reboot else kubelet.restart(gap))
                return None

    def _pods(self, name: str, namespace: str) -> Iterable[PodStatus]:
        pods = self._kubelet.pods.values()
        found = [status for status in pods if not name or (status.pod.namespace, status.name) == (namespace, name)]
        if name and not found:
            raise KeyError(f"there is no pod {name} in namespace {namespace}")
        return found


@contextlib.contextmanager
def address_of(folder: Path) -> Iterator[str]:
    """Yield an address for the socket in `folder`: its path, or a short name for one that is too long."""
    path = folder / NAME
    if len(os.fsencode(path)) <= _LONGEST:
        yield str(path)
        return
    handle = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{handle}/{NAME}"
    finally:
        os.close(handle)
