"""The pod-resources API: which containers hold which devices, for whoever asks on the node. Versions v1 and v1alpha1.

PR/server_v1.go, PR/server_v1alpha1.go; one server and one rate limit for both (KL/server/server.go:251-256).
CPUs, memory and DRA claims are not simulated, so those fields stay empty.
"""

import random
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from devbay._proto import podresources_v1_pb2 as v1
from devbay._proto import podresources_v1alpha1_pb2 as v1alpha1
from devbay.simulator.devicemanager import DeviceManager
from devbay.simulator.limiter import Limiter
from devbay.simulator.podrun import PodRun
from devbay.simulator.pods import Pod
from devbay.simulator.process import Process
from devbay.simulator.records import NO_NODE, Record

QPS = 100
BURST = 10
"""Calls a second and calls at once, of all clients and methods together (PR/constants.go:27,31, behaviour 50)."""

_Request = TypeVar("_Request", bound=Message)
_Response = TypeVar("_Response", bound=Message)

Context = grpc.aio.ServicerContext[Any, Any]


class _Refused(Exception):  # noqa: N818 - says what the kubelet says
    """The call is answered with an error; the text is the kubelet's own."""


class PodResources:
    """Answers List, Get and GetAllocatableResources. `runs` returns all pods bound to the node."""

    def __init__(self, process: Process, manager: DeviceManager, runs: Callable[[], list[PodRun]]) -> None:
        self._process = process
        self._manager = manager
        self._all_runs = runs
        self._limiter = Limiter(QPS, BURST)
        # Its own, so that who asks how often does not change what containers get.
        self._rng = random.Random(process.rng.getrandbits(32))  # noqa: S311 - reproducible on purpose, and no secret

    def _runs(self) -> list[PodRun]:
        """Return the pods that the process has heard of: a restarted one knows none until the API server answers."""
        return [run for run in self._all_runs() if run.pod.uid in self._manager.told_of]

    def server(self) -> grpc.aio.Server:
        """Return a server of both versions, insecure."""
        server = grpc.aio.server(options=[("grpc.max_send_message_length", -1), ("grpc.so_reuseport", 0)])
        services: dict[str, dict[str, grpc.RpcMethodHandler[Any, Any]]] = {
            "v1.PodResourcesLister": {
                "List": self._method(self._list, v1.ListPodResourcesRequest),
                "Get": self._method(self._get, v1.GetPodResourcesRequest),
                "GetAllocatableResources": self._method(self._allocatable, v1.AllocatableResourcesRequest),
            },
            "v1alpha1.PodResourcesLister": {
                "List": self._method(self._list_alpha, v1alpha1.ListPodResourcesRequest),
            },
        }
        for service, methods in services.items():
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, methods),))
        return server

    def _method(
        self, answer: Callable[[_Request], _Response], request: type[_Request]
    ) -> "grpc.RpcMethodHandler[_Request, _Response]":
        async def call(message: _Request, context: Context) -> _Response:
            if not self._limiter.allow(self._process.rate_clock()):
                await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "rejected by rate limit")
            try:
                return answer(message)
            except _Refused as error:
                # A plain Go error has no code of its own.
                await context.abort(grpc.StatusCode.UNKNOWN, str(error))

        handler: Callable[[_Request, Context], Awaitable[_Response]] = call
        return grpc.unary_unary_rpc_method_handler(
            handler,
            request_deserializer=request.FromString,
            response_serializer=lambda response: response.SerializeToString(),
        )

    def _list(self, _request: v1.ListPodResourcesRequest) -> v1.ListPodResourcesResponse:
        """Answer List: frees first; pods without devices too; before 1.34 pods that ended too (PR/server_v1.go:61)."""
        self._process.metrics.pod_resources("v1", "list")
        only_active = self._process.behaviour.list_active_pods
        runs = [run for run in self._runs() if run.active or not only_active]
        self._manager.free_stale()
        return v1.ListPodResourcesResponse(pod_resources=[self._pod(run.pod) for run in runs])

    def _get(self, request: v1.GetPodResourcesRequest) -> v1.GetPodResourcesResponse:
        """Answer Get: frees nothing; a pod that is not active is an error (PR/server_v1.go:119-152)."""
        self._process.metrics.pod_resources("v1", "get")
        if not self._process.behaviour.pod_resources_get:
            self._process.metrics.pod_resources_error("v1")
            raise _Refused("PodResources API Get method disabled")
        name, namespace = request.pod_name, request.pod_namespace
        for run in self._runs():
            if run.active and (run.pod.name, run.pod.namespace) == (name, namespace):
                return v1.GetPodResourcesResponse(pod_resources=self._pod(run.pod))
        self._process.metrics.pod_resources_error("v1")
        raise _Refused(f"pod {name} in namespace {namespace} not found")

    def _allocatable(self, _request: v1.AllocatableResourcesRequest) -> v1.AllocatableResourcesResponse:
        """Answer GetAllocatableResources: all healthy devices, in use or not (DM/manager.go:1114-1123).

        A topology without nodes hides its device; no topology at all does not (KL/cm/container_manager.go:291-315).
        """
        self._process.metrics.pod_resources("v1", "get_allocatable")
        sets = self._manager.devices
        found = [
            entry
            for resource, healthy in sets.healthy.items()
            for device in (sets.known[resource][name] for name in healthy)
            for entry in _entries(resource, device.id, device.numa_nodes if device.topology_sent else (None,))
        ]
        return v1.AllocatableResourcesResponse(devices=self._shuffled(found))

    def _list_alpha(self, _request: v1alpha1.ListPodResourcesRequest) -> v1alpha1.ListPodResourcesResponse:
        """Answer v1alpha1's List: all pods, no init containers, no topology (PR/server_v1alpha1.go:58-83)."""
        self._process.metrics.pod_resources("v1alpha1")
        self._manager.free_stale()
        return v1alpha1.ListPodResourcesResponse(
            pod_resources=[
                v1alpha1.PodResources(
                    name=run.pod.name,
                    namespace=run.pod.namespace,
                    containers=[
                        v1alpha1.ContainerResources(
                            name=container.name,
                            devices=[
                                v1alpha1.ContainerDevices(resource_name=held.resource_name, device_ids=held.device_ids)
                                for held in self._held(run.pod, container.name)
                            ],
                        )
                        for container in run.pod.containers
                    ],
                )
                for run in self._runs()
            ]
        )

    def _pod(self, pod: Pod) -> v1.PodResources:
        """Return a pod's sidecars and containers; init containers that end are left out."""
        shown = [container for container in pod.init_containers if container.restartable] + list(pod.containers)
        return v1.PodResources(
            name=pod.name,
            namespace=pod.namespace,
            containers=[v1.ContainerResources(name=c.name, devices=self._held(pod, c.name)) for c in shown],
        )

    def _held(self, pod: Pod, container: str) -> list[v1.ContainerDevices]:
        """Return a container's devices as they were recorded: also those that are no longer listed."""
        records = self._manager.records.of_container(pod.uid, container)
        return self._shuffled(
            [
                entry
                for resource, record in records.items()
                for device_id, nodes in _nodes(record)
                for entry in _entries(resource, device_id, nodes)
            ]
        )

    def _shuffled(self, entries: list[v1.ContainerDevices]) -> list[v1.ContainerDevices]:
        entries.sort(key=lambda entry: entry.SerializeToString(deterministic=True))
        self._rng.shuffle(entries)
        return entries


def _nodes(record: Record) -> Iterator[tuple[str, tuple[int | None, ...]]]:
    for device_id in record.ids:
        nodes = (node for node, ids in record.by_node.items() if device_id in ids)
        yield device_id, tuple(None if node == NO_NODE else node for node in nodes)


def _entries(resource: str, device_id: str, nodes: Iterable[int | None]) -> Iterator[v1.ContainerDevices]:
    """Return one entry for each NUMA node of a device (KL/cm/container_manager.go:286-320, behaviour 51)."""
    for node in nodes:
        topology = None if node is None else v1.TopologyInfo(nodes=[v1.NUMANode(ID=node)])
        yield v1.ContainerDevices(resource_name=resource, device_ids=[device_id], topology=topology)
