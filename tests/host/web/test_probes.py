"""What the probes say, and to whom."""

import json
from dataclasses import replace

import pytest

from devbay.holders import Holders
from devbay.session import State
from devbay.settings import WebSection
from devbay.status import Status
from tests.host.web import statuses
from tests.host.web.serving import ask, web


async def test_a_host_where_all_is_well_is_alive_and_ready() -> None:
    """P21: both probes say yes in a word."""
    async with web() as site:
        live, ready = await site.get("/healthz"), await site.get("/readyz")

    assert (live.status, live.body) == (200, "alive\n")
    assert (ready.status, ready.body) == (200, "ready\n")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"loading": ("nvidia",)}, "backend nvidia is still being loaded"),
        ({"backends": (statuses.backend("mock", "starting"),)}, "backend mock is starting"),
        ({"backends": (statuses.backend("mock", "failing", "no"),)}, "backend mock is failing: no"),
        ({"backends": (statuses.backend("mock", "hung", "discover"),)}, "backend mock is hung: discover"),
        ({"backends": (statuses.backend("mock", "rejected", "too old"),)}, "backend mock is rejected: too old"),
        (
            {"resources": (statuses.resource(statuses.GPU, [statuses.share("a")], State.REGISTERED),)},
            "resource example.com/gpu is registered",
        ),
    ],
)
async def test_what_is_missing_is_said(change: dict[str, object], said: str) -> None:
    """P21: a host that is not ready names what it lacks, a line each, and is alive all the same."""
    status: Status = replace(statuses.quiet(), **change)  # type: ignore[arg-type]  # one field each, of its own type
    async with web(lambda: status) as site:
        ready, live = await site.get("/readyz"), await site.get("/healthz")

    assert (ready.status, ready.lines) == (503, ["not ready", said])
    assert live.status == 200


async def test_absent_hardware_is_ready() -> None:
    """P2, P21: a node without the hardware, or without any backend, is a node as it should be."""
    absent = replace(
        statuses.quiet(), backends=(statuses.backend("mock", "unavailable", "no driver"),), resources=(), holders=None
    )
    empty = Status(at=statuses.NOW, node="n", version="0", started_at=0, holders=Holders())

    assert absent.missing() == ()
    assert empty.missing() == ()


@pytest.mark.parametrize(
    ("path", "headers"), [("/readyz?format=json", {}), ("/readyz", {"Accept": "application/json"})]
)
async def test_a_program_is_told_in_json(path: str, headers: dict[str, str]) -> None:
    """P21: who asks for JSON gets the same in it."""
    async with web(statuses.full) as site:
        answer = await site.get(path, headers=headers)

    assert answer.headers["Content-Type"] == "application/json"
    told = {"missing": list(statuses.full().missing()), "notes": list(statuses.full().notes())}
    assert json.loads(answer.body) == {"ready": False} | told


async def test_a_thread_that_died_is_no_life() -> None:
    """P21: a backend's thread that ended unasked turns the probe of life, and is named."""
    async with web(dead=["mock-look"]) as site:
        answer = await site.get("/healthz")

    assert (answer.status, answer.lines) == (503, ["not alive", "mock-look has ended, which it never should"])


async def test_a_loop_that_hangs_is_told_by_the_probe() -> None:
    """P21: the probes answer while the host's own loop does nothing at all, and say so."""
    async with web(stuck=0.2) as site:
        assert ask(site.port, "/readyz").lines == ["not ready", "the event loop does not answer"]  # blocks the loop
        while (live := ask(site.port, "/healthz")).status == 200:
            pass
        assert live.lines[0] == "not alive"
        assert live.lines[1].startswith("the event loop has not answered for ")
        assert ask(site.port, "/").status == 503
        assert "devbay_loop_lag_seconds" in ask(site.port, "/metrics").body


async def test_the_last_status_is_shown_while_the_loop_hangs() -> None:
    """P21: a page that cannot be had anew is shown as it was, and says that it is old."""
    async with web() as site:
        assert "this is what it last said" not in (await site.get("/")).body
        while "this is what it last said" not in ask(site.port, "/").body:
            pass
        assert json.loads(ask(site.port, "/status.json").body)["late"]

        assert (await site.get("/readyz")).status in {200, 503}
        while (await site.get("/readyz")).status != 200:
            pass


async def test_the_page_can_be_switched_off() -> None:
    """P21: without the page there is no status for programs either, and everything else stays."""
    async with web(section=WebSection(page=False)) as site:
        answers = {path: (await site.get(path)).status for path in ("/", "/status.json", "/metrics", "/healthz")}

    assert answers == {"/": 404, "/status.json": 404, "/metrics": 200, "/healthz": 200}


async def test_programs_get_what_the_page_shows() -> None:
    """P21: /status.json has the backends, resources, devices, holders and events of the moment."""
    async with web(statuses.full) as site:
        document = json.loads((await site.get("/status.json")).body)

    (gpu, _) = document["resources"]
    assert [one["state"] for one in document["backends"]] == ["hung", "ready"]
    assert [(one["id"], one["healthy"]) for one in gpu["devices"]] == [
        ("gpu-0", True),
        ("gpu-1", False),
        ("gpu-2", True),
    ]
    assert gpu["devices"][0]["ids"][1] == {"id": "gpu-0::1", "holder": statuses.HOLDER._asdict()}
    assert document["events"][0]["event"] == "device unhealthy"
    assert document["missing"] == list(statuses.full().missing())
