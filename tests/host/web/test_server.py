"""Clients of every kind: none of them costs another its answer."""

import asyncio
import contextlib
import socket

import pytest

from devbay.web.server import Request, Response, Server
from tests.host import until
from tests.host.web.serving import PATIENCE, ask, web


async def raw(port: int, sent: bytes) -> bytes:
    """Return all that is answered to some bytes, until the connection ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(sent)
        async with asyncio.timeout(PATIENCE):
            return await reader.read()
    finally:
        writer.close()


async def test_head_is_get_without_its_body() -> None:
    """P21: HEAD has the same head as GET, and nothing else."""
    async with web() as site:
        get, head = await site.get("/readyz"), await site.get("/readyz", "HEAD")

    assert (head.status, head.body) == (200, "")
    assert head.headers["Content-Length"] == get.headers["Content-Length"] == "6"


@pytest.mark.parametrize("path", ["/nothing", "/metrics/", "/%2e%2e/etc/passwd", "//", "/healthz/../x"])
async def test_an_unknown_path_is_not_found(path: str) -> None:
    """P21: what is not there is said to be not there, with what is."""
    async with web() as site:
        answer = await site.get(path)

    assert (answer.status, answer.body) == (404, "there are: /, /healthz, /metrics, /readyz, /status.json\n")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
async def test_nothing_can_be_changed(method: str) -> None:
    """P21: it is read-only: any method but GET and HEAD is refused."""
    async with web() as site:
        answer = await site.get("/", method)

    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


async def test_a_body_that_nobody_wants_is_refused_with_an_answer() -> None:
    """P21: who sends a large body reads the refusal, and not a connection that broke."""
    async with web() as site:
        answered = await raw(
            site.port, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n" + b"x" * 300_000
        )

    assert answered.startswith(b"HTTP/1.1 405 Method Not Allowed\r\n")
    assert b"Connection: close" in answered


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", b"431"),
        (b"GET /" + b"y" * 100_000, b"431"),
        (b"hello\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (b"GET http://[/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", b"400"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"4"),
    ],
    ids=["header", "target", "words", "tls", "no host", "no address", "http/2"],
)
async def test_what_is_no_request_is_refused(sent: bytes, status: bytes) -> None:
    """P21: bytes that are no request, or far too many, end in one answer and the end of the connection."""
    async with web() as site:
        answered = await raw(site.port, sent)

        assert answered.split(b" ")[1].startswith(status)
        assert (await site.get("/healthz")).status == 200


async def test_a_connection_serves_many_requests() -> None:
    """P21: a scraper may keep its connection, and send before it has read."""
    request = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
    last = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    async with web() as site:
        answered = await raw(site.port, request * 20 + last)

    assert answered.count(b"HTTP/1.1 200 OK") == 21


async def test_silent_clients_keep_nobody_out() -> None:
    """P21: however many connections say nothing, the next probe is answered: the oldest makes room."""
    async with web() as site:
        with contextlib.ExitStack() as silent:
            for _ in range(400):
                silent.enter_context(socket.create_connection(("127.0.0.1", site.port), PATIENCE))

            assert (await site.get("/healthz")).status == 200


async def test_a_client_that_does_not_read_holds_up_nobody() -> None:
    """P21: an answer that is not read waits alone."""
    async with web() as site:
        with socket.create_connection(("127.0.0.1", site.port), PATIENCE) as lazy:
            lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            lazy.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 400)

            assert (await site.get("/healthz")).status == 200


async def test_an_address_in_use_is_tried_again() -> None:
    """P21: a port that somebody has stops nothing, and is taken when it is free."""

    async def answer(_request: Request) -> Response:
        return Response(status=200, body=b"here\n")

    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        server = Server(("127.0.0.1", port), answer)
        server.start()
        await asyncio.sleep(0)
        assert server.port is None
    await until(lambda: server.port == port)

    assert (await asyncio.to_thread(ask, port, "/")).body == "here\n"
    await server.stop()


async def test_a_mistake_of_ours_costs_one_answer() -> None:
    """P21: an answer that cannot be made ends its connection, and the next is made."""
    asked: list[str] = []

    async def answer(request: Request) -> Response:
        asked.append(request.target)
        if len(asked) == 1:
            raise ZeroDivisionError
        return Response(status=200, body=b"here\n")

    server = Server(("127.0.0.1", 0), answer)
    server.start()
    await until(lambda: server.port)
    assert server.port is not None
    assert await raw(server.port, b"GET /first HTTP/1.1\r\nHost: a\r\n\r\n") == b""

    assert (await asyncio.to_thread(ask, server.port, "/second")).body == "here\n"
    await server.stop()
    assert asked == ["/first", "/second"]


async def test_a_server_that_stopped_lets_go_of_its_port() -> None:
    """P22: once it has stopped, nobody listens, and its thread is gone."""
    async with web() as site:
        port = site.port

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), PATIENCE)
