"""Extended resources in a node's status: what it says, and how what is stale is taken out of it.

A kubelet whose device plugin is gone sets capacity and allocatable to 0 and leaves the names there for ever
(setters.go:273-284). They go by a JSON patch on the status subresource; the kubelet does not bring them back, and drops
allocatable by itself once capacity has gone.
"""

import json
import shlex
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from devbay.apiserver.client import JSON_PATCH, ApiServer
from devbay.contract import resource_name_problem

_LISTS = ("capacity", "allocatable")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStatus:
    """What a Node object says of extended resources, as it is written there.

    Attributes:
        node: the node's name.
        capacity: how many there are, by resource.
        allocatable: how many of them work.
    """

    node: str
    capacity: Mapping[str, str] = field(default_factory=dict, hash=False)
    allocatable: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def resources(self) -> tuple[str, ...]:
        """The names in it, sorted."""
        return tuple(sorted({*self.capacity, *self.allocatable}))

    def is_empty(self, resource: str) -> bool:
        """Whether there is nothing of a resource: what a plugin that is gone leaves behind."""
        return all(of.get(resource, "0") == "0" for of in (self.capacity, self.allocatable))

    def removal(self, resources: Collection[str]) -> list[dict[str, str]]:
        """Return the JSON patch that takes resources out. It fails as a whole if one of them has changed meanwhile."""
        return [operation for resource in sorted(resources) for operation in self._removal(resource)]

    def _removal(self, resource: str) -> Iterator[dict[str, str]]:
        for name in _LISTS:
            of: Mapping[str, str] = getattr(self, name)
            if resource in of:
                path = f"/status/{name}/{pointer(resource)}"
                yield {"op": "test", "path": path, "value": of[resource]}
                yield {"op": "remove", "path": path}

    def command(self, resources: Collection[str]) -> str:
        """Return what to type in order to take resources out."""
        patch = json.dumps(self.removal(resources), separators=(",", ":"))
        return f"kubectl patch node {shlex.quote(self.node)} --subresource=status --type=json -p {shlex.quote(patch)}"


def pointer(resource: str) -> str:
    """Return a name as a part of a JSON pointer (RFC 6901).

    >>> pointer("example.com/widget")
    'example.com~1widget'
    """
    return resource.replace("~", "~0").replace("/", "~1")


def status_of(node: str, document: Mapping[str, Any]) -> NodeStatus:
    """Return what a Node object, as the API server gives it, says of extended resources."""
    status = document.get("status") or {}
    return NodeStatus(
        node=node,
        **{
            name: {
                resource: str(quantity)
                for resource, quantity in sorted((status.get(name) or {}).items())
                if "/" in resource and resource_name_problem(resource) is None
            }
            for name in _LISTS
        },
    )


def read(server: ApiServer, node: str) -> NodeStatus:
    """Return what a node's status says now.

    Raises:
        KubernetesApiError: the server was not reached, or refused.
    """
    return status_of(node, server.call("GET", f"/api/v1/nodes/{quote(node)}"))


def remove(server: ApiServer, status: NodeStatus, resources: Collection[str]) -> NodeStatus:
    """Take resources out of a node's status; return what it says then.

    Raises:
        KubernetesApiError: the server was not reached, or refused; or one of them has changed since it was read.
    """
    path = f"/api/v1/nodes/{quote(status.node)}/status"
    return status_of(status.node, server.call("PATCH", path, status.removal(resources), content=JSON_PATCH))
