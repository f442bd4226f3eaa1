"""Budgets of change around the host: the kubelet restarts, the configuration is edited."""

import asyncio
import statistics
import time
from typing import Any

from bench import machine
from bench.figures import Figure, quantile
from bench.processes import PATIENCE, Running, host, place
from devbay.simulator import DevicesReceived, Kubelet, KubeletStarted, Registered

_PAUSE = 0.1
"""Seconds between two restarts, so that the end of one is not in the next one's time."""


async def restart_one(*, quick: bool) -> Figure:
    """A kubelet restart with one resource: from its new socket's answering until it is registered."""
    return await _restarts(1, 3 if quick else 40)


async def restart_many(*, quick: bool) -> Figure:
    """A kubelet restart with 50 resources: from its new socket's answering until the last of them is registered."""
    return await _restarts(50, 3 if quick else 40)


async def _restarts(resources: int, times: int) -> Figure:
    last, each, cpu, asker = [], [], [], []
    with place() as where:
        async with Kubelet(where.plugins) as kubelet, host(where, _sections(resources)) as one:
            await _streamed(kubelet, resources)
            for _ in range(times):
                await asyncio.sleep(_PAUSE)
                before, ours = machine.cpu_seconds(one.pid), time.process_time()
                seconds = await _restart(kubelet, resources)
                cpu.append((machine.cpu_seconds(one.pid) - before) * 1e3)
                asker.append((time.process_time() - ours) * 1e3)
                last.append(max(seconds) * 1e3)
                each += [second * 1e3 for second in seconds]
    beside = {
        "each resource p50 ms": statistics.median(each),
        "each resource p95 ms": quantile(each, 0.95),
        "host's CPU p50 ms": statistics.median(cpu),
        "simulated kubelet's CPU p50 ms": statistics.median(asker),
    }
    remark = "the simulated kubelet's own work is in it" if resources > 1 else ""
    return Figure(unit="ms", limit=100.0, judged="p95", samples=tuple(last), beside=beside, remark=remark)


async def _restart(kubelet: Kubelet, resources: int) -> list[float]:
    """Restart it; return, for each resource, the seconds until it was registered."""
    before = len(kubelet.events)
    await kubelet.restart()
    await _streamed(kubelet, resources, since=before)
    news = kubelet.events[before:]
    (up,) = [event.at for event in news if isinstance(event, KubeletStarted)]
    return [event.at - up for event in news if isinstance(event, Registered)]


async def _streamed(kubelet: Kubelet, resources: int, since: int = 0) -> None:
    def listed() -> bool:
        news = kubelet.events[since:]
        return len({event.resource for event in news if isinstance(event, DevicesReceived)}) == resources

    await kubelet.wait_until(listed, PATIENCE, f"{resources} lists")


async def reload(*, quick: bool) -> Figure:
    """An edit of the configuration that shares a resource, among 50: until the kubelet has the list of its shares."""
    times = []
    with place() as where:
        async with Kubelet(where.plugins) as kubelet, host(where, _sections(50)) as one:
            await _streamed(kubelet, 50)
            for replicas in [2, 3] * (1 if quick else 6):
                shared = {"bench.example/r0": {"sharing": {"replicas": replicas}}}
                began = time.monotonic()
                where.configure({**_sections(50), "resources": shared})
                await _has(kubelet, 4 * replicas, one)
                times.append(time.monotonic() - began)
    return Figure(unit="s", limit=2.0, judged="max", samples=tuple(times))


async def _has(kubelet: Kubelet, count: int, _host: Running) -> None:
    await kubelet.wait_until(lambda: len(kubelet.devices("bench.example/r0")) == count, PATIENCE, f"{count} shares")


def _sections(resources: int) -> dict[str, Any]:
    return {"backends": ["bench"], "bench": {"resources": resources}}
