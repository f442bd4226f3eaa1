"""A device plugin as somebody else might have written it: gRPC, the protocol's messages, and nothing else of devbay.

A program with flags of its own, on threads, with one socket of a fixed name. Like many plugins it does not watch its
stream: it looks now and then whether its socket is still there, and starts over when it is not. Without
``--plugin-directory`` it uses the kubelet's own path, which many plugins cannot change.
"""

import argparse
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc

from devbay._proto import deviceplugin_v1beta1_pb2 as pb

SOCKET = "foreign.sock"


class Foreign:
    """The plugin's service: widgets with numbers, and a variable that names them."""

    def __init__(self, count: int) -> None:
        self._devices = [pb.Device(ID=f"w{number}", health="Healthy") for number in range(count)]
        self.ended = threading.Event()

    def options(self, _request: pb.Empty, _context: Any) -> pb.DevicePluginOptions:
        """Answer that nothing special is wanted."""
        return pb.DevicePluginOptions()

    def watch(self, _request: pb.Empty, context: Any) -> Iterator[pb.ListAndWatchResponse]:
        """Send the list once, and stay."""
        context.add_callback(self.ended.set)
        yield pb.ListAndWatchResponse(devices=self._devices)
        self.ended.wait()

    def allocate(self, request: pb.AllocateRequest, _context: Any) -> pb.AllocateResponse:
        """Give the null device and a variable."""
        answers = [
            pb.ContainerAllocateResponse(
                envs={"FOREIGN": ",".join(sorted(wanted.devices_ids))},
                devices=[pb.DeviceSpec(container_path="/dev/foreign", host_path="/dev/null", permissions="rw")],
            )
            for wanted in request.container_requests
        ]
        return pb.AllocateResponse(container_responses=answers)

    def handler(self) -> grpc.GenericRpcHandler:
        """Return the service's methods."""
        unary, stream = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
        empty = pb.Empty.FromString
        methods: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            "GetDevicePluginOptions": unary(self.options, empty, pb.DevicePluginOptions.SerializeToString),
            "ListAndWatch": stream(self.watch, empty, pb.ListAndWatchResponse.SerializeToString),
            "Allocate": unary(self.allocate, pb.AllocateRequest.FromString, pb.AllocateResponse.SerializeToString),
        }
        return grpc.method_handlers_generic_handler("v1beta1.DevicePlugin", methods)


def register(directory: Path, resource: str) -> None:
    """Tell the kubelet."""
    request = pb.RegisterRequest(version="v1beta1", endpoint=SOCKET, resource_name=resource)
    with grpc.insecure_channel(f"unix:{directory}/kubelet.sock", [("grpc.use_local_subchannel_pool", 1)]) as channel:
        call = channel.unary_unary(
            "/v1beta1.Registration/Register",
            request_serializer=pb.RegisterRequest.SerializeToString,
            response_deserializer=pb.Empty.FromString,
        )
        call(request, timeout=10, wait_for_ready=True)


def serve(directory: Path, resource: str, count: int) -> None:
    """Serve until the kubelet has deleted our socket, as it does when it starts."""
    service = Foreign(count)
    (directory / SOCKET).unlink(missing_ok=True)
    server = grpc.server(ThreadPoolExecutor(4), handlers=[service.handler()], options=[("grpc.so_reuseport", 0)])
    server.add_insecure_port(f"unix:{directory}/{SOCKET}")
    server.start()
    register(directory, resource)
    while (directory / SOCKET).exists():
        threading.Event().wait(0.05)
    service.ended.set()
    server.stop(None).wait()


def main() -> None:
    """Read the flags, and serve for ever."""
    flags = argparse.ArgumentParser(prog="foreign", description=__doc__)
    flags.add_argument("--plugin-directory", type=Path, default=Path("/var/lib/kubelet/device-plugins"))
    flags.add_argument("--resource", default="foreign.example/widget")
    flags.add_argument("--count", type=int, default=2)
    chosen = flags.parse_args()
    while True:
        if (chosen.plugin_directory / "kubelet.sock").exists():
            serve(chosen.plugin_directory, chosen.resource, chosen.count)
        threading.Event().wait(0.05)


if __name__ == "__main__":
    main()
