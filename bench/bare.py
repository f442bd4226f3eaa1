"""A bare grpcio server, to compare with: reads an AllocateRequest, answers the same bytes each time, does no more.

``python -m bench.bare SOCKET ANSWER``, where ANSWER is a file with the bytes; it says ``ready`` when it serves.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from devbay._proto import deviceplugin_v1beta1_pb2 as pb


async def serve(path: str, answer: bytes) -> None:
    """Serve Allocate on the socket `path` until killed."""

    async def allocate(_request: pb.AllocateRequest, _context: Any) -> bytes:
        return answer

    handlers: dict[str, Any] = {
        "Allocate": grpc.unary_unary_rpc_method_handler(allocate, pb.AllocateRequest.FromString, None)
    }
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("v1beta1.DevicePlugin", handlers),))
    server.add_insecure_port(f"unix:{path}")
    await server.start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], Path(sys.argv[2]).read_bytes()))
