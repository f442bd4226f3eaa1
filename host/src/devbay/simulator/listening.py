"""One gRPC server of the kubelet on its Unix socket, ended so that the file stays, as a killed kubelet's does."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import grpc

from devbay.errors import KubeletDirectoryError
from devbay.simulator import sockets


@dataclass(slots=True, eq=False)
class Listening:
    """A server that answers on its socket.

    Attributes:
        server: the server.
        handle: the socket's name.
    """

    server: grpc.aio.Server
    handle: sockets.Handle

    @classmethod
    async def start(cls, server: grpc.aio.Server, path: Path, *, bind_as: str = "") -> Self:
        """Serve on `path`; with `bind_as` the socket is bound under that name beside it, then renamed."""
        handle = sockets.Handle(path, bind_as)
        try:
            server.add_insecure_port(handle.address)
            handle.bound()
        except (RuntimeError, OSError) as error:
            handle.close()
            raise KubeletDirectoryError(f"cannot listen on {path}: {error}") from error
        await server.start()
        return cls(server, handle)

    async def stop(self) -> None:
        """End as a kill does: the file stays and refuses."""
        self.handle.let_go()
        await self.server.stop(None)

    def close(self) -> None:
        """Release the name, everything that used the server having ended."""
        self.handle.close()
