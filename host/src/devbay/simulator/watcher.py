"""Plugins that are found by their sockets in ``plugins_registry``, and not by a call of theirs (behaviours 20 and 21).

What the kubelet finds there it asks what it is, and tells it what became of it (PM/operationexecutor). Device plugins
come this way too, if they like: SR-IOV's does. Plugins of other kinds have no handler here.
"""

import asyncio
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import grpc

from devbay._proto import pluginregistration_v1_pb2 as v1
from devbay.simulator.client import go_error
from devbay.simulator.endpoints import RpcError
from devbay.simulator.events import RegistrationRefused
from devbay.simulator.names import is_extended_resource
from devbay.simulator.process import Process
from devbay.simulator.registry import VERSION, Registry
from devbay.simulator.tasks import Tasks

_SERVICE = "/pluginregistration.Registration/"
_GET_INFO = 1.0
_NOTIFY = 5.0
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 122.0

Identity: TypeAlias = tuple[int, int, int]
"""A socket's file: one that is made anew under its old path is another."""


@dataclass(slots=True)
class _Failed:
    """A socket whose plugin could not be registered: for how long it is left alone next, and until when now."""

    pause: float
    until: float


@dataclass(frozen=True, slots=True)
class _Known:
    """A plugin that was registered: which file it was found by, and what it said."""

    identity: Identity
    resource: str
    endpoint: str


class PluginWatcher:
    """Watches a directory for one kubelet process, from its start to its end."""

    def __init__(self, process: Process, registry: Registry, tasks: Tasks, directory: Path) -> None:
        self._process = process
        self._registry = registry
        self._tasks = tasks
        self._directory = directory
        self._known: dict[Path, _Known] = {}
        self._failed: dict[Path, _Failed] = {}
        self._busy: set[Path] = set()

    async def run(self) -> None:
        """Look once a second; sockets of before are found as new ones are (plugin_manager.go:50, reconciler.go:116)."""
        self._directory.mkdir(mode=0o750, parents=True, exist_ok=True)
        while True:
            await self._reconcile()
            await asyncio.sleep(self._process.timing.watcher)

    async def _reconcile(self) -> None:
        """Unregister what is gone or was made anew, then register what is new (reconciler.go:116-171)."""
        found = dict(_sockets(self._directory))
        for path, known in list(self._known.items()):
            if found.get(path) != known.identity:
                del self._known[path]
                await self._registry.deregister(known.resource, known.endpoint)
        self._failed = {path: failed for path, failed in self._failed.items() if path in found}
        now = asyncio.get_running_loop().time()
        for path, identity in found.items():
            waits = (failed := self._failed.get(path)) is not None and now < failed.until
            if path not in self._known and path not in self._busy and not waits:
                self._busy.add(path)
                self._tasks.start(f"register plugin {path.name}", self._register(path, identity))

    async def _register(self, path: Path, identity: Identity) -> None:
        try:
            await self._try(path, identity)
        except RpcError as error:
            before = self._failed.get(path)
            pause = min(before.pause * 2, _LONGEST_PAUSE) if before else _FIRST_PAUSE
            self._failed[path] = _Failed(pause, asyncio.get_running_loop().time() + pause)
            refused = RegistrationRefused(at=self._process.now, resource="", endpoint=path.name, reason=str(error))
            self._process.journal.add(refused)
        else:
            self._failed.pop(path, None)
        finally:
            self._busy.discard(path)

    async def _try(self, path: Path, identity: Identity) -> None:
        """Ask what it is, register it, and tell it what came of that (operation_generator.go:85-144)."""
        options = [("grpc.use_local_subchannel_pool", 1)]
        async with grpc.aio.insecure_channel(f"unix:{path}", options=options) as channel:
            try:
                async with asyncio.timeout(self._process.timing.dial):
                    await channel.channel_ready()
            except TimeoutError:
                raise RpcError(f"RegisterPlugin error -- dial failed at socket {path}") from None
            info = await self._call(channel, "GetInfo", v1.InfoRequest(), v1.PluginInfo, _GET_INFO)
            endpoint = info.endpoint or str(path)
            if problem := _problem(info, path):
                await self._notify(channel, problem)
                raise RpcError(problem)
            self._known[path] = _Known(identity, info.name, endpoint)
            try:
                await self._registry.register_found(info.name, endpoint)
            except RpcError as error:
                problem = f"RegisterPlugin error -- plugin registration failed with err: {error}"
                if self._process.behaviour.watcher_retries:  # 1.32 goes on as if it were registered
                    self._known.pop(path, None)
                await self._notify(channel, problem)
                raise RpcError(problem) from error
            try:
                await self._notify(channel)
            except RpcError:
                if self._process.behaviour.watcher_retries:
                    self._known.pop(path, None)
                raise

    async def _notify(self, channel: grpc.aio.Channel, error: str = "") -> None:
        status = v1.RegistrationStatus(plugin_registered=not error, error=error)
        await self._call(channel, "NotifyRegistrationStatus", status, v1.RegistrationStatusResponse, _NOTIFY)

    @staticmethod
    async def _call(channel: grpc.aio.Channel, method: str, request: Any, answer: Any, seconds: float) -> Any:
        call = channel.unary_unary(
            f"{_SERVICE}{method}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=answer.FromString,
        )
        try:
            return await call(request, timeout=seconds)
        except grpc.aio.AioRpcError as error:
            raise RpcError(f"failed to call {method}: {go_error(error.code(), error.details())}") from error


def _problem(info: v1.PluginInfo, path: Path) -> str | None:
    """Return why a plugin is not registered, in the words that it is told (DMP/handler.go:65-81)."""
    if info.type != "DevicePlugin":
        return f"RegisterPlugin error -- no handler registered for plugin type: {info.type} at socket {path}"
    problem = None
    if VERSION not in info.supported_versions:
        versions = " ".join(info.supported_versions)
        problem = f"manager version, {VERSION}, is not among plugin supported versions [{versions}]"
    elif not is_extended_resource(info.name):
        problem = f'invalid name of device plugin socket: the ResourceName "{info.name}" is invalid'
    return problem and f"RegisterPlugin error -- plugin validation failed with err: {problem}"


def _sockets(directory: Path) -> Iterator[tuple[Path, Identity]]:
    """Yield the sockets below a directory; names that begin with a dot are passed over (plugin_watcher.go:172-185)."""
    for folder, folders, names in os.walk(directory):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            try:
                found = os.lstat(path := Path(folder, name))
            except OSError:
                continue
            if not name.startswith(".") and stat.S_ISSOCK(found.st_mode):
                yield path, (found.st_dev, found.st_ino, found.st_ctime_ns)
