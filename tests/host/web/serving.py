"""The web of a host that is not there, and a client for it."""

import asyncio
import http.client
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from devbay.pulse import Pulse
from devbay.settings import WebSection
from devbay.status import Status
from devbay.web.routes import Routes
from devbay.web.server import Server
from devbay.web.witness import Subject, Witness
from tests.host import until
from tests.host.web import statuses

PATIENCE = 10.0
"""Seconds until a server that says nothing fails its test."""


@dataclass(frozen=True)
class Answer:
    """What was answered."""

    status: int
    headers: Mapping[str, str]
    body: str

    @property
    def lines(self) -> list[str]:
        """The body, line by line."""
        return self.body.splitlines()


def ask(port: int, path: str, method: str = "GET", headers: Mapping[str, str] | None = None) -> Answer:
    """Ask for something and wait for the answer; whoever calls this on a loop blocks it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request(method, path, headers=dict(headers or {}))
        response = connection.getresponse()
        return Answer(response.status, dict(response.getheaders()), response.read().decode())
    finally:
        connection.close()


@dataclass
class Web:
    """A web that is served.

    Attributes:
        port: where.
        pulse: the heartbeat that it reads.
    """

    port: int
    pulse: Pulse

    async def get(self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None) -> Answer:
        """Ask for something while the loop goes on."""
        return await asyncio.to_thread(ask, self.port, path, method, headers)


@asynccontextmanager
async def web(
    status: Callable[[], Status] = statuses.quiet,
    section: WebSection | None = None,
    *,
    dead: Sequence[str] = (),
    stuck: float = PATIENCE,
) -> AsyncIterator[Web]:
    """Serve what `status` returns, on this loop and some free port."""
    pulse = Pulse()
    pulse.start()
    beat = asyncio.create_task(pulse.run())
    subject = Subject(status=status, pulse=pulse, dead=lambda: dead)
    routes = Routes(Witness(subject, stuck=stuck), section or WebSection())
    server = Server(("127.0.0.1", 0), routes)
    server.start()
    await until(lambda: server.port)
    assert server.port is not None
    try:
        yield Web(server.port, pulse)
    finally:
        beat.cancel()
        await server.stop()
