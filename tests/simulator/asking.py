"""A client of the pod-resources API, and of nothing else: what a monitoring agent on the node has."""

from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc

from devbay._proto import podresources_v1_pb2 as v1
from devbay._proto import podresources_v1alpha1_pb2 as v1alpha1

_R = TypeVar("_R")


class Asking:
    """Asks the kubelet that serves on `socket`."""

    def __init__(self, socket: Path) -> None:
        self._channel = grpc.aio.insecure_channel(f"unix:{socket}", options=[("grpc.use_local_subchannel_pool", 1)])

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._channel.close()

    async def list(self) -> v1.ListPodResourcesResponse:
        """Call v1's List."""
        return await self._call("v1", "List", v1.ListPodResourcesRequest(), v1.ListPodResourcesResponse)

    async def get(self, name: str, namespace: str = "default") -> v1.GetPodResourcesResponse:
        """Call Get."""
        request = v1.GetPodResourcesRequest(pod_name=name, pod_namespace=namespace)
        return await self._call("v1", "Get", request, v1.GetPodResourcesResponse)

    async def allocatable(self) -> v1.AllocatableResourcesResponse:
        """Call GetAllocatableResources."""
        request = v1.AllocatableResourcesRequest()
        return await self._call("v1", "GetAllocatableResources", request, v1.AllocatableResourcesResponse)

    async def list_alpha(self) -> v1alpha1.ListPodResourcesResponse:
        """Call v1alpha1's List."""
        request = v1alpha1.ListPodResourcesRequest()
        return await self._call("v1alpha1", "List", request, v1alpha1.ListPodResourcesResponse)

    async def _call(self, version: str, method: str, request: Any, response: type[_R]) -> _R:
        kind: Any = response
        call = self._channel.unary_unary(
            f"/{version}.PodResourcesLister/{method}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=kind.FromString,
        )
        answer: _R = await call(request, timeout=5)
        return answer
