"""Budgets of the device list: how soon a long one is there, and how soon a change is on the wire."""

import asyncio
import socket
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bench.asking import Caller, Desk, calling
from bench.figures import Figure
from bench.processes import PATIENCE, Place, host, place

_NEVER_HELD_BACK = {"flap_limit": 1_000_000}
_PAUSE = 0.05
"""Seconds between two changes: looks are at least 20 ms apart, and one that waits for the last is no change's time."""


class _Failing:
    """Fails devices of a running host, one by one."""

    def __init__(self, where: Place) -> None:
        self.control = where.root / "control"
        self._number = 0
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(where.root / "asker"))
        self._socket.settimeout(0)

    def close(self) -> None:
        """Ask no more."""
        self._socket.close()

    async def fail(self) -> None:
        """Have the next device fail."""
        await asyncio.sleep(_PAUSE)
        loop = asyncio.get_running_loop()
        await loop.sock_sendto(self._socket, f"r0-d{self._number}".encode(), str(self.control))
        self._number += 1

    async def checked(self) -> float:
        """Return when the check that saw it was done."""
        return float(await asyncio.get_running_loop().sock_recv(self._socket, 64))


async def long_list(*, quick: bool) -> Figure:
    """10,000 advertised ids: from the opening of a stream until its message is there."""
    async with _serving(10_000) as (path, _), calling(path) as caller:
        kept = caller.stream()  # the end of the last stream would end the endpoint
        await kept.read()
        times = [await _listed(caller) for _ in range(3 if quick else 40)]
    return Figure(unit="ms", limit=150.0, judged="p95", samples=tuple(times), remark="read as bytes, not parsed")


async def _listed(caller: Caller) -> float:
    began = time.monotonic()
    stream = caller.stream()
    message = await stream.read()
    seconds = time.monotonic() - began
    if len(message) < 10_000:  # noqa: PLR2004 - a byte for each id at the very least
        raise RuntimeError(f"the list of 10,000 has {len(message)} bytes")
    stream.cancel()
    return seconds * 1e3


async def long_change(*, quick: bool) -> Figure:
    """10,000 advertised ids, one of which fails: from the end of `check` until the new list is there."""
    return await _changes(10_000, 150.0, 3 if quick else 40)


async def change(*, quick: bool) -> Figure:
    """One of 400 devices fails: from the end of `check` until the new list is there."""
    return await _changes(400, 20.0, 3 if quick else 200)


async def _changes(devices: int, limit: float, times: int) -> Figure:
    from_check, from_event = [], []
    async with _serving(devices) as (path, failing), calling(path) as caller:
        stream = caller.stream()
        await stream.read()
        for _ in range(times):
            await failing.fail()
            happened = time.monotonic()
            async with asyncio.timeout(PATIENCE):
                await stream.read()
            received = time.monotonic()
            from_check.append((received - await failing.checked()) * 1e3)
            from_event.append((received - happened) * 1e3)
    beside = {"from the event p50 ms": statistics.median(from_event)}
    return Figure(unit="ms", limit=limit, judged="p95", samples=tuple(from_check), beside=beside)


@asynccontextmanager
async def _serving(devices: int) -> AsyncIterator[tuple[Path, _Failing]]:
    with place() as where:
        failing = _Failing(where)
        section = {"devices": devices, "control": str(failing.control)}
        sections = {"backends": ["bench"], "bench": section, "health": _NEVER_HELD_BACK}
        try:
            async with Desk(where).open() as desk, host(where, sections):
                yield await desk.next(), failing
        finally:
            failing.close()
