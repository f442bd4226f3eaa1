"""The web of a host as a process: what probes, metrics and the page say while things happen to it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from devbay.simulator import Container, Kubelet, Pod
from tests.host.running import PATIENCE, RunningHost, running
from tests.host.web.serving import Answer, ask
from tests.packages import Site

RESOURCE = "example.com/custom-accelerator"
EVERYWHERE = {"DEVBAY_WEB__LISTEN": "127.0.0.1:0"}


class Served:
    """A host that runs, and its web."""

    def __init__(self, host: RunningHost, port: int) -> None:
        self.host = host
        self.port = port

    async def get(self, path: str) -> Answer:
        """Ask for something."""
        return await asyncio.to_thread(ask, self.port, path)

    async def until(self, path: str, condition: Callable[[Answer], object]) -> Answer:
        """Ask again and again until the answer is as it should be."""
        answer = await self.get(path)
        try:
            async with asyncio.timeout(PATIENCE):
                while not condition(answer):
                    await asyncio.sleep(0.02)
                    answer = await self.get(path)
        except TimeoutError:
            raise AssertionError(f"{path} says {answer.status}:\n{answer.body}") from None
        return answer

    async def ready(self) -> None:
        """Wait until it says that it is ready."""
        await self.until("/readyz", lambda answer: answer.status == 200)

    async def values(self) -> dict[tuple[str, ...], float]:
        """Return the metrics: by name, and the values of their labels in the order of the labels' names."""
        text = (await self.get("/metrics")).body
        return {
            (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
            for metric in text_string_to_metric_families(text)
            for sample in metric.samples
        }


@asynccontextmanager
async def served(
    plugins: Path, environment: dict[str, str] | None = None, /, **variables: str
) -> AsyncIterator[Served]:
    """Run a host with its web on a port that is free."""
    async with running(plugins, environment, **EVERYWHERE, **variables) as host:
        address = str((await host.says("HTTP is served"))["address"])
        yield Served(host, int(address.rpartition(":")[2]))


def pod(name: str, count: int = 1) -> Pod:
    """Return a pod whose container asks for accelerators."""
    return Pod(name=name, containers=(Container(name="main", limits={RESOURCE: count}),))


async def test_a_kubelet_that_is_away_is_no_readiness(plugins: Path, tree: dict[str, str]) -> None:
    """P4, P21: a host is alive without its kubelet, says what it waits for, and is ready when all is streaming."""
    async with served(plugins, **tree) as site:
        await site.host.says("waiting for the kubelet: no kubelet.sock")
        answer = await site.until("/readyz", lambda answer: RESOURCE in answer.body)
        assert answer.lines == [
            "not ready",
            f"resource {RESOURCE} is waiting: the kubelet does not answer",
        ]
        assert (await site.get("/healthz")).status == 200

        async with Kubelet(plugins):
            await site.ready()


@pytest.mark.usefixtures("kubelet")
async def test_a_backend_that_hangs_is_named_and_no_reason_to_die(
    broken_site: Site, plugins: Path, place: Path
) -> None:
    """P3, P21: a call that hangs turns readiness and a metric, not life: a restart would help nobody."""
    (place / "hang").touch()
    faulty = broken_site.environ(
        "devbay-faulty",
        DEVBAY_BACKENDS="faulty",
        DEVBAY_DEADLINES__DISCOVER="0.2",
        DEVBAY_FAULTY__FAULT="hang",
        DEVBAY_FAULTY__WHILE_EXISTS=f"{place}/hang",
    )
    async with served(plugins, {}, **faulty) as site:
        answer = await site.until("/readyz", lambda answer: "hung" in answer.body)
        assert answer.lines[1].startswith("backend faulty is hung: devbay-faulty 0.0.1: discover did not answer within")
        assert (await site.get("/healthz")).status == 200
        values = await site.values()
        assert values["devbay_backend_hung_calls", "faulty"] == 1
        assert values["devbay_backend_state", "faulty", "hung"] == 1
        assert values["devbay_backend_call_failures_total", "faulty", "discover"] == 1

        (place / "hang").unlink()
        await site.ready()
        assert (await site.values())["devbay_backend_abandoned_calls_total", "faulty"] == 1


@pytest.mark.usefixtures("kubelet")
async def test_a_backend_that_cannot_be_loaded_is_named(broken_site: Site, plugins: Path, tree: dict[str, str]) -> None:
    """P1, P21: a rejected backend is missing from readiness, in the metrics and on the page, and costs no other."""
    variables = tree | {"DEVBAY_BACKENDS": "mock,typo"}
    async with served(plugins, broken_site.environ("devbay-typo"), **variables) as site:
        answer = await site.until("/readyz", lambda answer: len(answer.lines) == 2)

        assert answer.lines[1].startswith("backend typo is rejected: implements an unknown hook")
        assert (await site.values())["devbay_backend_state", "typo", "rejected"] == 1
        assert "devbay-typo 0.0.1" in (await site.get("/")).body


async def test_metrics_count_what_happens(plugins: Path, tree: dict[str, str], place: Path) -> None:
    """P21: devices, pods, holders, kubelet restarts and failures are what was seen to happen."""
    socket = place / "pods.sock"
    tree |= {
        "DEVBAY_KUBELET__POD_RESOURCES": f"{socket}",
        "DEVBAY_KUBELET__POD_RESOURCES_INTERVAL": "0.05",
        "DEVBAY_WEB__HOLDERS_METRIC": "true",
    }
    async with Kubelet(plugins, pod_resources_socket=socket) as kubelet, served(plugins, **tree) as site:
        await site.ready()
        await kubelet.create_pod(pod("p", 2))
        await site.until("/metrics", lambda answer: f'devbay_devices_held{{resource="{RESOURCE}"}} 2.0' in answer.body)
        values = await site.values()
        assert values["devbay_devices", "healthy", RESOURCE] == 3
        assert values["devbay_allocations_total", RESOURCE] == 1
        assert values["devbay_allocation_seconds_count", RESOURCE] == 1
        assert values["devbay_preferred_allocations_total", RESOURCE] == 1
        assert values["devbay_container_ids_held", "main", "default", "p", RESOURCE] == 2
        assert values["devbay_pod_resources_up",] == 1

        await kubelet.restart()
        await site.until("/metrics", lambda answer: f'restarts_total{{resource="{RESOURCE}"}} 1.0' in answer.body)
        await site.ready()
        values = await site.values()
        assert values["devbay_stream_restarts_total", RESOURCE] == 1
        assert values["devbay_registrations_total", RESOURCE] == 2
        assert values["devbay_registration_state", RESOURCE, "streaming"] == 1

        (place / "class/acc0/status").write_text("offline\n")
        ill = f'devbay_devices{{health="unhealthy",resource="{RESOURCE}"}} 1.0'
        await site.until("/metrics", lambda answer: ill in answer.body)


@pytest.mark.usefixtures("kubelet")
async def test_a_bad_edit_of_the_configuration_is_seen(plugins: Path, tree: dict[str, str], place: Path) -> None:
    """P20, P21: an edit that cannot be used is in the body of readiness and in a metric, with why; pods are served."""
    file = place / "config.yaml"
    file.write_text("health:\n  scan_interval: 5\n")
    async with served(plugins, DEVBAY_CONFIG=f"{file}", **tree) as site:
        await site.ready()
        assert (await site.values())["devbay_config_last_reload_successful",] == 1

        file.write_text("health:\n  scan_intervall: 5\n")
        answer = await site.until("/readyz", lambda answer: len(answer.lines) > 1)
        assert (answer.status, answer.lines[0]) == (200, "ready")
        assert answer.lines[1].startswith("the configuration on disk is not what runs: ")
        assert "scan_intervall" in answer.lines[1]
        assert (await site.values())["devbay_config_last_reload_successful",] == 0
        assert (await site.get("/healthz")).status == 200

        file.write_text("health:\n  scan_interval: 6\n")
        await site.until("/readyz", lambda answer: answer.lines == ["ready"])


async def test_a_days_worth_of_churn_leaves_the_series_as_they_were(plugins: Path, tree: dict[str, str]) -> None:
    """P21: pods, failures and kubelet restarts again and again: as many series after as before."""
    async with Kubelet(plugins) as kubelet, served(plugins, **tree) as site:

        async def round_() -> int:
            await site.ready()
            await kubelet.create_pod(pod("p"))
            await kubelet.delete_pod("p")
            await kubelet.restart()
            await site.ready()
            return len(await site.values())

        first = await round_()
        later = {await round_() for _ in range(30)}

        assert later == {first}
        assert len(json.loads((await site.get("/status.json")).body)["events"]) <= 130


@pytest.mark.usefixtures("kubelet")
async def test_a_port_in_use_stops_nothing(plugins: Path, tree: dict[str, str]) -> None:
    """P21: a host whose port somebody has says so, and serves its devices."""
    async with served(plugins, **tree) as first:
        taken = {**tree, "DEVBAY_WEB__LISTEN": f"127.0.0.1:{first.port}"}
        async with running(plugins, **taken) as second:
            line = await second.says("cannot listen for HTTP; trying again, and all else goes on")
            assert (line["level"], line["address"]) == ("error", f"127.0.0.1:{first.port}")
            assert "in use" in line["reason"]
            await second.says("ListAndWatch opened")
            await first.host.stop()

            await second.says("HTTP is served")


async def test_lines_of_a_registration_name_the_backend(plugins: Path, kubelet: Kubelet, tree: dict[str, str]) -> None:
    """P24: `backend` and `resource` are bound to every line about a resource's life with the kubelet."""
    async with running(plugins, **tree) as host:
        await kubelet.wait_until(lambda: kubelet.allocatable.get(RESOURCE, 0) > 0, what="accelerators to give")
        await kubelet.create_pod(pod("p"))
        await host.says("Allocate")
        await kubelet.restart()
        await host.says("ListAndWatch opened", times=2)

        about = [line for line in host.lines if "resource" in line]
        assert {line["event"] for line in about} >= {"serving", "registered", "ListAndWatch opened", "Allocate"}
        assert {(line["backend"], line["resource"]) for line in about} == {("mock", RESOURCE)}
