"""The scripted day: each step happens or fails, and says which."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from devbay.simulator import Kubelet
from devbay.simulator.scenario import Day, Step, StepFailed
from tests.simulator.conftest import up
from tests.simulator.plugin import RESOURCE, Plugin, device

STEPS = ["register", "pod", "failure", "recovery", "restart", "delete"]


def ignore(_told: object) -> None:
    """Listen to nothing."""


@pytest.fixture
async def faithful(kubelet: Kubelet, plugin: Plugin) -> AsyncIterator[Plugin]:
    """Return a plugin that is up, and that registers again whenever its stream has ended."""

    async def keep() -> None:
        while True:
            if plugin.streams == 0 and kubelet.running:
                await plugin.stop()
                await plugin.serve()
                await plugin.register()
                await kubelet.wait_until(lambda: plugin.streams == 1)
            await asyncio.sleep(0.005)

    await up(kubelet, plugin)
    keeping = asyncio.create_task(keep())
    yield plugin
    keeping.cancel()
    await asyncio.wait([keeping])


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Make a mock backend's tree of the two devices."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "status").write_text("online\n")
    return tmp_path


async def follow(plugin: Plugin, tree: Path) -> None:
    """Report the devices as the tree has them, for ever."""
    last: list[str] = []
    while True:
        now = [(tree / name / "status").read_text().strip() for name in ("a", "b")]
        if now != last:
            plugin.send(
                *(device(n, "Healthy" if s == "online" else "Unhealthy") for n, s in zip("ab", now, strict=True))
            )
            last = now
        await asyncio.sleep(0.005)


async def test_a_day_on_a_tree_plays_by_itself(kubelet: Kubelet, faithful: Plugin, tree: Path) -> None:
    """With a mock backend's tree every step happens, is told once, in order, with its names and numbers."""
    following = asyncio.create_task(follow(faithful, tree))
    told: list[Step] = []
    steps = await Day(kubelet, tell=told.append, ask=ignore, tree=tree, limit=5).play()
    following.cancel()

    facts = {step.name: step.facts for step in steps}
    assert [step.name for step in steps] == STEPS
    assert told == steps
    assert facts["register"]["resource"] == RESOURCE
    assert facts["pod"]["env WIDGETS"] == facts["pod"]["device"] != facts["failure"]["device"]
    assert (facts["failure"]["allocatable"], facts["recovery"]["allocatable"]) == (1, 2)
    assert facts["restart"]["resources"] == 1
    assert all(0 <= step.seconds < 5 for step in steps)
    assert (tree / str(facts["failure"]["device"]) / "status").read_text() == "online\n"
    assert kubelet.pods == {}


async def test_a_day_by_hand_asks_for_what_a_kubelet_cannot_do(kubelet: Kubelet, faithful: Plugin) -> None:
    """Without a tree somebody is asked to break a device and to repair it, and the day goes on when it happened."""
    asked: list[str] = []

    def ask(what: str) -> None:
        asked.append(what)
        name = what.split()[2]
        faithful.send(*(device(d, "broken" if d == name and "fail" in what else "Healthy") for d in "ab"))

    steps = await Day(kubelet, tell=ignore, ask=ask, limit=5).play()

    assert [step.name for step in steps] == STEPS
    assert [what.split(f" of {RESOURCE}")[1][:6] for what in asked] == [" fail.", ". Wait"]


async def test_a_day_without_a_plugin_fails_at_its_first_step(kubelet: Kubelet) -> None:
    """What did not happen is named, with what was there instead."""
    with pytest.raises(StepFailed, match=r"a device of any resource to allocate.*kubelet running, resources none"):
        await Day(kubelet, tell=ignore, ask=ignore, limit=0.05).play()


async def test_a_plugin_that_does_not_come_back_fails_the_day(kubelet: Kubelet, plugin: Plugin) -> None:
    """A resource that is missing after the kubelet's restart is named."""
    await up(kubelet, plugin)
    day = Day(kubelet, tell=ignore, ask=ignore, limit=0.1)
    await day.register()

    with pytest.raises(StepFailed, match=f"Missing: {RESOURCE}"):
        await day.restart()


async def test_the_wrong_tree_fails_the_day(kubelet: Kubelet, plugin: Plugin, tmp_path: Path) -> None:
    """A tree without the device is not written to; the path that was looked for is named."""
    await up(kubelet, plugin)
    day = Day(kubelet, tell=ignore, ask=ignore, tree=tmp_path, limit=1)
    await day.register()

    with pytest.raises(StepFailed, match=f"{tmp_path}/a/status is not there"):
        await day.failure()


async def test_a_rejected_pod_fails_the_day(kubelet: Kubelet, plugin: Plugin) -> None:
    """The kubelet's words about the pod are passed on."""
    await plugin.serve()
    await plugin.register()
    day = Day(kubelet, tell=ignore, ask=ignore, resource=RESOURCE, limit=1)
    await day.register()
    plugin.send()
    await kubelet.wait_until(lambda: kubelet.allocatable == {RESOURCE: 0})

    with pytest.raises(StepFailed, match="UnexpectedAdmissionError Pod was rejected: Allocate failed due to no "):
        await day.pod()
