"""A real Prometheus that scrapes what a test runs, with times so short that a day is over in a minute."""

import asyncio
import json
import os
import shutil
import socket
import time
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import yaml

from tests.host.running import PATIENCE
from tests.host.web.serving import ask

SCRAPE = "500ms"
EVALUATION = "250ms"
Series = Mapping[str, str]


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


@dataclass(frozen=True)
class Prometheus:
    """One that runs.

    Attributes:
        port: where it answers.
        targets: the file that says what is scraped.
    """

    port: int
    targets: Path

    def scrape(self, jobs: Mapping[str, Iterable[int]], node: str) -> None:
        """Scrape these ports of this machine from now on, as these jobs, on a node."""
        groups = [
            {"targets": [f"127.0.0.1:{port}"], "labels": {"job": job, "node": node}}
            for job, ports in jobs.items()
            for port in ports
        ]
        made = self.targets.with_suffix(".new")
        made.write_text(json.dumps(groups), encoding="utf-8")
        made.replace(self.targets)  # one step: half a file is an error

    async def get(self, what: str, **parameters: str | float) -> Any:
        """Return an answer of its API."""
        answer = await asyncio.to_thread(ask, self.port, f"/api/v1/{what}?{urlencode(parameters)}")
        assert answer.status == 200, f"{what} {parameters}: {answer.body}"
        return json.loads(answer.body)["data"]

    async def alerts(self) -> list[dict[str, Any]]:
        """Return the alerts that fire, or will if what is wrong lasts."""
        found: list[dict[str, Any]] = (await self.get("alerts"))["alerts"]
        return found

    async def history(self, expression: str, start: float, step: str = EVALUATION) -> list[Series]:
        """Return the labels of all series that an expression had since a time."""
        answer = await self.get("query_range", query=expression, start=start, end=time.time(), step=step)
        return [one["metric"] for one in answer["result"]]

    async def now(self, expression: str) -> list[Series]:
        """Return the labels of all series that an expression has now."""
        return [one["metric"] for one in (await self.get("query", query=expression))["result"]]


@asynccontextmanager
async def prometheus(place: Path, groups: Iterable[Mapping[str, Any]]) -> AsyncIterator[Prometheus]:
    """Run one, with these rules, that scrapes nothing yet."""
    if (command := shutil.which("prometheus")) is None:
        pytest.skip("prometheus is not here; it is in the Debian package prometheus")
    place.mkdir()
    running = Prometheus(port=free_port(), targets=place / "targets.json")
    running.scrape({}, "")
    jobs = [{"job_name": "all", "file_sd_configs": [{"files": [str(running.targets)], "refresh_interval": "1s"}]}]
    configuration = {
        "global": {"scrape_interval": SCRAPE, "scrape_timeout": SCRAPE, "evaluation_interval": EVALUATION},
        "rule_files": ["rules.yml"],
        "scrape_configs": jobs,
    }
    (place / "rules.yml").write_text(yaml.safe_dump({"groups": list(groups)}), encoding="utf-8")
    (place / "prometheus.yml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
    flags = (f"--web.listen-address=127.0.0.1:{running.port}", f"--storage.tsdb.path={place}/data")
    process = await asyncio.create_subprocess_exec(
        command, f"--config.file={place}/prometheus.yml", *flags, stderr=DEVNULL, env={"PATH": os.defpath, "TZ": "UTC"}
    )
    try:
        await until(lambda: _answers(running), "Prometheus answers")
        yield running
    finally:
        process.terminate()
        await process.wait()


async def _answers(running: Prometheus) -> bool:
    try:
        return bool((await asyncio.to_thread(ask, running.port, "/-/ready")).status == 200)
    except OSError:
        return False


async def until(condition: Callable[[], Any], what: str) -> None:
    """Wait until a condition, which is asked again and again, holds."""
    try:
        async with asyncio.timeout(3 * PATIENCE):
            while not await condition():  # noqa: ASYNC110 - Prometheus tells nobody when something changes
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"waited in vain until {what}") from None
