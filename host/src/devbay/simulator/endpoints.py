"""Which plugin serves which resource: endpoints, and what a disconnect does to them. Pure but for the clock's readings.

The two ways in which releases keep them apart are here, behind one interface: to 1.36 one endpoint per resource,
whoever disconnects; later, one per resource and socket.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from devbay.simulator.answers import Answer


@dataclass(frozen=True, slots=True)
class Options:
    """What a plugin answered to GetDevicePluginOptions."""

    pre_start_required: bool = False
    preferred_allocation: bool = False


class Plugin(Protocol):
    """The calls that a plugin answers. Each raises `RpcError` with the text that the kubelet would print."""

    @property
    def socket(self) -> str:
        """The path of the plugin's socket."""

    async def allocate(self, ids: Sequence[str]) -> list[Answer]:
        """Call Allocate for one container."""

    async def prefer(self, available: Sequence[str], must_include: Sequence[str], size: int) -> list[str]:
        """Call GetPreferredAllocation for one container."""

    async def pre_start(self, ids: Sequence[str], seconds: float) -> None:
        """Call PreStartContainer."""


class RpcError(Exception):
    """A call to a plugin failed; the text is what the kubelet prints."""


@dataclass(slots=True, eq=False)
class Endpoint:
    """One plugin's endpoint for one resource.

    Attributes:
        resource: the resource.
        plugin: the plugin, or None for one known only from a checkpoint.
        options: its options, or None where they are unknown.
        stopped_at: since when it is stopped, or None.
    """

    resource: str
    plugin: Plugin | None
    options: Options | None
    stopped_at: float | None = None

    def live(self) -> Plugin:
        """Return the plugin to call; raise what the kubelet answers where the endpoint is stopped (DM/types.go:118)."""
        if self.plugin is None or self.stopped_at is not None:
            socket = self.plugin.socket if self.plugin else ""
            raise RpcError(f"endpoint &{{{self.resource} {socket}}} has been stopped")
        return self.plugin

    def expired(self, now: float, grace: float) -> bool:
        """Say whether it has been stopped for longer than the grace period (DM/endpoint.go, stopGracePeriodExpired)."""
        return self.stopped_at is not None and now - self.stopped_at > grace


@dataclass(slots=True)
class Endpoints:
    """The endpoints by resource, and (later than 1.36) also by socket.

    Attributes:
        keyed: whether endpoints are told apart by socket.
        rng: which survivor takes over is up to a Go map's order; here, to a seed.
        current: the endpoint that serves each resource.
    """

    keyed: bool
    rng: random.Random
    current: dict[str, Endpoint] = field(default_factory=dict)
    _by_socket: dict[str, dict[str, Endpoint]] = field(default_factory=dict)

    def connect(self, resource: str, plugin: Plugin, options: Options) -> None:
        """Let `plugin` serve `resource` from now on; the one before it is not stopped (behaviour 15)."""
        endpoint = Endpoint(resource, plugin, options)
        if self.keyed:
            sockets = self._by_socket.setdefault(resource, {})
            if plugin.socket in sockets:
                raise RpcError(f"device plugin already connected: resource {resource}, socket {plugin.socket}")
            sockets[plugin.socket] = endpoint
        self.current[resource] = endpoint

    def disconnect(self, resource: str, socket: str, now: float) -> bool:
        """Stop the endpoint that a disconnect hits; return whether the resource is now without a plugin.

        To 1.36 it is whichever endpoint serves the resource now, also a newer one (DM/manager.go:247-257). Later it
        is the one of that socket, and a survivor takes over (Kubernetes pull request 135437).
        """
        if not self.keyed:
            endpoint = self.current.get(resource)
            if endpoint is not None:
                endpoint.stopped_at = now
            return endpoint is not None
        sockets = self._by_socket.get(resource, {})
        endpoint = sockets.pop(socket, None)
        if endpoint is None:
            return False
        endpoint.stopped_at = now
        if sockets:
            self.current[resource] = self.rng.choice([sockets[path] for path in sorted(sockets)])
            return False
        del self._by_socket[resource]
        return True

    def restore(self, resource: str, now: float) -> None:
        """Know `resource` from a checkpoint: stopped now, without options (DM/manager.go:536-542, behaviour 28)."""
        self.current[resource] = Endpoint(resource, None, None, stopped_at=now)

    def forget(self, resource: str) -> None:
        """Drop the endpoint of `resource`, its grace being over."""
        self.current.pop(resource, None)
