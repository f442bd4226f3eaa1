"""HTTP, in a thread with an event loop of its own: it answers whatever the host's loop does, and delays nothing of it.

h11 reads and writes the protocol; here are the connections and their limits. One connection is one task; a client that
is slow, silent or greedy costs its own connection, and with too many of them the oldest goes first, so that a probe
is always let in.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus

import h11
import structlog

_CONNECTIONS = 128
"""Open at a time. A probe, a scraper and some people need ten."""

_HEAD = 16 * 1024
"""Bytes that a request may have, all its headers together; it never needs a body."""

_SILENCE = 30.0
"""Seconds that a connection may be open without a whole request: a scraper that keeps it asks more often."""

_TAKING = 10.0
"""Seconds that a client may take to read an answer."""

_LINGER = 2.0
"""Seconds for which the body of a request that was refused is taken in and thrown away ..."""

_DISCARDED = 1024 * 1024
"""... and bytes."""

_AGAIN = 2.0
"""Seconds between two tries to listen."""

_LAST_PATIENCE = 0.2
"""Seconds that the thread may take to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What somebody asks for: `method`, and `target` as it was sent; `accept` says in which form."""

    method: str
    target: str
    accept: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What is answered: `status`, the `body` of the media type `kind`, and further `headers`."""

    status: int
    body: bytes
    kind: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()


Answer = Callable[[Request], Awaitable[Response]]


class Server:
    """Serves `answer` on one address, from `start` to `stop`; both belong to the host's loop, `answer` to the thread.

    An address that cannot be had is said once and tried again.

    Attributes:
        port: where it listens; None while it does not.
    """

    def __init__(self, address: tuple[str, int], answer: Answer) -> None:
        self.port: int | None = None
        self._address = address
        self._answer = answer
        self._connections: dict[asyncio.Task[None], None] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._work: asyncio.Task[None] | None = None
        self._asked_to_stop = threading.Event()
        self._ended = asyncio.Event()
        self._host_loop = asyncio.get_running_loop()
        self._log = structlog.get_logger().bind(address=f"{address[0]}:{address[1]}")
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    async def stop(self) -> None:
        """Serve no more. Returns when the address is free, or a moment has passed."""
        self._asked_to_stop.set()
        if (loop := self._loop) is not None:
            with suppress(RuntimeError):  # closed already
                loop.call_soon_threadsafe(self._cancel)
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_PATIENCE):
                await self._ended.wait()

    # What follows runs in the thread.

    def _run(self) -> None:
        try:
            with suppress(asyncio.CancelledError):
                asyncio.run(self._serve())
        finally:
            with suppress(RuntimeError):  # the host's loop is closed: nobody waits
                self._host_loop.call_soon_threadsafe(self._ended.set)

    def _cancel(self) -> None:
        if self._work is not None:
            self._work.cancel()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._work = asyncio.current_task()
        said = ""
        while not self._asked_to_stop.is_set():
            try:
                server = await asyncio.start_server(self._connected, *self._address, limit=_HEAD)
            except OSError as error:
                reason = error.strerror or str(error)
                level = self._log.debug if reason == said else self._log.error
                level("cannot listen for HTTP; trying again, and all else goes on", reason=reason)
                said = reason
                await asyncio.sleep(_AGAIN)
                continue
            said = ""
            host, port = server.sockets[0].getsockname()[:2]
            self.port = port
            self._log.info("HTTP is served", address=f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
            try:
                await asyncio.Event().wait()  # not serve_forever: some Pythons' waits for the last client to go
            finally:
                self.port = None
                server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            return
        if len(self._connections) >= _CONNECTIONS:
            next(iter(self._connections)).cancel()
        self._connections[task] = None
        try:
            await _Connection(reader, writer, self._answer).serve()
        except (OSError, TimeoutError, h11.RemoteProtocolError, asyncio.CancelledError):
            return  # the client's affair, or too many of them, or the end
        except Exception as error:  # noqa: BLE001 - a mistake of ours must cost one answer only
            self._log.error("internal error: a request was not answered", exc_info=error)
        finally:
            del self._connections[task]
            writer.transport.abort() if task.cancelling() else writer.close()


class _Connection:
    """One client's connection, request after request."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Answer) -> None:
        self._reader = reader
        self._writer = writer
        self._answer = answer
        self._protocol = h11.Connection(h11.SERVER, max_incomplete_event_size=_HEAD)

    async def serve(self) -> None:
        """Answer until the client is done, or does what cannot be answered."""
        while True:
            try:
                async with asyncio.timeout(_SILENCE):
                    request = await self._request()
            except h11.RemoteProtocolError as error:
                await self._send(Response(status=error.error_status_hint, body=b"not a request\n"), "GET")
                await self._discard()
                return
            if request is None:
                return
            await self._send(await self._answer(request), request.method)
            if self._protocol.their_state is not h11.DONE:
                await self._discard()
                return
            if self._protocol.our_state is not h11.DONE:
                return
            self._protocol.start_next_cycle()

    async def _request(self) -> Request | None:
        """Return the next request; None where there is none. A body is not read: what is left ends the connection."""
        while True:
            event = self._protocol.next_event()
            if event is h11.NEED_DATA:
                self._protocol.receive_data(await self._reader.read(_HEAD))
            elif isinstance(event, h11.Request):
                if self._is_bare(event):
                    self._protocol.next_event()
                accept = b", ".join(value for name, value in event.headers if name == b"accept")
                return Request(
                    method=event.method.decode("ascii"),
                    target=event.target.decode("ascii", "replace"),
                    accept=accept.decode("ascii", "replace"),
                )
            else:
                return None

    def _is_bare(self, event: h11.Request) -> bool:
        """Whether a request has no body, as nearly all: then its end can be taken at once."""
        return not any(name in (b"content-length", b"transfer-encoding") for name, _ in event.headers)

    async def _discard(self) -> None:
        """Take in what is still being sent, within limits: closing on it would lose the answer on its way."""
        self._writer.write_eof()
        async with asyncio.timeout(_LINGER):
            for _ in range(_DISCARDED // _HEAD):
                if not await self._reader.read(_HEAD):
                    return

    async def _send(self, response: Response, method: str) -> None:
        headers = [
            ("Content-Type", response.kind),
            ("Content-Length", str(len(response.body))),
            ("Date", formatdate(usegmt=True)),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
            *response.headers,
        ]
        if self._protocol.their_state is not h11.DONE:
            headers.append(("Connection", "close"))
        head = h11.Response(status_code=response.status, reason=HTTPStatus(response.status).phrase, headers=headers)
        events: list[h11.Event] = [head, h11.EndOfMessage()]
        if method != "HEAD":
            events.insert(1, h11.Data(data=response.body))
        self._writer.write(b"".join(self._protocol.send(event) or b"" for event in events))
        async with asyncio.timeout(_TAKING):
            await self._writer.drain()
