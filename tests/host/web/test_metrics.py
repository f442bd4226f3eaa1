"""Metrics: what is exposed is what is documented, is legal, and does not grow."""

import asyncio
import json
import re
import shutil
import socket
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families

from devbay import errors
from devbay.settings import WebSection
from devbay.status import Status
from devbay.web.metrics import METRICS, Exposition
from tests.host.running import PATIENCE
from tests.host.web import statuses
from tests.host.web.serving import ask, web
from tests.house.workspace import ROOT

ROW = re.compile(r"^\| `(devbay_\w+)` \| (\w+) \|(.*?)\| (.+) \|$", re.MULTILINE)


def scrape(status: Status | None, *, holders: bool = False) -> str:
    """Return what Prometheus would read of a status."""
    return Exposition(holders=holders).of(status, 0.01)[0].decode()


def families(text: str) -> dict[str, Metric]:
    """Return the metrics of ours in a scrape, by name."""
    return {each.name: each for each in text_string_to_metric_families(text) if each.name.startswith("devbay_")}


def series(metrics: Iterable[Metric]) -> Iterator[tuple[str, frozenset[tuple[str, str]]]]:
    """Yield each series by its name and labels."""
    for metric in metrics:
        for sample in metric.samples:
            yield sample.name, frozenset(sample.labels.items())


def test_what_is_documented_is_what_is_exposed() -> None:
    """P21: the page's table and a scrape have the same metrics, with the same kinds and labels."""
    rows = ROW.findall((ROOT / "docs/metrics.md").read_text(encoding="utf-8"))
    documented = {
        name.removesuffix("_total"): (kind, frozenset(re.findall(r"`(\w+)`", labels))) for name, kind, labels, _ in rows
    }

    exposed = {
        name: (metric.type, frozenset(key for sample in metric.samples for key in sample.labels) - {"le"})
        for name, metric in families(scrape(statuses.full(), holders=True)).items()
    }
    assert exposed == documented
    assert [each.name for each in METRICS] == [name.removesuffix("_total") for name, *_ in rows]


def test_counters_and_nothing_else_end_in_total() -> None:
    """P21: names keep Prometheus's conventions, in the page too."""
    rows = ROW.findall((ROOT / "docs/metrics.md").read_text(encoding="utf-8"))

    assert [name for name, kind, *_ in rows if name.endswith("_total") != (kind == "counter")] == []


def test_every_reason_that_is_documented_is_an_error_of_ours() -> None:
    """P14, P21: the reasons in the page are the names of errors that an allocation can end with."""
    (text,) = re.findall(r"by its kind: (.*?)\. \|", (ROOT / "docs/metrics.md").read_text(encoding="utf-8"))
    names = {"".join(part.title() for part in reason.split("_")) for reason in re.findall(r"`(\w+)`", text)}

    assert {name for name in names if not hasattr(errors, name)} == set()


def test_the_values_are_those_of_the_status() -> None:
    """P1, P8, P21: devices by health, states, counts, hung calls and durations are what the host knows."""
    values = {
        (name, labels): sample.value
        for metric in families(scrape(statuses.full(), holders=True)).values()
        for sample in metric.samples
        for name, labels in [(sample.name, tuple(sample.labels.values()))]
    }
    gpu = statuses.GPU
    assert values["devbay_devices", ("healthy", gpu)] == 2
    assert values["devbay_devices", ("unhealthy", gpu)] == 1
    assert values["devbay_device_unhealthy", ("gpu-1", gpu)] == 1
    assert ("devbay_device_unhealthy", ("gpu-0", gpu)) not in values
    assert values["devbay_device_failures_total", ("gpu-0", gpu)] == 0
    assert values["devbay_advertised_ids", (gpu,)] == 9
    assert values["devbay_devices_held", (gpu,)] == 1
    assert values["devbay_container_ids_held", ("trainer", "training", "finetune-0", gpu)] == 2
    assert values["devbay_registration_state", (statuses.NIC, "waiting")] == 1
    assert values["devbay_registration_state", (statuses.NIC, "streaming")] == 0
    assert values["devbay_allocation_failures_total", ("unhealthy_device", gpu)] == 8
    assert values["devbay_allocation_failures_total", ("backend_bug", gpu)] == 0
    assert values["devbay_allocation_seconds_bucket", ("0.0005", gpu)] == 1
    assert values["devbay_allocation_seconds_bucket", ("2.5", gpu)] == 1
    assert values["devbay_allocation_seconds_bucket", ("+Inf", gpu)] == 2
    assert values["devbay_allocation_seconds_sum", (gpu,)] == pytest.approx(3.0004)
    assert values["devbay_backend_state", ("hanging", "hung")] == 1
    assert values["devbay_backend_hung_calls", ("hanging",)] == 1
    assert values["devbay_backend_call_failures_total", ("mock", "check")] == 1
    assert values["devbay_config_last_reload_successful", ()] == 0
    assert values["devbay_rivals_found_total", ()] == 1
    assert values["devbay_cdi_write_failures_total", ()] == 2
    assert values["devbay_loop_lag_seconds", ()] == 0.01


def test_holders_are_no_series_unless_asked_for() -> None:
    """P21: as many series as there are pods are the operator's choice."""
    assert "devbay_container_ids_held" not in families(scrape(statuses.full()))


def test_without_a_status_there_is_the_lag() -> None:
    """P3, P21: a host whose loop hangs from the start can be scraped, and the scrape says how late it is."""
    assert set(families(scrape(None))) == {"devbay_loop_lag_seconds"}


def test_what_is_gone_has_no_series() -> None:
    """P21: a thousand resources and backends that come and go leave nothing behind."""
    exposition = Exposition(holders=True)

    def churned(number: int) -> Status:
        name = f"example.com/churn-{number}"
        backend = statuses.backend(f"churn-{number}")
        return replace(
            statuses.full(), resources=(statuses.resource(name, [statuses.share("a")]),), backends=(backend,)
        )

    sizes = set()
    for number in range(1000, 2000):
        scraped = set(series(families(exposition.of(churned(number), 0.01)[0].decode()).values()))
        sizes.add(len(scraped))
        assert not any(f"-{number - 1}" in value for _, labels in scraped for _, value in labels)

    assert len(sizes) == 1


@pytest.mark.parametrize("holders", [False, True])
def test_a_real_prometheus_finds_nothing_wrong(*, holders: bool) -> None:
    """P21: ``promtool check metrics`` accepts a scrape: names, types, help and conventions."""
    if (promtool := shutil.which("promtool")) is None:
        pytest.skip("promtool is not here; it is in the Debian package prometheus")
    text = scrape(statuses.full(), holders=holders)
    ours = "".join(line for line in text.splitlines(keepends=True) if "process_" not in line)

    done = subprocess.run([promtool, "check", "metrics"], input=ours, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("wish", ["", ";;;", "text/plain;version=x", "application/openmetrics-text; version=", "=,="])
def test_an_odd_wish_is_answered_in_plain_words(wish: str) -> None:
    """P21: whatever a client says that it accepts, it gets metrics."""
    assert b"devbay_devices{" in Exposition(holders=False).of(statuses.full(), 0.01, wish)[0]


async def test_a_real_prometheus_scrapes(tmp_path: Path) -> None:
    """P21: a Prometheus that scrapes us has our series, and calls us up."""
    if (prometheus := shutil.which("prometheus")) is None:
        pytest.skip("prometheus is not here; it is in the Debian package prometheus")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    query = "/api/v1/query?query=devbay_advertised_ids"
    async with web(statuses.full) as site:
        target = {"job_name": "devbay", "static_configs": [{"targets": [f"127.0.0.1:{site.port}"]}]}
        config = {"global": {"scrape_interval": "1s"}, "scrape_configs": [target]}
        (tmp_path / "prometheus.yml").write_text(json.dumps(config))
        flags = (f"--web.listen-address=127.0.0.1:{port}", f"--storage.tsdb.path={tmp_path}/data")
        process = await asyncio.create_subprocess_exec(
            prometheus, f"--config.file={tmp_path}/prometheus.yml", *flags, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            found: dict[str, str] = {}
            async with asyncio.timeout(PATIENCE):
                while not found:
                    await asyncio.sleep(0.1)
                    with suppress(OSError):
                        answer = await asyncio.to_thread(ask, port, query)
                        series_ = json.loads(answer.body)["data"]["result"] if answer.status == 200 else []
                        found = {one["metric"]["resource"]: one["value"][1] for one in series_}
        finally:
            process.terminate()
            await process.wait()

    assert found == {statuses.GPU: "9", statuses.NIC: "1"}


async def test_a_scraper_gets_the_form_it_asks_for() -> None:
    """P21: plain text by default, OpenMetrics for who prefers that, both legal."""
    wish = {"Accept": "application/openmetrics-text; version=1.0.0"}
    async with web(statuses.full, WebSection(holders_metric=True)) as site:
        plain, modern = await site.get("/metrics"), await site.get("/metrics", headers=wish)

    assert plain.headers["Content-Type"].startswith("text/plain")
    assert modern.headers["Content-Type"].startswith("application/openmetrics-text")
    parsed: Iterable[Metric] = open_metrics(modern.body)  # type: ignore[no-untyped-call]  # the library's
    assert {each.name for each in parsed} == {each.name for each in text_string_to_metric_families(plain.body)}
