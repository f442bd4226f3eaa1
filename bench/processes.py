"""The processes that are measured: `devbay run` with a configuration of ours, and the bare server beside it."""

import asyncio
import os
import shutil
import signal
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bench import machine

ROOT = Path(__file__).parents[1]
PATIENCE = 30.0
"""Seconds until something that never comes ends the run."""

_ENTRY_POINT = "[devbay.backends.v1]\nbench = bench.hardware:Backend\n"
_METADATA = "Metadata-Version: 2.1\nName: devbay-bench\nVersion: 0\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A directory of its own for one measurement; short, since a socket's path has 107 bytes."""

    root: Path

    @property
    def plugins(self) -> Path:
        """The kubelet's directory."""
        return self.root / "plugins"

    @property
    def pod_resources(self) -> Path:
        """Where the kubelet tells who holds what."""
        return self.root / "pods" / "kubelet.sock"

    @property
    def config(self) -> Path:
        """The host's configuration."""
        return self.root / "config.yaml"

    def configure(self, sections: Mapping[str, Any]) -> None:
        """Write the host's configuration, all at once."""
        document = {
            "kubelet": {"directory": str(self.plugins), "pod_resources": str(self.pod_resources)},
            "cdi": {"directory": str(self.root / "cdi")},
            "web": {"listen": "127.0.0.1:0"},
            **sections,
        }
        fresh = self.config.with_suffix(".new")
        fresh.write_text(yaml.safe_dump(document), encoding="utf-8")
        fresh.rename(self.config)


@contextmanager
def place() -> Iterator[Place]:
    """Make a place, with the kubelet's directory and an installed backend for measuring in it."""
    root = Path(tempfile.mkdtemp(prefix="db-", dir=machine.place()))
    info = root / "site" / "devbay_bench-0.dist-info"
    for directory in (root / "plugins", info):
        directory.mkdir(parents=True)
    (info / "METADATA").write_text(_METADATA, encoding="utf-8")
    (info / "entry_points.txt").write_text(_ENTRY_POINT, encoding="utf-8")
    try:
        yield Place(root=root)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def mock(where: Place, devices: int = 4) -> dict[str, Any]:
    """Return the section of the mock backend, on a tree in this place."""
    return {"root": f"{where.root}/class", "device_dir": f"{where.root}/dev", "count": devices, "numa_nodes": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A process that is measured."""

    process: Process
    since: float

    @property
    def pid(self) -> int:
        """Its number."""
        return self.process.pid

    async def stop(self) -> float:
        """Ask it to end, and return the seconds it took. It must end well."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE):
            code = await self.process.wait()
        if code:
            raise RuntimeError(f"the host was to exit with 0 and exited with {code}")
        return time.monotonic() - began


@asynccontextmanager
async def host(where: Place, sections: Mapping[str, Any]) -> AsyncIterator[Running]:
    """Run a host in this place, on the serving core; its log goes to a file there."""
    where.configure(sections)
    with (where.root / "log").open("ab") as log:
        command = [sys.executable, "-m", "devbay", "run", "--config", os.fspath(where.config), "--log-format", "json"]
        since = time.monotonic()
        process = await asyncio.create_subprocess_exec(*command, stderr=log, env=_environment(where))
    async with _on_serving_core(process):
        yield Running(process=process, since=since)


@asynccontextmanager
async def bare(where: Place, answer: bytes = b"") -> AsyncIterator[tuple[Running, Path, float]]:
    """Run a bare grpcio server that answers `answer`; yield it, its socket, and the seconds until it served."""
    path, file = where.root / "bare.sock", where.root / "answer"
    path.unlink(missing_ok=True)
    file.write_bytes(answer)
    since = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.bare", path, file, stdout=PIPE, env=_environment(where)
    )
    async with _on_serving_core(process):
        assert process.stdout is not None  # noqa: S101 - for mypy; it was asked for
        async with asyncio.timeout(PATIENCE):
            await process.stdout.readline()
        yield Running(process=process, since=since), path, time.monotonic() - since


@asynccontextmanager
async def _on_serving_core(process: Process) -> AsyncIterator[None]:
    machine.give_serving_core(process.pid)
    try:
        yield
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def _environment(where: Place) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("DEVBAY_")}
    paths = os.pathsep.join((os.fspath(ROOT), os.fspath(where.root / "site")))
    return inherited | {"PYTHONPATH": paths, "NODE_NAME": "bench", "GRPC_VERBOSITY": "NONE"}
