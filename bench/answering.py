"""Budgets of answers: Allocate beside a bare server's unary call, and the preferred allocation."""

import itertools
import random
import statistics
import time
from collections.abc import Iterable, Iterator, Sequence

from bench.asking import Caller, Desk, allocation, calling
from bench.figures import Figure
from bench.processes import bare, host, place
from devbay.model import Device
from devbay.preference import Affinity, Policy, prefer
from devbay.sharing import replica_ids

_BLOCK = 40
"""Calls to one server before the other's turn: long enough to be warm, short enough that both see the same machine."""


async def memoised(*, quick: bool) -> Figure:
    """Allocate whose answer is known: a block of calls to the host, one to the bare server, and again."""
    request = allocation(["r0-d1", "r0-d2"])
    return await _beside_bare(itertools.repeat(request), 1.25, quick=quick)


async def first(*, quick: bool) -> Figure:
    """Allocate that a backend must be asked for, in its thread: no set of devices is asked for twice."""
    combinations = itertools.combinations([f"r0-d{n}" for n in range(64)], 3)
    return await _beside_bare(map(allocation, combinations), 2.0, quick=quick)


async def _beside_bare(requests: Iterable[bytes], limit: float, *, quick: bool) -> Figure:
    requests = iter(requests)
    blocks, calls = (3, 10) if quick else (60, _BLOCK)
    sections = {"backends": ["bench"], "bench": {"devices": 64}}
    with place() as where:
        async with Desk(where).open() as desk, host(where, sections), calling(await desk.next()) as ours:
            await ours.stream().read()
            answer = await ours.allocate(next(requests))
            async with bare(where, answer) as (_, socket, _), calling(socket) as theirs:
                for caller in (ours, theirs):
                    await _block(caller, itertools.islice(requests, calls * 5))
                pairs = [
                    [await _block(c, itertools.islice(requests, calls)) for c in (ours, theirs)] for _ in range(blocks)
                ]
    host_ms, bare_ms = (statistics.median(times) * 1e3 for times in zip(*pairs, strict=True))
    return Figure(
        unit="x",
        limit=limit,
        judged="p50",
        samples=tuple(one / other for one, other in pairs),
        beside={"host p50 ms": host_ms, "bare p50 ms": bare_ms, "calls": 2.0 * blocks * calls},
        remark="each sample compares the medians of two blocks of calls",
    )


async def _block(caller: Caller, requests: Iterable[bytes]) -> float:
    """Return the median seconds of these calls, one after another."""
    times = []
    for request in requests:
        began = time.perf_counter()
        await caller.allocate(request)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


async def preferred_linked(*, quick: bool) -> Figure:
    """Preferred allocation among 16 linked devices: each size, each policy, links of several makes, some taken."""
    names = [f"gpu{n:02}" for n in range(16)]
    devices = {
        name: Device(id=name, resource="r", numa_nodes=(n // 8,), parent=f"board{n // 2}")
        for n, name in enumerate(names)
    }
    times = [
        _seconds(devices, available, size, policy, affinity)
        for affinity in _links(names, makes=2 if quick else 12)
        for policy in Policy
        for available in (names, names[:3] + names[5:])
        for size in range(1, len(available) + 1)
    ]
    return _milliseconds(times, 5.0, "in one process with the one who asks: what the loop is held up for")


async def preferred_shares(*, quick: bool) -> Figure:
    """Preferred allocation among 1,280 shares, of 160 devices with 8 and of 20 with 64, some taken."""
    chance = random.Random(1)  # noqa: S311 - the same questions each time
    times = []
    for count, replicas in ((160, 8), (20, 64)):
        devices = {
            name: Device(id=name, resource="r", numa_nodes=(n % 2,)) for n, name in enumerate(map(str, range(count)))
        }
        shares = [share for name in devices for share in replica_ids(name, replicas)]
        for policy in Policy:
            for available in (shares, chance.sample(shares, 900)):
                sizes = (1, 2, 8, 64, 639, len(available) - 1) * (1 if quick else 8)
                times += [_seconds(devices, available, size, policy, Affinity()) for size in sizes]
    return _milliseconds(times, 20.0, "as above")


def _links(names: Sequence[str], makes: int) -> Iterator[Affinity]:
    """Yield closenesses: none, rings and meshes by steps, and pairs that all differ."""
    chance = random.Random(1)  # noqa: S311 - the same links each time
    pairs = list(itertools.combinations(range(len(names)), 2))
    yield Affinity()
    for make in range(1, makes):
        levels = 2 ** (make % 6 + 1)
        score = {(a, b): float(chance.randrange(levels) if make % 2 else (a ^ b) % levels) for a, b in pairs}
        yield Affinity.of({(names[a], names[b]): value for (a, b), value in score.items()})
    yield Affinity.of({(names[a], names[b]): chance.random() for a, b in pairs})


def _seconds(
    devices: dict[str, Device], available: Sequence[str], size: int, policy: Policy, affinity: Affinity
) -> float:
    began = time.perf_counter()
    prefer(devices, available, (), size, policy=policy, affinity=affinity)
    return time.perf_counter() - began


def _milliseconds(times: Sequence[float], limit: float, remark: str) -> Figure:
    samples = tuple(seconds * 1e3 for seconds in times)
    return Figure(unit="ms", limit=limit, judged="p99", samples=samples, remark=remark)
