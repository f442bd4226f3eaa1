"""One kubelet process: its parts, made together at its start and ended together."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from devbay.simulator import sockets
from devbay.simulator.capacity import NodeStatus
from devbay.simulator.devicemanager import DeviceManager
from devbay.simulator.events import KubeletStarted, KubeletStopped
from devbay.simulator.listening import Listening
from devbay.simulator.podresources import PodResources
from devbay.simulator.podrun import PodRun, active
from devbay.simulator.process import Process
from devbay.simulator.registry import Registry
from devbay.simulator.tasks import Tasks
from devbay.simulator.watcher import PluginWatcher
from devbay.simulator.workers import Workers


@dataclass(slots=True, kw_only=True)
class Running:
    """A kubelet process that runs."""

    process: Process
    manager: DeviceManager
    registry: Registry
    workers: Workers
    listening: list[Listening]
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
        listening = [await Listening.start(registry.server(), directory / sockets.NAME)]
        if process.pod_resources_socket is not None:
            try:
                bind_as = sockets.prepare_pod_resources(process.pod_resources_socket)
                server = PodResources(process, manager, runs).server()
                listening.append(await Listening.start(server, process.pod_resources_socket, bind_as=bind_as))
            except BaseException:
                await listening[0].stop()
                listening[0].close()
                raise
        if process.plugins_registry is not None:
            tasks.start("plugin watcher", PluginWatcher(process, registry, tasks, process.plugins_registry).run())
        process.journal.add(KubeletStarted(at=process.now, socket=str(directory / sockets.NAME), deleted=deleted))
        return cls(
            process=process,
            manager=manager,
            registry=registry,
            workers=Workers(process, manager, tasks, node, runs),
            listening=listening,
            tasks=tasks,
        )

    async def stop(self) -> None:
        """End it as a kill does: everything in flight is dropped, kubelet.sock stays and refuses."""
        for listening in self.listening:
            await listening.stop()
        try:
            await self.tasks.cancel()
        finally:
            await self.registry.close()
            for listening in self.listening:
                listening.close()
            self.process.journal.add(KubeletStopped(at=self.process.now))
