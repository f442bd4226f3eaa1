"""The page as text: what is on it, that nothing on it is markup of others, and that it stays small."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from devbay.holders import Container, Holders, Replica
from devbay.model import HEALTHY, unhealthy
from devbay.status import Status
from devbay.web.document import encode
from devbay.web.page import POLICY, render
from tests.host.web import statuses
from tests.host.web.serving import web

TAG = re.compile(r"<[^>]+>")


class Tags(HTMLParser):
    """Collects the elements of a page, each with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take in one element."""
        self.seen.append((tag, dict(attrs)))


def body(status: Status) -> str:
    """Return what stands between the page's head and its script."""
    return render(status, late=False).split("<main>")[1].split("</main>")[0]


def words(status: Status) -> str:
    """Return the page's words without its markup."""
    return " ".join(TAG.sub(" ", body(status)).split())


def test_the_page_shows_what_is_known() -> None:
    """P12, P21: backends, resources, devices with health, reason, place, holders and shares, and events are on it."""
    shown = words(statuses.full())

    for said in (
        "node-a",
        "Not ready",
        "hanging ▲ hung devbay-hanging 0.1.0",
        "mock ● ready",
        "slow ◌ loading",
        "example.com/ gpu ● streaming 2 of 3 healthy",
        "▲ waiting",
        "the kubelet does not answer",
        "● gpu-0 healthy NUMA node 1 part of 0000:3b:00.0 product Widget 9 memory 80 GiB",
        "□■□■ 2 of 4 shares in use",
        "▸ training/finetune-0 · trainer, 2 shares",
        "▲ gpu-1 unhealthy fell off the bus",
        "warning device unhealthy gpu-1",
    ):
        assert said in shown, said


def test_nothing_of_others_is_markup() -> None:
    """P21: an attribute, a reason or an event with markup in it is shown as the text it is."""
    page = render(statuses.full(), late=False)

    assert statuses.MARKUP not in page
    assert "&lt;script&gt;" in page
    assert [tag for tag, _ in Tags(body(statuses.full())).seen if tag in {"script", "img", "style", "iframe"}] == []


def test_what_cannot_be_encoded_is_shown_all_the_same() -> None:
    """P13, P21: a path with bytes that are no text, in one device's reason, costs no page."""
    odd = statuses.share("gpu-0", unhealthy("device node /dev/\udcff is missing"))
    status = replace(statuses.quiet(), resources=(statuses.resource(statuses.GPU, [odd]),))

    assert "device node /dev/? is missing" in render(status, late=False).encode().decode()
    assert json.loads(encode(status, late=False))["resources"][0]["devices"][0]["reason"].endswith("\udcff is missing")


def test_the_page_needs_nothing_from_elsewhere() -> None:
    """P21: no address but its own is in it, and its policy lets a browser load nothing else."""
    page = render(statuses.full(), late=False)
    links = {value for _, attributes in Tags(page).seen for key, value in attributes.items() if key in {"href", "src"}}

    assert links == {"data:,", "status.json", "metrics", "readyz", "healthz"}
    assert "http" not in TAG.sub("", page).replace("HTTP", "")
    assert " style=" not in page
    assert "'unsafe-inline'" not in POLICY
    assert POLICY.startswith("default-src 'none'; style-src 'sha256-")


@pytest.mark.parametrize("count", [65, 10_000])
def test_many_devices_stay_readable(count: int) -> None:
    """P21: of ten thousand devices those that need a person come first, and the rest is counted."""
    shares = [statuses.share(f"gpu-{n:05}", HEALTHY if n % 1000 else unhealthy("broken")) for n in range(count)]
    held = Holders(containers={Container("ns", "pod", "main"): frozenset({Replica(statuses.GPU, "gpu-00064")})})
    status = replace(statuses.quiet(), resources=(statuses.resource(statuses.GPU, shares),), holders=held)
    page = render(status, late=False)

    ill = -(-count // 1000)
    assert page.count('<li class="tile') == 64
    assert page.count('class="tile ill"') == ill
    assert page.count('class="who"') == 1
    assert f"and {count - 64:,} more: {count - 64:,} healthy, 0 unhealthy, 0 in use" in page
    assert len(page) < 100_000


def test_many_resources_stay_readable() -> None:
    """P21: however many resources there are, a browser shows the page at once; none is left out."""
    shares = [statuses.share(f"gpu-{n:02}") for n in range(60)]
    resources = tuple(statuses.resource(f"example.com/r{n}", shares) for n in range(50))
    page = render(replace(statuses.quiet(), resources=resources), late=False)

    assert page.count('<li class="tile') == 600
    assert page.count('class="resource"') == 50
    assert page.count("and 60 more") == 40


def test_an_empty_node_has_a_page() -> None:
    """P2, P21: where nothing is enabled, that is what the page says."""
    shown = words(Status(at=statuses.NOW, node="node-a", version="0.1.0", started_at=statuses.NOW))

    assert "Ready" in shown
    assert "No backend is enabled on this node." in shown
    assert "Nothing is offered." in shown
    assert "Nothing has happened yet." in shown


async def test_the_page_is_never_kept() -> None:
    """P21: no cache keeps an answer, and each forbids what it does not need."""
    async with web(statuses.full) as site:
        answers = [await site.get(path) for path in ("/", "/status.json", "/metrics", "/healthz", "/nothing")]

    assert {answer.headers["Cache-Control"] for answer in answers} == {"no-store"}
    assert {answer.headers["X-Content-Type-Options"] for answer in answers} == {"nosniff"}
    assert answers[0].headers["Content-Security-Policy"] == POLICY
