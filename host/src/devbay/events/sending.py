"""Brings what is told to the API server: one task, one thread, and never in anybody's way.

What cannot be sent waits, bounded, and is tried again ever more slowly; what the server will never take is dropped. A
permission that is missing is said once, with the rule that grants it.
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import structlog

from devbay.apiserver.client import MERGE_PATCH, ApiServer
from devbay.errors import CallTimeout, KubernetesApiError
from devbay.events.telling import Happening, Limit, Memory, Outbox, Told, counted, happenings
from devbay.inventory import Change
from devbay.retry import BACKEND, Pauses
from devbay.threads import CallFailed, Worker

_PATH = "/api/v1/namespaces/default/events"
"""Events about what has no namespace, such as a node, are in this one."""

_SETTLE = 0.5
"""Seconds until something is told: what happens together is told together."""

_LONGEST_NAME = 230
"""Characters of a node's name in an event's, which may have 253."""

_DEADLINE = 30.0
_LONGEST_INSTANCE = 128
_NEVER = frozenset({400, 404, 405, 413, 422})
"""What a server says to something that it will not take the next time either."""


class NodeEvents:
    """Tells of the devices of one node. Made and used on the event loop; `server` is asked for once, in a thread."""

    def __init__(  # noqa: PLR0913 - three of them are for tests: what time it is, and how long is waited
        self,
        node: str,
        server: Callable[[], ApiServer],
        *,
        pauses: Pauses = BACKEND,
        limit: Limit | None = None,
        settle: float = _SETTLE,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._node = node
        self._make = server
        self._server: ApiServer | None = None
        self._pauses = pauses
        self._limit = limit or Limit()
        self._settle = settle
        self._now = now
        self._outbox = Outbox()
        self._memory = Memory()
        self._some = asyncio.Event()
        self._worker: Worker | None = None
        self._said = ""
        self._log = structlog.get_logger()

    def take(self, changes: Iterable[Change]) -> None:
        """Have changes told. Returns at once, and never fails."""
        for happening in happenings(changes, self._now()):
            self._outbox.put(happening)
        if len(self._outbox):
            self._some.set()

    async def run(self) -> None:
        """Send what there is, until cancelled."""
        try:
            while True:
                await self._some.wait()
                await asyncio.sleep(self._settle)
                self._some.clear()
                while (happening := self._outbox.take()) is not None:
                    await self._deliver(happening)
        finally:
            if self._worker is not None:
                self._worker.end()

    async def _deliver(self, happening: Happening) -> None:
        """Send one, however long it takes; what happens meanwhile waits and is merged."""
        pauses: Iterator[float] = iter(self._pauses)
        await asyncio.sleep(self._limit.wait(asyncio.get_running_loop().time()))
        while True:
            try:
                await self._send(happening)
            except KubernetesApiError as error:
                self._say(error)
                if error.status in _NEVER:
                    return
                await asyncio.sleep(max(next(pauses), error.pause))
            else:
                self._say(None)
                return

    async def _send(self, happening: Happening) -> None:
        told = self._memory.repetition(happening, self._now())
        if told is not None:
            whole = counted(told, happening)
            try:
                await self._call("PATCH", f"{_PATH}/{told.name}", _changed(whole), MERGE_PATCH)
            except KubernetesApiError as error:
                if error.status != 404:  # noqa: PLR2004 - not found: the server forgets events after an hour
                    raise
                self._memory.forget(happening)
            else:
                self._memory.remember(Told(told.name, whole))
                return
        name = f"{self._node[:_LONGEST_NAME].rstrip('-.')}.{secrets.token_hex(8)}"
        await self._call("POST", _PATH, event(self._node, name, happening), "application/json")
        self._memory.remember(Told(name, happening))

    async def _call(self, method: str, path: str, body: object, content: str) -> None:
        self._worker = self._worker or Worker("events")
        await self._worker.free.wait()
        try:
            await self._worker.call(
                lambda: self._request(method, path, body, content), what="the API server", deadline=_DEADLINE
            )
        except CallTimeout as error:
            raise KubernetesApiError(str(error)) from None
        except CallFailed as error:
            if isinstance(error.__cause__, KubernetesApiError):
                raise error.__cause__ from None
            raise KubernetesApiError(f"internal error: {error.description}") from error

    def _request(self, method: str, path: str, body: object, content: str) -> Mapping[str, Any]:
        if self._server is None:
            self._server = self._make()
        return self._server.call(method, path, body, content=content)

    def _say(self, error: KubernetesApiError | None) -> None:
        said = "" if error is None else str(error)
        lost, self._outbox.lost = self._outbox.lost, 0
        if lost:
            self._log.warning("too much happened at once: some of it has no Kubernetes Event", lost=lost)
        if said != self._said:
            if error is not None:
                self._log.warning("Kubernetes Events are not sent; devices are offered all the same", reason=said)
            else:
                self._log.info("Kubernetes Events are sent again")
        self._said = said


def event(node: str, name: str, happening: Happening) -> dict[str, Any]:
    """Return an Event about a node.

    Its involved object bears the node's name for a UID, as the kubelet's own events do, and ``kubectl describe node``
    looks for that: so the Node need not be read.
    """
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": "default"},
        "involvedObject": {"apiVersion": "v1", "kind": "Node", "name": node, "uid": node},
        "reason": happening.reason,
        "type": happening.kind,
        "source": {"component": "devbay", "host": node},
        "reportingComponent": "devbay",
        "reportingInstance": node[:_LONGEST_INSTANCE],
        "firstTimestamp": _time(happening.first),
        **_changed(happening),
    }


def _changed(happening: Happening) -> dict[str, Any]:
    """Return what of an Event changes when it happens again."""
    return {"count": happening.count, "lastTimestamp": _time(happening.last), "message": happening.message}


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
