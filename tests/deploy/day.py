"""A node with everything on it that the monitoring looks at: a kubelet, a host, and a real Prometheus."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from devbay.simulator import Container, Kubelet, Pod
from tests.deploy import monitoring
from tests.deploy.prometheus import Prometheus, prometheus, until
from tests.host.running import short_directory
from tests.host.web.test_living import Served, served
from tests.packages import Site

HASTE = 150
"""So much shorter is everything that the rules wait for: five minutes are two seconds."""

GPU = "example.com/custom-accelerator"
FAULTY = "example.com/faulty"
NODE = "node-a"
JOB = "devbay/devbay"
"""As the operator calls what a PodMonitor has it scrape: by namespace and name."""

Alert: TypeAlias = tuple[str, str]
"""The name of an alert, and the device, backend or resource that it is about, whichever it names first."""


@dataclass
class Day:
    """What is there, and what is done to it."""

    place: Path
    kubelet: Kubelet
    kubelet_port: int
    prometheus: Prometheus
    environment: dict[str, str]
    site: Served | None = None

    @property
    def here(self) -> Served:
        """The host."""
        assert self.site is not None
        return self.site

    def configure(self, *backends: str, more: Mapping[str, object] | None = None, **faulty: str) -> None:
        """Write the configuration that the host follows: backends, sections, and settings of the faulty backend."""
        place = self.place
        fault = {"hook": "discover", "fault": "raise", "while_exists": f"{place}/fault"}
        content = {
            "backends": ["mock", "faulty", *backends],
            "health": {"scan_interval": 0.1, "flap_window": 2, "recovery_hold": 0.2, "keep_lost": 0.2},
            "deadlines": {"discover": 0.5},
            "kubelet": {
                "directory": f"{place}/plugins",
                "pod_resources": f"{place}/pods.sock",
                "pod_resources_interval": 0.1,
                "pod_resources_settle": 0.5,
            },
            "cdi": {"directory": f"{place}/cdi"},
            "resources": {GPU: {"delivery": "cdi"}},
            "mock": {"count": 3, "root": f"{place}/class", "device_dir": f"{place}/dev"},
            "faulty": fault | faulty,
        }
        made = place / "config.new"
        made.write_text(yaml.safe_dump(content | dict(more or {})), encoding="utf-8")
        made.replace(place / "config.yaml")

    def run(self) -> AbstractAsyncContextManager[Served]:
        """Run a host."""
        return served(self.place / "plugins", self.environment, DEVBAY_CONFIG=f"{self.place}/config.yaml")

    async def scrape(self, *hosts: Served) -> None:
        """Have Prometheus scrape these and the kubelet, and return when it does."""
        ports = [host.port for host in hosts]
        self.prometheus.scrape({JOB: ports, "kubelet": [self.kubelet_port]}, NODE)
        await until(lambda: self._scrapes(len(hosts)), f"{len(hosts)} hosts are scraped")

    async def _scrapes(self, count: int) -> bool:
        return len(await self.prometheus.now(f'up{{job="{JOB}"}}')) == count

    async def shows(self, line: str) -> None:
        """Wait until the host's metrics have a line."""
        await self.here.until("/metrics", lambda answer: line in answer.body)

    async def pod(self, name: str, resource: str, count: int) -> str:
        """Create a pod; return its phase."""
        pod = Pod(name=name, containers=(Container(name="main", limits={resource: count}),))
        return (await self.kubelet.create_pod(pod)).phase

    async def firing(self, since: float) -> set[Alert]:
        """Return every alert that has fired since a time."""
        return {_alert(labels) for labels in await self.prometheus.history('ALERTS{alertstate="firing"}', since)}

    async def has_fired(self, since: float, wanted: Iterable[Alert]) -> bool:
        """Return whether all these alerts have fired since a time."""
        return set(wanted) <= await self.firing(since)

    async def calm(self) -> bool:
        """Return whether no alert fires or is about to."""
        return not await self.prometheus.alerts()


def _alert(labels: Any) -> Alert:
    about = (labels.get(key) for key in ("device", "backend", "resource"))
    return labels["alertname"], next((value for value in about if value), "")


@asynccontextmanager
async def exposed(kubelet: Kubelet) -> AsyncIterator[int]:
    """Serve a kubelet's metrics over HTTP, as a kubelet does; yield the port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = kubelet.metrics_text.encode()
        head = (
            f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def a_day(site: Site) -> AsyncIterator[Day]:
    """Make a node with a kubelet, a host and a Prometheus, all of them well."""
    with short_directory() as place:
        (place / "plugins").mkdir()
        (place / "specifications").mkdir()
        (place / "cdi").symlink_to(place / "specifications")
        kubelet = Kubelet(
            place / "plugins",
            pod_resources_socket=place / "pods.sock",
            cdi_dirs=(place / "specifications",),
            node_name=NODE,
        )
        groups = monitoring.hastened(HASTE)
        async with kubelet, exposed(kubelet) as port, prometheus(place / "prometheus", groups) as watching:
            environment = site.environ("devbay-faulty", "devbay-typo")
            day = Day(place, kubelet, port, watching, environment)
            day.configure()
            async with day.run() as day.site:
                await day.here.ready()
                await day.scrape(day.here)
                await until(day.calm, "all is well")
                yield day
