"""Events on their way to an API server that is slow, refuses, forgets or is away; real TLS, a real loop."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from devbay.apiserver.client import ApiServer
from devbay.errors import KubernetesApiError
from devbay.events.sending import NodeEvents
from devbay.events.telling import Limit
from devbay.inventory import Change, DeviceStatus
from devbay.model import HEALTHY, Device, unhealthy
from devbay.retry import IMMEDIATE
from tests.host.apiserver.server import Answer, Cluster, refusal, serving
from tests.host.running import PATIENCE

GOOD = DeviceStatus(device=Device(id="w0", resource="example.com/w"), backend="b", health=HEALTHY)
BAD = replace(GOOD, health=unhealthy("it burns"))
FAILS, RECOVERS = Change(GOOD, BAD), Change(BAD, GOOD)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Run an API server."""
    with serving(tmp_path) as running:
        yield running


@asynccontextmanager
async def telling(server: Callable[[], ApiServer], **options: Any) -> AsyncIterator[NodeEvents]:
    """Run what sends events, without pauses that a test would wait for."""
    events = NodeEvents("node-a", server, pauses=IMMEDIATE, limit=Limit(1000, 0.001), settle=0.0, **options)
    task = asyncio.create_task(events.run())
    try:
        yield events
    finally:
        task.cancel()
        await asyncio.wait({task})


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what a thread of the server's does."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - the server is in another thread, and knows nothing of this loop
            await asyncio.sleep(0.005)


def messages(cluster: Cluster) -> list[tuple[str, int]]:
    """Return the events that the cluster has, with their counts."""
    return [(event["message"], event["count"]) for event in cluster.events.values()]


async def test_a_failure_is_an_event_on_the_node(cluster: Cluster) -> None:
    """P12: it is where kubectl describe node looks, with the kubelet's kind of UID, so that no Node is read."""
    async with telling(lambda: ApiServer(cluster.access), now=lambda: 1e9) as events:
        events.take([FAILS])
        await until(lambda: bool(cluster.events))

    ((name, event),) = cluster.events.items()
    assert name.startswith("node-a.")
    assert event["involvedObject"] == {"apiVersion": "v1", "kind": "Node", "name": "node-a", "uid": "node-a"}
    assert (event["type"], event["reason"], event["count"]) == ("Warning", "DeviceUnhealthy", 1)
    assert event["message"] == "Device w0 of example.com/w is unhealthy: it burns"
    assert event["firstTimestamp"] == event["lastTimestamp"] == "2001-09-09T01:46:40Z"
    assert cluster.asked == [("POST", "/api/v1/namespaces/default/events")]


async def test_a_flapping_device_is_two_events_that_count(cluster: Cluster) -> None:
    """P12: what happens again and again does not fill the cluster's events."""
    async with telling(lambda: ApiServer(cluster.access)) as events:
        for turn in range(1, 4):
            events.take([FAILS])
            await until(lambda turn=turn: (BAD_TEXT, turn) in messages(cluster))  # type: ignore[misc]  # a default
            events.take([RECOVERS])
            await until(lambda turn=turn: (GOOD_TEXT, turn) in messages(cluster))  # type: ignore[misc]  # as above

    assert messages(cluster) == [(BAD_TEXT, 3), (GOOD_TEXT, 3)]


BAD_TEXT = "Device w0 of example.com/w is unhealthy: it burns"
GOOD_TEXT = "Device w0 of example.com/w is healthy again"


async def test_an_event_that_the_server_forgot_is_made_anew(cluster: Cluster) -> None:
    """The server forgets events after an hour, and an administrator may delete them."""
    async with telling(lambda: ApiServer(cluster.access)) as events:
        events.take([FAILS])
        await until(lambda: bool(cluster.events))
        cluster.events.clear()
        events.take([FAILS])
        await until(lambda: bool(cluster.events))

    assert messages(cluster) == [(BAD_TEXT, 1)]


@pytest.mark.parametrize(
    "answer",
    [
        refusal(401, "Unauthorized"),
        refusal(403, "forbidden"),
        refusal(409, "already exists"),
        refusal(429, "too many requests"),
        refusal(500, "etcd"),
        Answer(503, b""),
        Answer(close=True),
        Answer(200, b"no json"),
    ],
)
async def test_what_may_pass_is_tried_again(cluster: Cluster, answer: Answer) -> None:
    """P12: a server that is busy, away or not yet willing gets the event once it can; that is said once each way."""
    cluster.answers += [answer] * 3
    with capture_logs() as logs:
        async with telling(lambda: ApiServer(cluster.access)) as events:
            events.take([FAILS])
            await until(lambda: bool(cluster.events))
            await until(lambda: len(logs) > 1)

    assert messages(cluster) == [(BAD_TEXT, 1)]
    assert [log["event"] for log in logs] == [
        "Kubernetes Events are not sent; devices are offered all the same",
        "Kubernetes Events are sent again",
    ]


async def test_a_missing_permission_names_its_rule(cluster: Cluster) -> None:
    """P23: what the manifest lacks is said as what to write into it."""
    cluster.answers.append(refusal(403, "forbidden"))
    with capture_logs() as logs:
        async with telling(lambda: ApiServer(cluster.access)) as events:
            events.take([FAILS])
            await until(lambda: bool(cluster.events))

    assert '{apiGroups: [""], resources: [events], verbs: [create]}' in logs[0]["reason"]


async def test_what_the_server_will_never_take_is_dropped(cluster: Cluster) -> None:
    """One event that is wrong in the server's eyes does not hold up the next."""
    cluster.answers.append(refusal(422, "Event is invalid"))
    async with telling(lambda: ApiServer(cluster.access)) as events:
        events.take([FAILS])
        await until(lambda: bool(cluster.asked))
        events.take([RECOVERS])
        await until(lambda: bool(cluster.events))

    assert messages(cluster) == [(GOOD_TEXT, 1)]


async def test_no_credentials_are_waited_for(cluster: Cluster) -> None:
    """A token that is mounted late is used when it is there; until then it is said, once, that there is none."""
    missing = [True] * 3

    def server() -> ApiServer:
        if missing:
            missing.pop()
            raise KubernetesApiError("no credentials")
        return ApiServer(cluster.access)

    with capture_logs() as logs:
        async with telling(server) as events:
            events.take([FAILS])
            await until(lambda: bool(cluster.events))
            await until(lambda: len(logs) > 1)

    assert [log.get("reason") for log in logs] == ["no credentials", None]


async def test_what_happens_while_the_server_is_away_is_merged(cluster: Cluster) -> None:
    """P12: after an outage one event with a count comes, not one for each time."""
    cluster.answers.append(Answer(hang=True))
    async with telling(lambda: ApiServer(cluster.access, deadline=0.5)) as events:
        events.take([RECOVERS])
        await until(lambda: bool(cluster.asked))
        for _ in range(50):
            events.take([FAILS])
        await until(lambda: (BAD_TEXT, 50) in messages(cluster))

    assert len(cluster.events) == 2


async def test_the_loop_never_waits_for_the_server(cluster: Cluster) -> None:
    """P12: a server that hangs holds up neither changes nor the end of the host."""
    cluster.answers += [Answer(hang=True)] * 9
    async with telling(lambda: ApiServer(cluster.access)) as events:
        events.take([FAILS])
        await until(lambda: bool(cluster.asked))
        for _ in range(1000):
            events.take([FAILS, RECOVERS])

    assert cluster.events == {}
