"""One kubelet process: its parts, made together at its start and ended together."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import grpc

from devbay.errors import KubeletDirectoryError
from devbay.simulator import sockets
from devbay.simulator.capacity import NodeStatus
from devbay.simulator.devicemanager import DeviceManager
from devbay.simulator.events import KubeletStarted, KubeletStopped
from devbay.simulator.process import Process
from devbay.simulator.registry import Registry
from devbay.simulator.tasks import Tasks
from devbay.simulator.workers import PodRun, Workers, active


@dataclass(slots=True, kw_only=True)
class Running:
    """A kubelet process that runs."""

    process: Process
    manager: DeviceManager
    registry: Registry
    workers: Workers
    server: grpc.aio.Server
    handle: sockets.Handle
    tasks: Tasks

    @classmethod
    async def start(cls, process: Process, node: NodeStatus, runs: Callable[[], list[PodRun]]) -> Self:
        """Start one: read the checkpoint, delete the sockets, and only then listen (behaviour 2)."""
        directory = process.directory
        sockets.prepare(directory)
        if sockets.is_fresh(directory):
            node.zero()
        tasks = Tasks()
        manager = DeviceManager(process, lambda: active(runs()))
        manager.load()
        deleted = sockets.clean(directory, process.behaviour.cleanup)
        registry = Registry(process, manager, tasks)
        server = registry.server()
        handle = sockets.Handle(directory)
        try:
            server.add_insecure_port(handle.address)
            handle.bound()
        except (RuntimeError, OSError) as error:
            handle.close()
            raise KubeletDirectoryError(f"cannot listen on {directory / sockets.NAME}: {error}") from error
        await server.start()
        process.journal.add(KubeletStarted(at=process.now, socket=str(directory / sockets.NAME), deleted=deleted))
        return cls(
            process=process,
            manager=manager,
            registry=registry,
            workers=Workers(process, manager, tasks, node, runs),
            server=server,
            handle=handle,
            tasks=tasks,
        )

    async def stop(self) -> None:
        """End it as a kill does: everything in flight is dropped, kubelet.sock stays and refuses."""
        self.handle.let_go()
        await self.server.stop(None)
        try:
            await self.tasks.cancel()
        finally:
            await self.registry.close()
            self.handle.close()
            self.process.journal.add(KubeletStopped(at=self.process.now))
