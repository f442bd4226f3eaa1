"""The simulated kubelet: what its users see. It wires the parts of a process together, and starts and ends processes.

What belongs to a process (sockets, streams, device sets) is made anew by every start; what the API server, the
container runtime and the disk hold outlives it.
"""

import asyncio
import random
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from devbay.errors import KubeletUnavailable
from devbay.model import Node
from devbay.simulator import exposition, sockets, status
from devbay.simulator.capacity import NodeStatus
from devbay.simulator.events import Event
from devbay.simulator.journal import Journal
from devbay.simulator.metrics import Metrics
from devbay.simulator.podrun import PodRun
from devbay.simulator.pods import Pod, PodStatus
from devbay.simulator.process import Process
from devbay.simulator.running import Running
from devbay.simulator.runtime import Runtime
from devbay.simulator.status import DeviceStatus, ResourceStatus
from devbay.simulator.topology import Policy, Scope, Topology
from devbay.simulator.versions import Behaviour, Timing

_E = TypeVar("_E", bound=Event)


class Kubelet:
    """A kubelet's device manager on `directory`, as the given Kubernetes release behaves.

    `seed` decides what is random in a kubelet: the order of resources and ids, the choice among equals. `clock` gives
    every time, in seconds; the grace period and the events' times follow it. `behaviour` and `timing` replace what
    `version` implies and how long the kubelet waits. With `pod_resources_socket` the pod-resources API is served there,
    so many calls a second by `rate_clock`, which goes on where `clock` stands still.
    `topology_policy`, `topology_scope` and `numa_nodes` say how devices are aligned, and on which NUMA nodes.
    With `plugins_registry` plugins are also found by their sockets in that directory.
    `cdi_dirs` is where the container runtime beside it looks for CDI files, a later one having the higher priority; by
    default nowhere, so that no CDI device resolves. Without `cdi_enabled` that runtime does not support CDI.
    """

    def __init__(  # noqa: PLR0913 - one page of choices, all named and with defaults
        self,
        directory: Path,
        *,
        version: str = "1.36",
        seed: int = 0,
        clock: Callable[[], float] = time.monotonic,
        node_name: str = "node",
        behaviour: Behaviour | None = None,
        timing: Timing | None = None,
        pod_resources_socket: Path | None = None,
        rate_clock: Callable[[], float] = time.monotonic,
        topology_policy: Policy = "none",
        topology_scope: Scope = "container",
        numa_nodes: Iterable[int] = (0, 1),
        plugins_registry: Path | None = None,
        cdi_dirs: Iterable[Path] = (),
        cdi_enabled: bool = True,
    ) -> None:
        self.directory = Path(directory)
        self.node_name = node_name
        self.version = version
        self._journal = Journal(clock)
        self._process = Process(
            directory=self.directory,
            behaviour=behaviour or Behaviour.of(version),
            timing=timing or Timing(),
            journal=self._journal,
            rng=random.Random(seed),  # noqa: S311 - reproducible on purpose, and no secret
            metrics=Metrics(),
            topology=Topology(topology_policy, topology_scope, tuple(numa_nodes)),
            runtime=Runtime(cdi_dirs=tuple(map(Path, cdi_dirs)), cdi_enabled=cdi_enabled),
            pod_resources_socket=pod_resources_socket,
            plugins_registry=plugins_registry,
            rate_clock=rate_clock,
        )
        self._node = NodeStatus()
        self._runs: dict[tuple[str, str], PodRun] = {}
        self._running: Running | None = None
        self._handles: list[sockets.Handle] = []
        self._away = asyncio.Lock()
        """Held by a restart, from its stop to its start."""

    # The process.

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._running is not None

    def clock(self) -> float:
        """Return the time as the events' times have it, in seconds."""
        return self._journal.clock()

    @property
    def socket(self) -> Path:
        """Where plugins register."""
        return self.directory / sockets.NAME

    @property
    def pod_resources_socket(self) -> Path | None:
        """Where the pod-resources API is served, or None for nowhere."""
        return self._process.pod_resources_socket

    @property
    def node(self) -> Node:
        """The node whose device files containers get: this machine, unless a test sets one that is made up."""
        return self._process.runtime.node

    @node.setter
    def node(self, node: Node) -> None:
        self._process.runtime = replace(self._process.runtime, node=node)

    @property
    def metrics(self) -> Metrics:
        """The numbers of the process, or of the last one (behaviour 54)."""
        return self._process.metrics

    @property
    def metrics_text(self) -> str:
        """The same as the kubelet's /metrics has them: the text that Prometheus reads."""
        return exposition.text(self.metrics)

    async def start(self, *, api_server: bool = True) -> None:
        """Start the process: read the checkpoint, delete the sockets, and only then listen (behaviour 2).

        Without the API server it knows no pods but static ones, and frees nothing (behaviour 46), until
        `connect_api_server`.
        """
        if self._running is not None:
            raise KubeletUnavailable("the simulated kubelet is running already")
        self._process.metrics = Metrics()
        self._running = await Running.start(self._process, self._node, lambda: list(self._runs.values()))
        self._handles = [listening.handle for listening in self._running.listening]
        self._running.workers.begin()
        if api_server:
            await self.connect_api_server()

    async def connect_api_server(self) -> None:
        """Let the API server answer a kubelet that started without it: the pods bound to the node are admitted."""
        await self._need().workers.resume()

    async def stop(self) -> None:
        """End the process as a kill does: connections drop, kubelet.sock stays and refuses (behaviour 18)."""
        running, self._running = self._running, None
        if running is not None:
            await running.stop()

    async def restart(self, gap: float = 0.0, *, api_server: bool = True) -> None:
        """Stop, wait `gap` seconds, start: plugins' sockets are deleted before kubelet.sock is made (behaviour 18).

        Another restart meanwhile comes after it.
        """
        async with self._away:
            await self.stop()
            await asyncio.sleep(gap)
            await self.start(api_server=api_server)

    async def reboot(self, gap: float = 0.0, *, api_server: bool = True) -> None:
        """Restart as a reboot of the node does: no container is running any more (behaviour 47)."""
        async with self._away:
            await self.stop()
            for run in self._runs.values():
                run.die()
            await asyncio.sleep(gap)
            await self.start(api_server=api_server)

    async def close(self) -> None:
        """Stop, and remove our sockets if they are still ours: the end of a simulation, which no kubelet has."""
        await self.stop()
        for handle in self._handles:
            handle.remove()

    # The node.

    @property
    def capacity(self) -> dict[str, int]:
        """The node's capacity by resource. Reading it is a node-status update (behaviours 14, 25, 26)."""
        self._update_node()
        return dict(self._node.capacity)

    @property
    def allocatable(self) -> dict[str, int]:
        """The node's allocatable by resource; devices in use are not subtracted. Reading it is a status update."""
        self._update_node()
        return dict(self._node.allocatable)

    @property
    def resources(self) -> dict[str, ResourceStatus]:
        """The resources that the process knows, by name."""
        if self._running is None:
            return {}
        return status.resources(self._running.manager.endpoints, self._running.registry.streams)

    def devices(self, resource: str) -> dict[str, DeviceStatus]:
        """Return the devices of `resource` by id, as listed last; none where the process knows none."""
        if self._running is None:
            return {}
        return status.devices(self._running.manager.devices, resource)

    # Pods.

    @property
    def pods(self) -> dict[str, PodStatus]:
        """The pods bound to the node, by name (``namespace/name`` outside the default namespace)."""
        return {
            name if namespace == "default" else f"{namespace}/{name}": run.status()
            for (namespace, name), run in self._runs.items()
        }

    async def create_pod(self, pod: Pod) -> PodStatus:
        """Bind a pod to the node; return once it is rejected or the start of each container was tried.

        A kubelet admits one pod at a time, so this waits for pods before it. If the kubelet stops meanwhile,
        `KubeletUnavailable` is raised; the pod stays bound, and is admitted when the kubelet starts again.
        """
        running = self._need()
        key = (pod.namespace, pod.name)
        if key in self._runs:
            raise ValueError(f"there is a pod {pod.name} in namespace {pod.namespace} already")
        # Not from the seed: the checkpoint outlives us, and another day's pod must not be taken for this one.
        run = PodRun(replace(pod, uid=pod.uid or str(uuid.uuid4())))
        self._runs[key] = run
        await self._finish(running.tasks.spawn(f"admit {pod.name}", running.workers.run(run)))
        return run.status()

    async def delete_pod(self, name: str, namespace: str = "default") -> None:
        """Delete a pod. Its plugin is not told; its devices are freed at the next allocation (behaviour 46)."""
        running = self._need()
        run = self._run(name, namespace)
        await self._finish(running.tasks.spawn(f"delete {name}", running.workers.delete(run)))
        self._runs.pop((namespace, name), None)

    async def restart_container(self, name: str, container: str, namespace: str = "default") -> PodStatus:
        """Restart one container of a pod: as if it had crashed."""
        running = self._need()
        run = self._run(name, namespace)
        found = {candidate.name: candidate for candidate in run.pod.all_containers}
        if container not in found:
            raise KeyError(f"pod {name} has no container {container}")
        work = running.workers.restart(run, found[container])
        await self._finish(running.tasks.spawn(f"restart {name}/{container}", work))
        return run.status()

    # What happened.

    @property
    def events(self) -> list[Event]:
        """Everything that happened, in order; it only grows."""
        return self._journal.events

    def events_of(self, kind: type[_E]) -> list[_E]:
        """Return the events of one kind, in order."""
        return self._journal.of(kind)

    def subscribe(self, listener: Callable[[Event], object]) -> Callable[[], None]:
        """Call `listener` with every event from now on, until the returned function is called."""
        return self._journal.subscribe(listener)

    async def wait_until(
        self,
        predicate: Callable[[], bool],
        timeout: float = 10.0,  # noqa: ASYNC109 - its error says what was waited for, which `asyncio.timeout` cannot
        what: str = "a condition",
    ) -> None:
        """Wait until `predicate` is true, asking again at every event; else TimeoutError says what was waited for."""
        await self._journal.wait_until(predicate, timeout, what, self._describe)

    def _describe(self) -> str:
        up = [f"{name} ({'streaming' if status.streaming else 'no stream'})" for name, status in self.resources.items()]
        pods = [f"{name} {status.phase}" for name, status in self.pods.items()]
        return (
            f"kubelet {'running' if self.running else 'stopped'}, resources {', '.join(up) or 'none'}, "
            f"allocatable {_text(self._node.allocatable)}, pods {', '.join(pods) or 'none'}"
        )

    def _update_node(self) -> None:
        if self._running is not None:
            self._node.write(self._running.manager.read_capacity())

    def _need(self) -> Running:
        if self._running is None:
            restarts = "it restarts; ask again when it is back"
            remedy = restarts if self._away.locked() else "start it first"
            raise KubeletUnavailable(f"the simulated kubelet is not running: {remedy}")
        return self._running

    def _run(self, name: str, namespace: str) -> PodRun:
        try:
            return self._runs[namespace, name]
        except KeyError:
            raise KeyError(f"there is no pod {name} in namespace {namespace}") from None

    @staticmethod
    async def _finish(task: asyncio.Task[None]) -> None:
        """Wait for the kubelet's own work; a caller that gives up does not stop it."""
        await asyncio.wait([task])
        if task.cancelled():
            raise KubeletUnavailable("the simulated kubelet stopped meanwhile")
        task.result()


def _text(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{resource}: {count}" for resource, count in sorted(counts.items())) or "none"
