"""The Registration service, and the clients it makes: DMP/server.go and DMP/handler.go.

The map of clients is where releases to 1.36 lose plugins: it holds one client per resource, and whoever's stream ends
disconnects the client that is in it then. That is kept, step by step, with a finding where it does harm.
"""

import asyncio
import os.path
from pathlib import Path

import grpc

from devbay._proto import deviceplugin_v1beta1_pb2 as pb
from devbay.simulator import wire
from devbay.simulator.client import PluginClient
from devbay.simulator.devicemanager import DeviceManager
from devbay.simulator.endpoints import RpcError
from devbay.simulator.events import Registered, RegistrationRefused, StreamEnded, StreamOpened
from devbay.simulator.names import is_extended_resource
from devbay.simulator.process import Process
from devbay.simulator.tasks import Tasks

VERSION = "v1beta1"

Context = grpc.aio.ServicerContext[pb.RegisterRequest, pb.Empty]


class Registry:
    """Answers Register, dials plugins back, and follows their lists."""

    def __init__(self, process: Process, manager: DeviceManager, tasks: Tasks) -> None:
        self._process = process
        self._manager = manager
        self._tasks = tasks
        self._keyed = process.behaviour.overlap == "keyed"
        self._clients: dict[str, list[PluginClient]] = {}
        self._open: set[PluginClient] = set()
        self.streams: set[PluginClient] = set()
        """Clients whose ListAndWatch is running."""

    def server(self) -> grpc.aio.Server:
        """Return a server of the Registration service: insecure, 4 MiB at most (DMP/server.go:115, behaviour 1)."""
        server = grpc.aio.server(options=[("grpc.max_receive_message_length", wire.LIMIT), ("grpc.so_reuseport", 0)])
        method = grpc.unary_unary_rpc_method_handler(
            self._register,
            request_deserializer=pb.RegisterRequest.FromString,
            response_serializer=pb.Empty.SerializeToString,
        )
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("v1beta1.Registration", {"Register": method}),)
        )
        return server

    async def close(self) -> None:
        """Drop all connections, the tasks that read them having ended."""
        await asyncio.gather(*(client.close() for client in self._open))
        self._open.clear()

    async def _register(self, request: pb.RegisterRequest, context: Context) -> pb.Empty:
        """Answer Register: count, validate, dial back, ask for options; only then answer (DMP/server.go:159-182)."""
        self._process.metrics.device_plugin_registration_total[request.resource_name] += 1
        try:
            self._validate(request)
            await self._connect_for(request, context.time_remaining())
        except RpcError as error:
            self._process.journal.add(
                RegistrationRefused(
                    at=self._process.now,
                    resource=request.resource_name,
                    endpoint=request.endpoint,
                    reason=str(error),
                )
            )
            # A plain Go error has no code of its own (behaviour 5).
            await context.abort(grpc.StatusCode.UNKNOWN, str(error))
        return pb.Empty()

    async def register_found(self, resource: str, endpoint: str) -> None:
        """Connect to a plugin that was found by its socket: nothing is counted, and `endpoint` is a path as it is."""
        await self._connect(resource, endpoint, self._process.timing.dial)

    async def deregister(self, resource: str, endpoint: str) -> None:
        """Disconnect a plugin whose socket is gone from where it was found (DMP/handler.go:54-63)."""
        if (client := self._find(resource, endpoint)) is not None:
            self._remove(resource, client.socket)
            self._manager.disconnected(resource, client.socket)
            await client.disconnect()

    @staticmethod
    def _validate(request: pb.RegisterRequest) -> None:
        """Refuse a wrong version, then a wrong name; the endpoint is not looked at (DMP/server.go:164-176)."""
        if request.version != VERSION:
            raise RpcError(
                f'requested API version "{request.version}" is not supported by kubelet. '
                f'Supported version is ["{VERSION}"]'
            )
        if not is_extended_resource(request.resource_name):
            raise RpcError(f'the ResourceName "{request.resource_name}" is invalid')

    async def _connect_for(self, request: pb.RegisterRequest, remaining: float | None) -> None:
        """Connect within the caller's own deadline; 1.32 goes on without the caller (DMP/server.go:176)."""
        # Joined and cleaned, whatever it is (behaviour 7). The options in the request are never read (behaviour 9).
        socket = _join(self._process.directory, request.endpoint)
        if self._process.behaviour.detached_registration:
            work = self._connect(request.resource_name, socket, self._process.timing.dial)
            await asyncio.shield(self._tasks.spawn(f"register {request.resource_name}", work))
            return
        await self._connect(request.resource_name, socket, self._process.timing.dial_for(remaining))

    async def _connect(self, resource: str, socket: str, seconds: float) -> None:
        """Dial, ask for options, then follow the list in the background (DMP/handler.go:85-100)."""
        began = self._process.now
        client = PluginClient(resource, socket)
        self._open.add(client)
        self._add(resource, client)
        try:
            await client.dial(seconds)
            try:
                options = await client.options()
            except RpcError as error:
                raise RpcError(f"failed to get device plugin options: {error}") from error
            self._manager.connected(resource, client, options)
        except BaseException:
            # DMP/handler.go:90. To 1.36 this forgets the client that was there before, too: it is no longer watched.
            self._remove(resource, socket)
            # The kubelet leaks this connection; nothing depends on it, and we do not.
            self._open.discard(client)
            await client.close()
            raise
        self._process.journal.add(
            Registered(
                at=self._process.now,
                resource=resource,
                endpoint=Path(socket).name,
                seconds=self._process.now - began,
                pre_start_required=options.pre_start_required,
                preferred_allocation=options.preferred_allocation,
            )
        )
        self._tasks.start(f"ListAndWatch of {resource}", self._follow(resource, client))

    async def _follow(self, resource: str, client: PluginClient) -> None:
        """Follow a plugin's list until the stream ends; never open it again (DMP/handler.go:122-134, behaviour 11)."""
        endpoint = Path(client.socket).name
        self._process.journal.add(StreamOpened(at=self._process.now, resource=resource, endpoint=endpoint))
        self.streams.add(client)
        try:
            reason = await client.watch(lambda devices: self._manager.received(resource, client.socket, devices))
        finally:
            self.streams.discard(client)
        target = self._find(resource, client.socket)
        if target is not None:
            self._remove(resource, target.socket)
            self._manager.disconnected(resource, target.socket)
        self._process.journal.add(
            StreamEnded(at=self._process.now, resource=resource, endpoint=endpoint, reason=reason)
        )
        self._report(resource, client, target)
        if target is not None:
            await target.disconnect()
        self._open.discard(client)
        await client.close()

    def _report(self, resource: str, client: PluginClient, target: PluginClient | None) -> None:
        """Say what the end of `client`'s stream did to another, or failed to do."""
        current = self._manager.endpoints.current.get(resource)
        if target is not None and target is not client:
            self._process.journal.finding(
                resource,
                f"the end of the old stream on {Path(client.socket).name} disconnected the newer plugin on "
                f"{Path(target.socket).name}, as kubelets up to 1.36 do; it has to register again",
            )
        elif target is None and current is not None and current.plugin is client and current.stopped_at is None:
            self._process.journal.finding(
                resource,
                f"the stream on {Path(client.socket).name} ended unnoticed, as kubelets up to 1.36 do after a failed "
                "registration: its devices go on counting as healthy",
            )

    # The map of clients.

    def _add(self, resource: str, client: PluginClient) -> None:
        """To 1.36 the newer client replaces the older, which stays connected (DMP/handler.go:106-112)."""
        if self._keyed:
            self._clients.setdefault(resource, []).append(client)
        else:
            self._clients[resource] = [client]

    def _find(self, resource: str, socket: str) -> PluginClient | None:
        clients = self._clients.get(resource, [])
        return next((client for client in clients if not self._keyed or client.socket == socket), None)

    def _remove(self, resource: str, socket: str) -> None:
        client = self._find(resource, socket)
        if client is not None:
            self._clients[resource].remove(client)


def _join(directory: Path, endpoint: str) -> str:
    """Join and clean as Go does: an absolute endpoint does not start over."""
    return os.path.normpath(f"{directory}/{endpoint}")
