"""A failing day of a real host, with a real Prometheus that looks on: everything that the monitoring shows and tells.

The rules are those that are shipped, with every time in them divided by `HASTE`.
"""

import re
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.deploy import monitoring
from tests.deploy.day import HASTE, Alert, Day, a_day
from tests.deploy.prometheus import until
from tests.deploy.troubles import TROUBLES, the_host_stops
from tests.packages import Site

pytestmark = pytest.mark.timeout(600)


def _answered(query: str) -> str:
    """Return a panel's question as Grafana asks it where all nodes and resources are chosen."""
    return re.sub(r"\$(node|resource)\b", ".*", query).replace("$__rate_interval", "10s")


async def _none_is_empty(day: Day, begin: float) -> None:
    asked = [*monitoring.panels(), *(monitoring.Query(one["alert"], one["expr"]) for one in _hastened_alerts())]
    empty = [one for one in asked if not await day.prometheus.history(_answered(one.expression), begin, "1s")]
    assert empty == []


def _hastened_alerts() -> list[dict[str, Any]]:
    return [rule for group in monitoring.hastened(HASTE) for rule in group["rules"]]


async def _every_variable_has_values(day: Day) -> None:
    for variable in monitoring.dashboard()["templating"]["list"]:
        if asked := re.fullmatch(r"label_values\((.+), (\w+)\)", variable.get("definition", "")):
            match = {"match[]": _answered(asked[1])}
            assert await day.prometheus.get(f"label/{asked[2]}/values", **match), variable["name"]


async def test_a_failing_day(broken_site: Site) -> None:
    """P1, P2, P3, P20, P21: each trouble raises its alerts and no other, they end with it, and no panel is empty."""
    fired: dict[str, set[Alert]] = {}
    texts: set[str] = set()
    async with a_day(broken_site) as day:
        morning = time.time()
        for trouble, expected in TROUBLES:
            begin = time.time()
            async with trouble(day):
                await until(_fires(day, begin, expected), f"{expected} fire while {trouble.__name__}")
                for alert in await day.prometheus.alerts():
                    texts |= set(alert["annotations"].values())
            if trouble is not the_host_stops:
                await until(day.calm, f"all is well after {trouble.__name__}")
            fired[trouble.__name__] = await day.firing(begin)
        await _none_is_empty(day, morning)
        await _every_variable_has_values(day)

    assert fired == {trouble.__name__: expected for trouble, expected in TROUBLES}
    assert {name for _, alerts in TROUBLES for name, _ in alerts} == {one["alert"] for one in monitoring.alerts()}
    assert [text for text in texts if "no value" in text or "<error" in text] == []


def _fires(day: Day, begin: float, expected: set[Alert]) -> Callable[[], Awaitable[bool]]:
    return lambda: day.has_fired(begin, expected)
