"""``devbay run`` as a process beside a simulated kubelet, as a node has them, and how tests wait for what it says."""

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PATIENCE = 20.0
"""Seconds until a condition that never comes fails its test: long, since a loaded machine is no failure."""


@contextmanager
def short_directory() -> Iterator[Path]:
    """Make a directory whose sockets' paths are short enough for a socket (107 bytes)."""
    path = Path(tempfile.mkdtemp(prefix="db-", dir="/tmp"))  # pytest's own directories are too deep
    try:
        yield path
    finally:
        shutil.rmtree(path)


@dataclass
class RunningHost:
    """A ``devbay run`` that was started.

    Attributes:
        process: it.
        environment: what it was started in, and ...
        variables: ... with, as `running` was told, so that another can be started as it was.
        lines: what it has logged so far, one mapping per line.
    """

    process: Process
    environment: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    lines: list[Mapping[str, Any]] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def read_log(self) -> None:
        """Take in the log until it ends."""
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            try:
                self.lines.append(json.loads(line))
            except json.JSONDecodeError:
                self.lines.append({"event": line.decode(), "level": "not json"})
            self._news.set()
        self._news.set()

    def logged(self, event: str, **fields: object) -> list[Mapping[str, Any]]:
        """Return the lines of an event so far that have these fields."""
        wanted = {"event": event, **fields}.items()
        return [line for line in self.lines if all(line.get(key) == value for key, value in wanted)]

    async def says(self, event: str, times: int = 1, **fields: object) -> Mapping[str, Any]:
        """Wait until an event was logged so often; return its last line."""
        try:
            async with asyncio.timeout(PATIENCE):
                while len(found := self.logged(event, **fields)) < times:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            log = "\n".join(map(str, self.lines))
            raise AssertionError(f"waited for {event!r} with {fields}; the log says:\n{log}") from None
        return found[-1]

    async def stop(self) -> int:
        """Ask it to stop; return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return await self.ended()

    async def kill(self) -> None:
        """End it as a crash does."""
        self.process.kill()
        await self.ended()

    async def ended(self) -> int:
        """Wait for its end; return its exit code."""
        async with asyncio.timeout(PATIENCE):
            return await self.process.wait()

    @property
    def footprint(self) -> tuple[int, int]:
        """Its open file descriptors and threads."""
        proc = Path(f"/proc/{self.process.pid}")
        return len(list((proc / "fd").iterdir())), len(list((proc / "task").iterdir()))


@asynccontextmanager
async def running(
    plugins: Path, environment: Mapping[str, str] | None = None, /, **variables: str
) -> AsyncIterator[RunningHost]:
    """Run a host on a kubelet's directory; `environment` replaces this process's, `variables` are added to it."""
    clean = {name: value for name, value in (environment or os.environ).items() if not name.startswith("DEVBAY_")}
    settings = {
        "DEVBAY_KUBELET__DIRECTORY": os.fspath(plugins),
        "DEVBAY_LOG__FORMAT": "json",
        "DEVBAY_WEB__LISTEN": "",
        "NODE_NAME": "node-a",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "devbay", "run", env=clean | settings | variables, stderr=PIPE
    )
    host = RunningHost(process, environment or os.environ, variables)
    reader = asyncio.create_task(host.read_log())
    try:
        yield host
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await reader
