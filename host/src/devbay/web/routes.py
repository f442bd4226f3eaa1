"""Paths to answers. Runs in the web's thread; everything is read-only, and there is nothing to be authorised for."""

import json
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import parse_qs, urlsplit

from devbay.settings import WebSection
from devbay.web.document import encode
from devbay.web.metrics import Exposition
from devbay.web.page import POLICY, render
from devbay.web.server import Request, Response
from devbay.web.witness import Sight, Witness

_READS = ("GET", "HEAD")
_NOTHING = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
_JSON = "application/json"

_Route = Callable[[Request], Awaitable[Response]]


class Routes:
    """Answers requests about what a witness sees, as the settings say."""

    def __init__(self, witness: Witness, section: WebSection) -> None:
        self._witness = witness
        self._exposition = Exposition(holders=section.holders_metric)
        self._routes: dict[str, _Route] = {"/healthz": self._live, "/readyz": self._ready, "/metrics": self._metrics}
        if section.page:
            self._routes |= {"/": self._page, "/status.json": self._document}

    async def __call__(self, request: Request) -> Response:
        """Return the answer to a request."""
        try:
            path = urlsplit(request.target).path
        except ValueError as error:
            return self._plain(400, f"no address: {error}")
        route = self._routes.get(path)
        if route is None:
            return self._plain(404, f"there are: {', '.join(sorted(self._routes))}")
        if request.method not in _READS:
            return self._plain(405, "everything here is read-only", ("Allow", ", ".join(_READS)))
        return await route(request)

    async def _live(self, request: Request) -> Response:
        return _verdict(request, "alive", self._witness.ailments())

    async def _ready(self, request: Request) -> Response:
        sight = await self._witness.look()
        return _verdict(request, "ready", _lacking(sight), sight.status.notes() if sight.status else ())

    async def _metrics(self, request: Request) -> Response:
        sight = await self._witness.look()
        body, kind = self._exposition.of(sight.status, self._witness.lag, request.accept)
        return Response(status=200, body=body, kind=kind)

    async def _document(self, _request: Request) -> Response:
        sight = await self._witness.look()
        if sight.status is None:
            return self._plain(503, "the event loop does not answer")
        return Response(status=200, body=encode(sight.status, late=sight.late), kind=_JSON)

    async def _page(self, _request: Request) -> Response:
        sight = await self._witness.look()
        if sight.status is None:
            return self._plain(503, "the event loop does not answer")
        body = render(sight.status, late=sight.late).encode()
        policy = ("Content-Security-Policy", POLICY)
        return Response(status=200, body=body, kind="text/html; charset=utf-8", headers=(policy,))

    @staticmethod
    def _plain(status: int, text: str, *headers: tuple[str, str]) -> Response:
        policy = ("Content-Security-Policy", _NOTHING)
        return Response(status=status, body=f"{text}\n".encode(), headers=(policy, *headers))


def _lacking(sight: Sight) -> tuple[str, ...]:
    late = ("the event loop does not answer",) if sight.late or sight.status is None else ()
    return (*late, *(sight.status.missing() if sight.status else ()))


def _verdict(request: Request, what: str, lacking: Sequence[str], notes: Sequence[str] = ()) -> Response:
    """Answer a probe: 200 and a word, or 503 and what is wrong, a line each, and notes; in JSON for who asks so."""
    status = 503 if lacking else 200
    wanted = parse_qs(urlsplit(request.target).query).get("format", [""])[-1]
    if wanted == "json" or (not wanted and _JSON in request.accept):
        body = json.dumps({what: not lacking, "missing": list(lacking), "notes": list(notes)}).encode() + b"\n"
        return Response(status=status, body=body, kind=_JSON)
    lines = [f"not {what}" if lacking else what, *lacking, *notes]
    return Response(status=status, body=("\n".join(lines) + "\n").encode())
