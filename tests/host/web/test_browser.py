"""The page in a real browser, of a real host beside a simulated kubelet.

With DEVBAY_SCREENSHOTS set to a directory, pictures of what was seen are left there.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from devbay.simulator import Container, Kubelet, Pod
from devbay.status import Status
from tests.host.running import PATIENCE, RunningHost, running
from tests.host.web import chromium, statuses
from tests.host.web.chromium import Browser
from tests.host.web.serving import web

pytestmark = [
    pytest.mark.skipif(bool(chromium.missing()), reason=chromium.missing()),
    pytest.mark.timeout(240),  # a browser starts slowly on a loaded machine
]
RESOURCE = "example.com/custom-accelerator"


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Start a browser for all tests of this module."""
    with chromium.browser(tmp_path_factory.mktemp("profile")) as started:
        yield started


@asynccontextmanager
async def page(plugins: Path, window: Browser, **variables: str) -> AsyncIterator[tuple[RunningHost, str]]:
    """Run a host with its page, and look at it."""
    async with running(plugins, DEVBAY_WEB__LISTEN="127.0.0.1:0", **variables) as host:
        address = (await host.says("HTTP is served"))["address"]
        await asyncio.to_thread(window.open, f"http://{address}/")
        yield host, f"http://{address}"


async def seen(window: Browser, condition: str) -> None:
    """Wait until a condition in JavaScript holds in the page as it stands: it is not loaded anew."""
    async with asyncio.timeout(PATIENCE):
        while not await asyncio.to_thread(window.run, f"return {condition}"):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.1)


def shot(window: Browser, name: str) -> None:
    """Leave a picture where that is wished for."""
    if directory := os.environ.get("DEVBAY_SCREENSHOTS"):
        window.picture(Path(directory) / f"{name}.png")


async def test_the_page_follows_a_device_and_a_kubelet(
    plugins: Path, kubelet: Kubelet, tree: dict[str, str], place: Path, window: Browser
) -> None:
    """P12, P21: a device that fails, a kubelet that restarts and a pod that starts are seen without loading anew."""
    async with page(plugins, window, **tree) as (host, _):
        await seen(window, "document.querySelectorAll('.tile').length === 3")
        await seen(window, "document.querySelector('#verdict').innerText.includes('Ready')")
        window.run("window.here = true")

        (place / "class/acc1/status").write_text("offline\n")
        await seen(window, "document.querySelector('.tile.ill')?.innerText.includes('status is offline, not online')")
        await seen(window, "document.title.startsWith('1 unhealthy')")
        await asyncio.to_thread(shot, window, "failing")

        await kubelet.stop()
        await seen(window, "document.querySelector('#verdict').innerText.includes('Not ready')")
        await seen(window, "document.querySelector('.resource .facts').innerText.includes('waiting')")
        await asyncio.to_thread(shot, window, "kubelet-away")
        await kubelet.start()
        await seen(window, "document.querySelector('#verdict').innerText.trim().endsWith('Ready')")
        await kubelet.create_pod(Pod(name="p", containers=(Container(name="main", limits={RESOURCE: 1}),)))
        await seen(window, "document.querySelector('#events').innerText.includes('Allocate')")

        assert window.run("return window.here")
        assert window.console() == []

        await host.stop()
        await seen(window, "document.querySelector('#note').innerText.startsWith('No answer since')")


async def test_nothing_runs_that_is_not_ours(window: Browser) -> None:
    """P21: markup in an attribute, a reason or an event does nothing, and the page asks nobody else for anything."""
    async with web(statuses.full) as site:
        await asyncio.to_thread(window.open, f"http://127.0.0.1:{site.port}/")
        await asyncio.to_thread(window.console)  # what earlier pages said
        await seen(window, "document.querySelectorAll('.tile').length === 4")
        asked = await asyncio.to_thread(
            window.run, "return performance.getEntriesByType('resource').map(each => each.name)"
        )

        assert await asyncio.to_thread(window.run, "return document.title") == "1 unhealthy · node-a · devbay"
        assert {address for address in asked if not address.startswith(f"http://127.0.0.1:{site.port}/")} == set()
        assert await asyncio.to_thread(window.console) == []


@pytest.mark.parametrize(
    ("name", "width", "scheme"),
    [("desktop-light", 1280, "light"), ("desktop-dark", 1280, "dark"), ("phone", 360, "light")],
)
async def test_it_can_be_read_everywhere(window: Browser, name: str, width: int, scheme: str) -> None:
    """P21: nothing is wider than the window, on a phone neither, and text stands out by day and night."""
    async with web(statuses.full) as site:
        await asyncio.to_thread(window.resize, width, 900)
        await asyncio.to_thread(window.scheme, scheme)
        await asyncio.to_thread(window.open, f"http://127.0.0.1:{site.port}/")
        await asyncio.to_thread(shot, window, name)

        assert await asyncio.to_thread(window.run, "return document.documentElement.scrollWidth") <= width
        assert await asyncio.to_thread(window.run, f"return ({CONTRAST})()") >= 4.5


async def test_what_was_unfolded_stays_so(window: Browser) -> None:
    """P21: an update leaves unfolded what a reader unfolded, and only that."""
    shares = [statuses.share(f"gpu-{number:02}") for number in range(20)]
    calm = statuses.quiet()
    looks = iter(range(1, 1_000_000))

    def status() -> Status:
        offered = statuses.resource(statuses.GPU, shares)
        return replace(calm, resources=(replace(offered, counts=replace(offered.counts, containers=next(looks))),))

    async with web(status) as site:
        await asyncio.to_thread(window.open, f"http://127.0.0.1:{site.port}/")
        given = "document.querySelector('.facts').innerText"
        await asyncio.to_thread(
            window.run, f"document.querySelectorAll('details')[4].open = true; window.first = {given}"
        )
        await seen(window, f"{given} !== window.first")

        unfolded = "return [...document.querySelectorAll('details')].map(each => each.open).indexOf(true)"
        assert await asyncio.to_thread(window.run, unfolded) == 4
        assert await asyncio.to_thread(window.run, "return document.querySelectorAll('details[open]').length") == 1


async def test_it_works_without_javascript(window: Browser) -> None:
    """P21: where scripts are off, the page has everything, and only stands still."""
    async with web(statuses.full) as site:
        await asyncio.to_thread(window.scripts, run=False)
        await asyncio.to_thread(window.open, f"http://127.0.0.1:{site.port}/")
        shown = await asyncio.to_thread(window.run, "return document.querySelector('#resources').innerText")
        await asyncio.to_thread(window.scripts, run=True)

    assert shown.count("NUMA node") == 4
    assert "fell off the bus" in shown


CONTRAST = """
() => {
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const light = colour => {
    const [r, g, b] = parse(colour).map(v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = element => {
    for (let one = element; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      if (!/, 0\\)$/.test(colour)) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const ratios = [...document.querySelectorAll("main *")]
    .filter(one => [...one.childNodes].some(node => node.nodeType === 3 && node.textContent.trim()))
    .map(one => [light(getComputedStyle(one).color), light(ground(one))].sort((a, b) => b - a))
    .map(([high, low]) => (high + 0.05) / (low + 0.05));
  return Math.min(...ratios);
}
"""
"""The lowest contrast between a text and its ground, by the W3C's measure; 4.5 is what small text needs."""
