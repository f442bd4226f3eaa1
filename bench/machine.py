"""The machine that figures are from, and how its cores are divided: the host on one, whoever asks it on another."""

import os
import platform
import socket
import statistics
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

_BUSY = 0.25
"""Load per core at the start from which figures are doubtful."""


def describe() -> Mapping[str, object]:
    """Return what a reader of figures must know of the machine, as it is now."""
    load = os.getloadavg()
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "grpcio": version("grpcio"),
        "devbay": version("devbay"),
        "place": place(),
        "socket_us": round(_socket_seconds() * 1e6, 1),
        "load": [round(each, 2) for each in load],
        "busy": load[0] > _BUSY * len(os.sched_getaffinity(0)),
    }


CORES = sorted(os.sched_getaffinity(0))


def take_asking_core() -> None:
    """Move this process to the first core, and so all that it starts and does not move away."""
    os.sched_setaffinity(0, {CORES[0]})


def give_serving_core(pid: int) -> None:
    """Move a process to the last core; where there is one only, both share it."""
    os.sched_setaffinity(pid, {CORES[-1]})


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process's living threads, to the nanosecond (/proc/PID/task/TID/schedstat)."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(each.read_text(encoding="ascii").split()[0]) for each in threads) / 1e9


def memory_mib(pid: int) -> dict[str, float]:
    """Return how much memory of a process is resident, and whose, in MiB (/proc/PID/smaps_rollup)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
    kib = {name.rstrip(":"): int(number) for name, number, *_ in map(str.split, lines)}
    return {
        "resident": kib["Rss"] / 1024,
        "private": (kib["Private_Clean"] + kib["Private_Dirty"]) / 1024,
        "shared": (kib["Shared_Clean"] + kib["Shared_Dirty"]) / 1024,
        "anonymous": kib["Anonymous"] / 1024,
    }


def place() -> str:
    """Return where directories of sockets are made: in memory, where that can be had.

    What a new socket costs on a disk depends on the directory: on one ext4 12 µs below /var/lib, and 400 µs below a
    /tmp whose block group had no inode left. With fifty sockets that would be the figure.
    """
    memory = Path("/dev/shm")  # noqa: S108 - what is made in it has a random name and is private
    return str(memory) if os.access(memory, os.W_OK | os.X_OK) else tempfile.gettempdir()


def _socket_seconds() -> float:
    """Return what it costs there to make a socket: the median of fifty."""
    times = []
    with tempfile.TemporaryDirectory(prefix="db-", dir=place()) as directory:
        for number in range(50):
            with socket.socket(socket.AF_UNIX) as one:
                began = time.perf_counter()
                one.bind(f"{directory}/{number}")
                times.append(time.perf_counter() - began)
    return statistics.median(times)


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Model"))]
    return names[0] if names else platform.machine()
