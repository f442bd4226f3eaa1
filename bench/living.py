"""Budgets of the process: how soon it is there and gone, and what it needs while nothing happens."""

import asyncio
import statistics
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench import machine
from bench.figures import Figure
from bench.processes import PATIENCE, Place, Running, bare, host, mock, place
from devbay.simulator import DevicesReceived, Kubelet, Registered

_RESOURCES = 20


async def start(*, quick: bool) -> Figure:
    """From the start of the process until its first resource is registered; the mock backend, whose tree it makes."""
    starts, bares, cpu = [], [], []
    for _ in range(2 if quick else 15):
        with place() as where:
            async with (
                Kubelet(where.plugins) as kubelet,
                host(where, {"backends": ["mock"], "mock": mock(where)}) as one,
            ):
                await _registered(kubelet)
                starts.append((kubelet.events_of(Registered)[0].at - one.since) * 1e3)
                cpu.append(machine.cpu_seconds(one.pid) * 1e3)
            async with bare(where) as (_, _, seconds):
                bares.append(seconds * 1e3)
    beside = {"bare server p50 ms": statistics.median(bares), "host's CPU p50 ms": statistics.median(cpu)}
    return Figure(unit="ms", limit=500.0, judged="p50", samples=tuple(starts), beside=beside)


async def stop(*, quick: bool) -> Figure:
    """From SIGTERM to the exit, with 20 resources and their streams."""
    times = []
    for _ in range(2 if quick else 10):
        async with _twenty() as one:
            times.append(await one.stop())
    return Figure(unit="s", limit=1.0, judged="max", samples=tuple(times))


async def memory(*, quick: bool) -> Figure:
    """Resident memory with the mock backend and 20 resources that are streamed, and a bare server's beside it."""
    ours, theirs = [], []
    for _ in range(1 if quick else 3):
        async with _twenty() as one:
            await asyncio.sleep(0.1 if quick else 2.0)  # what was asked ahead is there, what was freed is freed
            ours.append(machine.memory_mib(one.pid))
        with place() as where:
            async with bare(where) as (other, _, _):
                theirs.append(machine.memory_mib(other.pid))
    beside = {f"{name} MiB": statistics.median(each[name] for each in ours) for name in ours[0] if name != "resident"}
    beside |= {f"bare {name} MiB": statistics.median(each[name] for each in theirs) for name in ("resident", "private")}
    return Figure(
        unit="MiB",
        limit=56.0,
        judged="p50",
        samples=tuple(each["resident"] for each in ours),
        beside=beside,
        remark="there is no udev backend yet: mock, and a backend for measuring that has 19 of the resources",
    )


async def idle(*, quick: bool) -> Figure:
    """CPU time of the host while nothing happens, with 20 resources; scans and questions to the kubelet go on."""
    window, windows = (0.5, 1) if quick else (10.0, 3)
    shares = []
    async with _twenty() as one:
        await asyncio.sleep(0.1 if quick else 3.0)
        for _ in range(windows):
            before = machine.cpu_seconds(one.pid)
            await asyncio.sleep(window)
            shares.append((machine.cpu_seconds(one.pid) - before) / window * 100)
    return Figure(
        unit="% of a core", limit=0.5, judged="p50", samples=tuple(shares), remark=f"each over {window:g} seconds"
    )


@asynccontextmanager
async def _twenty() -> AsyncIterator[Running]:
    """Run a host with the mock backend and 20 resources, all of them streamed."""
    with place() as where:
        sections = {
            "backends": ["mock", "bench"],
            "mock": mock(where),
            "bench": {"resources": _RESOURCES - 1},
        }
        async with _kubelet(where) as kubelet, host(where, sections) as one:
            await kubelet.wait_until(lambda: _listed(kubelet) == _RESOURCES, PATIENCE, f"{_RESOURCES} lists")
            yield one


async def _registered(kubelet: Kubelet) -> None:
    await kubelet.wait_until(lambda: bool(kubelet.events_of(Registered)), PATIENCE, "a resource")


def _listed(kubelet: Kubelet) -> int:
    return len({event.resource for event in kubelet.events_of(DevicesReceived)})


@asynccontextmanager
async def _kubelet(where: Place) -> AsyncIterator[Kubelet]:
    async with Kubelet(where.plugins, pod_resources_socket=where.pod_resources) as kubelet:
        yield kubelet
