"""One backend at work: whatever it does reaches no further than its reports, and it comes back by itself (P3, P11)."""

import asyncio
import itertools
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from devbay.api import BackendUnavailable, ContainerEdits, Device, DeviceNode, Health, Mount, unhealthy
from devbay.errors import BackendBug, CallTimeout
from devbay.model import HEALTHY, Node
from devbay.retry import IMMEDIATE
from devbay.runner import Report, Runner, State, Timing
from devbay.settings import DeadlineSection
from devbay.threads import Turn
from tests import host
from tests.host import PATIENCE, until

NODE = Node(name="node-a")
WIDGET = Device(id="w0", resource="example.com/widget")
GADGET = Device(id="g0", resource="example.com/gadget")
SHORT = 0.03
QUICK = Timing(deadlines=DeadlineSection(), scan_interval=0.005, pauses=IMMEDIATE)
"""Looks again at once."""
CALM = replace(QUICK, scan_interval=3600)
"""Looks again only when it is woken."""
HASTY = replace(QUICK, deadlines=DeadlineSection(discover=SHORT, check=SHORT, edit=SHORT, prepare=SHORT, close=SHORT))
"""Gives calls up soon."""


@dataclass
class Reports:
    """What a runner has reported, and nobody has asked for yet."""

    kept: list[Report] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, report: Report) -> None:
        """Take a report."""
        self.kept.append(report)
        self.news.set()


@dataclass
class Running:
    """A runner, and what it has reported."""

    runner: Runner
    reports: Reports

    async def next(self, wanted: Callable[[Report], object] = lambda _: True) -> Report:
        """Wait for a report that came after the last one that was asked for here."""
        async with asyncio.timeout(PATIENCE):
            while True:
                while self.reports.kept:
                    if wanted(report := self.reports.kept.pop(0)):
                        return report
                self.reports.news.clear()
                await self.reports.news.wait()

    async def becomes(self, state: State) -> Report:
        """Wait for a report of this state."""
        return await self.next(lambda report: report.state is state)


def make(backend: Any, timing: Timing, node: Node = NODE, settings: object = None) -> Running:
    """Return a runner that is not running yet."""
    reports = Reports()
    return Running(Runner(backend, node, settings, timing, reports.take), reports)


@asynccontextmanager
async def at_work(
    timing: Timing = QUICK, node: Node = NODE, /, **hooks: Callable[..., object]
) -> AsyncIterator[Running]:
    """Run a backend with these hooks; it finds a widget and gives nothing special, unless they say otherwise."""
    running = make(await host.backend(**plain() | hooks), timing, node)
    task = asyncio.create_task(running.runner.run())
    try:
        yield running
    finally:
        task.cancel()
        await asyncio.wait({task})
        await running.runner.stop()


def plain() -> dict[str, Callable[..., object]]:
    """Return the two required hooks."""
    return {"discover": lambda: [WIDGET], "edit": ContainerEdits}


async def one_look(node: Node = NODE, timing: Timing = QUICK, **hooks: Callable[..., object]) -> Report:
    """Return what one look at a backend with these hooks reports."""
    running = make(await host.backend(**plain() | hooks), timing, node)
    try:
        return await running.runner.look()
    finally:
        await running.runner.stop()


class Switch:
    """A hook that misbehaves while it is on, and answers when it is off."""

    def __init__(self, fault: Callable[[], object], answer: object) -> None:
        self.fault = fault
        self.answer = answer
        self.on = threading.Event()
        self.calls = 0

    def __call__(self) -> object:
        """Answer, or not."""
        self.calls += 1
        return self.fault() if self.on.is_set() else self.answer


class Hang:
    """A fault: block until the test lets go."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.over = threading.Event()

    def __call__(self) -> None:
        """Block."""
        self.entered.set()
        self.over.wait()


@pytest.fixture
def hang() -> Iterator[Hang]:
    """Make something that hangs until the end of the test at the latest."""
    one = Hang()
    yield one
    one.over.set()


def fail(error: BaseException) -> Callable[[], None]:
    """Return a fault that raises."""

    def raising() -> None:
        raise error

    return raising


def ready(*found: tuple[Device, Health]) -> Report:
    """Return the report of a look at which all went well."""
    return Report(backend="widget", state=State.READY, found=found)


class NoDriver(BackendUnavailable):
    """A backend's own kind of absence."""


class Speechless(BackendUnavailable):
    """An absence that cannot even be shown."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


# One look.


async def test_a_look() -> None:
    """P11: a look is what is here and how each of it is, as one value."""
    assert await one_look() == ready((WIDGET, HEALTHY))
    assert await one_look(discover=list) == ready()


async def test_what_hooks_are_given() -> None:
    """The hooks get the node, their settings, and what was found."""
    asked: list[object] = []

    def discover(node: Node, settings: object) -> list[Device]:
        asked.append((node, settings))
        return [WIDGET]

    def check(node: Node, settings: object, devices: Sequence[Device]) -> dict[str, Health]:
        asked.append((node, settings, devices))
        return {}

    running = make(await host.backend(discover=discover, edit=ContainerEdits, check=check), QUICK, NODE, "section")
    await running.runner.look()
    await running.runner.stop()

    assert asked == [(NODE, "section"), (NODE, "section", (WIDGET,))]


@pytest.mark.parametrize(
    ("fault", "state", "reason"),
    [
        pytest.param(
            fail(ValueError("no\nway")),
            State.FAILING,
            "devbay-widget 1.2: discover raised ValueError: no way (",
            id="raises",
        ),
        pytest.param(
            fail(SystemExit(3)), State.FAILING, "devbay-widget 1.2: discover raised SystemExit: 3 (", id="exits"
        ),
        pytest.param(
            fail(KeyboardInterrupt()), State.FAILING, "devbay-widget 1.2: discover raised KeyboardInt", id="interrupt"
        ),
        pytest.param(
            fail(GeneratorExit()), State.FAILING, "devbay-widget 1.2: discover raised Gen", id="generator-exit"
        ),
        pytest.param(
            fail(CallTimeout("mine")), State.FAILING, "devbay-widget 1.2: discover raised CallTimeout", id="our-own"
        ),
        pytest.param(lambda: None, State.FAILING, "devbay-widget 1.2: discover returned None instead of", id="none"),
        pytest.param(
            lambda: 42, State.FAILING, "devbay-widget 1.2: discover returned int 42 instead of", id="nonsense"
        ),
        pytest.param(
            lambda: (1 / n for n in (1, 0)), State.FAILING, "devbay-widget 1.2: discover raised Zero", id="breaks-off"
        ),
        pytest.param(fail(BackendUnavailable("no driver")), State.UNAVAILABLE, "no driver", id="unavailable"),
        pytest.param(fail(NoDriver("no module")), State.UNAVAILABLE, "no module", id="unavailable-in-its-words"),
        pytest.param(fail(BackendUnavailable()), State.UNAVAILABLE, "its driver or hardware is absent", id="no-reason"),
        pytest.param(fail(Speechless()), State.UNAVAILABLE, "its driver or hardware is absent", id="speechless"),
    ],
)  # fmt: skip - one row, one line
async def test_discover_that_does_not_answer(fault: Callable[[], object], state: State, reason: str) -> None:
    """P3: whatever `discover` does instead of answering is a report with a reason that names whose it is."""
    report = await one_look(discover=fault)

    assert (report.state, report.found) == (state, None)
    assert report.reason.startswith(reason)


async def test_discover_that_hangs(hang: Hang) -> None:
    """P3: a `discover` past its deadline is a report as well, within the deadline."""
    report = await one_look(timing=HASTY, discover=hang)

    assert report == Report(
        backend="widget", state=State.HUNG, reason="devbay-widget 1.2: discover did not answer within 0.03 s"
    )


async def test_odd_devices_are_named_beside_the_good() -> None:
    """P13: a device that cannot be used is in the report with its reason, and the good one is ready."""
    report = await one_look(discover=lambda: [replace(WIDGET, id="two words"), WIDGET])

    assert report.found == ((WIDGET, HEALTHY),)
    assert [item for item, _ in report.rejected] == ["two words"]


async def test_check() -> None:
    """P12: `check` alone decides where there is one, whatever the files say; silence is no health."""
    here = [replace(WIDGET, paths=("/nonexistent",)), GADGET, replace(GADGET, id="g1")]
    report = await one_look(discover=lambda: here, check=lambda: {"w0": HEALTHY, "g1": unhealthy("hot")})

    assert {device.id: health for device, health in report.found or ()} == {
        "w0": HEALTHY,
        "g0": unhealthy("not reported by the backend's check"),
        "g1": unhealthy("hot"),
    }


@pytest.mark.parametrize(
    ("fault", "state", "reason"),
    [
        (fail(ValueError("no")), State.FAILING, "devbay-widget 1.2: check raised ValueError: no ("),
        (fail(SystemExit()), State.FAILING, "devbay-widget 1.2: check raised SystemExit ("),
        (fail(BackendUnavailable("driver went")), State.UNAVAILABLE, "driver went"),
        (lambda: None, State.FAILING, "devbay-widget 1.2: check returned NoneType None instead of a mapping"),
        (lambda: [HEALTHY], State.FAILING, "devbay-widget 1.2: check returned list "),
    ],
    ids=["raises", "exits", "unavailable", "none", "list"],
)
async def test_check_that_does_not_answer(fault: Callable[[], object], state: State, reason: str) -> None:
    """P3: without an answer of `check` all devices that were found are unhealthy for that reason."""
    report = await one_look(check=fault)

    assert report.state is state
    assert report.reason.startswith(reason)
    assert report.found == ((WIDGET, unhealthy(report.reason)),)


async def test_check_that_hangs(hang: Hang) -> None:
    """P3: a `check` past its deadline turns the devices unhealthy that `discover` found."""
    report = await one_look(timing=HASTY, check=hang)

    reason = "devbay-widget 1.2: check did not answer within 0.03 s"
    assert (report.state, report.found) == (State.HUNG, ((WIDGET, unhealthy(reason)),))


async def test_presence(tmp_path: Path) -> None:
    """P12: without `check` a device is healthy while all its nodes exist, looked for where this process finds them."""
    (tmp_path / "w0").touch()
    (tmp_path / "gone").symlink_to("nowhere")
    node = replace(NODE, dev=tmp_path)
    paths = [(), ("/dev/w0",), ("/dev/w0", "/dev/w1"), ("/dev/gone",), ("/dev/w0/x",), ("/dev/\0",), ("/dev/\ud800",)]
    report = await one_look(node, discover=lambda: [replace(WIDGET, id=f"w{n}", paths=p) for n, p in enumerate(paths)])

    assert [health.reason.partition(" no path: ")[0] for _, health in report.found or ()] == [
        "",
        "",
        "device node /dev/w1 is missing",
        "device node /dev/gone is missing",
        "device node /dev/w0/x cannot be looked at: Not a directory",
        "device node '/dev/\\x00' is",
        "device node '/dev/\\ud800' is",
    ]


# Looking again.


async def test_scans_go_on() -> None:
    """P11: without any event the hardware is looked at again after the scan interval."""
    present = [WIDGET]
    async with at_work(discover=lambda: list(present)) as running:
        await running.next()
        present.append(GADGET)

        assert await running.next(lambda r: r != ready((WIDGET, HEALTHY))) == ready(
            (GADGET, HEALTHY), (WIDGET, HEALTHY)
        )


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        (fail(ValueError("no")), State.FAILING),
        (fail(SystemExit()), State.FAILING),
        (lambda: "nonsense", State.FAILING),
        (fail(BackendUnavailable("no driver")), State.UNAVAILABLE),
    ],
    ids=["raises", "exits", "nonsense", "unavailable"],
)
@pytest.mark.parametrize("hook", ["discover", "check"])
async def test_a_fault_passes(hook: str, fault: Callable[[], object], state: State) -> None:
    """P3: a backend that answers again is ready again, without a restart."""
    switch = Switch(fault, [WIDGET] if hook == "discover" else {"w0": HEALTHY})
    async with at_work(**{hook: switch}) as running:
        assert await running.next() == ready((WIDGET, HEALTHY))
        switch.on.set()
        await running.becomes(state)
        switch.on.clear()

        assert await running.becomes(State.READY) == ready((WIDGET, HEALTHY))


@pytest.mark.parametrize("hook", ["discover", "check"])
async def test_a_hang_passes(hook: str, hang: Hang) -> None:
    """P3: a hung call is left alone until it returns; there is no second one, and then all is asked anew."""
    switch = Switch(hang, [WIDGET] if hook == "discover" else {"w0": HEALTHY})
    async with at_work(HASTY, **{hook: switch}) as running:
        await running.next()
        switch.on.set()
        await running.becomes(State.HUNG)
        calls = switch.calls
        running.runner.wake()
        switch.on.clear()
        hang.over.set()

        assert await running.becomes(State.READY) == ready((WIDGET, HEALTHY))
        assert calls < switch.calls


async def test_a_failing_backend_is_asked_again_before_the_next_scan() -> None:
    """P3: after a failure the next look comes after a pause of the policy, not after the scan interval."""
    switch = Switch(fail(ValueError("no")), [WIDGET])
    switch.on.set()
    async with at_work(CALM, discover=switch) as running:
        await running.becomes(State.FAILING)
        switch.on.clear()

        await running.becomes(State.READY)


async def test_wake() -> None:
    """P11: a wake-up makes the next look come now, though the next scan is an hour away."""
    async with at_work(CALM) as running:
        await running.next()
        running.runner.wake()

        assert await running.next() == ready((WIDGET, HEALTHY))


async def test_a_wake_during_a_look_is_not_lost(hang: Hang) -> None:
    """P11: what happens while the hardware is being looked at is looked for afterwards."""

    def check() -> dict[str, Health]:
        hang()
        return {}

    async with at_work(CALM, check=check) as running:
        await until(hang.entered.is_set)
        running.runner.wake()
        hang.over.set()

        await running.next()
        await running.next()


async def test_a_burst_is_one_look() -> None:
    """P11: a thousand events at once make one look, or two where the first had begun."""
    looks = itertools.count(1)
    latest = 0

    def discover() -> list[Device]:
        nonlocal latest
        latest = next(looks)
        return []

    def watch(wake: Callable[[], None], stop: threading.Event) -> None:
        for _ in range(1000):
            wake()
        stop.wait(PATIENCE)

    async with at_work(CALM, discover=discover, watch=watch) as running:
        await running.next()
        await running.next()
        for _ in range(1000):
            running.runner.wake()
        await running.next()

        assert latest <= 4


async def test_cancelled_at_the_very_moment_of_an_event() -> None:
    """P22: a runner that is cancelled just as the hardware wakes it ends, and does not look again."""
    for _ in range(20):
        running = make(await host.backend(**plain()), CALM)
        task = asyncio.create_task(running.runner.run())
        await running.next()
        for _ in range(5):
            await asyncio.sleep(0.005)  # past the moment in which events are gathered, on most rounds
        task.cancel()
        running.runner.wake()

        await asyncio.wait({task}, timeout=PATIENCE)
        await running.runner.stop()
        assert task.cancelled()


# Watching.


async def test_watch() -> None:
    """P11: `watch` gets what it needs, wakes the runner from its own thread, and ends when it is told to."""
    ended = threading.Event()
    threads: list[str] = []

    def watch(node: Node, settings: object, wake: Callable[[], None], stop: threading.Event) -> None:
        threads.append(threading.current_thread().name)
        assert (node, settings) == (NODE, None)
        wake()
        stop.wait(PATIENCE)
        ended.set()

    async with at_work(CALM, watch=watch) as running:
        await running.next()
        await running.next()
    await until(ended.is_set)

    assert threads == ["widget-watch"]


@pytest.mark.parametrize(
    "fault",
    [lambda: None, fail(ValueError("no")), fail(SystemExit()), fail(NoDriver("no"))],
    ids=["returns", "raises", "exits", "unavailable"],
)
async def test_a_watch_that_ends_is_called_again(fault: Callable[[], object]) -> None:
    """P11: a `watch` that returns, raises or exits is called again, and the scans go on meanwhile."""
    calls = itertools.count(1)
    thrice = threading.Event()

    def watch() -> object:
        if next(calls) >= 3:
            thrice.set()
        return fault()

    async with at_work(watch=watch) as running:
        await until(thrice.is_set)

        assert (await running.next()).state is State.READY


async def test_a_watch_that_hangs_matters_to_no_one(hang: Hang) -> None:
    """P3: a `watch` that blocks, and ignores that it should end, holds up neither looks nor the stop."""
    async with at_work(HASTY, watch=hang) as running:
        await until(hang.entered.is_set)

        assert (await running.next()).state is State.READY
        assert await running.runner.edit("r", [WIDGET]) == ContainerEdits()


async def test_a_wake_after_the_end_is_nothing() -> None:
    """P22: a thread of the backend that wakes a stopped runner does no harm."""
    wakes: list[Callable[[], None]] = []

    def watch(wake: Callable[[], None]) -> None:
        wakes.append(wake)

    async with at_work(CALM, watch=watch) as running:
        await until(lambda: wakes)
    wakes[0]()

    running.reports.kept.clear()
    await asyncio.sleep(0)
    assert running.reports.kept == []


# Edits.


async def test_edit(tmp_path: Path) -> None:
    """P14: an answer is accepted, and what is no device node on this node is given as a mount."""
    (tmp_path / "file").touch()
    (tmp_path / "null").symlink_to("/dev/null")
    asked: list[object] = []

    def edit(node: Node, settings: object, resource: str, devices: Sequence[Device]) -> ContainerEdits:
        asked.append((node.name, settings, resource, devices))
        paths = ("/dev/file", "/dev/null", "/dev/missing")
        return ContainerEdits(device_nodes=[DeviceNode(path=path) for path in (*paths, *paths)])

    async with at_work(CALM, replace(NODE, dev=tmp_path), edit=edit) as running:
        edits = await running.runner.edit("r", (WIDGET, GADGET))

    assert asked == [("node-a", None, "r", (WIDGET, GADGET))]
    assert edits == ContainerEdits(
        device_nodes=tuple(DeviceNode(path=path, host_path=path) for path in ("/dev/null", "/dev/missing")),
        mounts=(Mount(container_path="/dev/file", host_path="/dev/file", read_only=False),),
    )


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (fail(ValueError("no")), "devbay-widget 1.2: edit raised ValueError: no ("),
        (lambda: sys.exit("bye"), "devbay-widget 1.2: edit raised SystemExit: bye ("),
        (lambda: None, "devbay-widget 1.2: edit returned NoneType None instead of devbay.api.ContainerEdits"),
        (lambda: ContainerEdits(env={"A": 1}), "devbay-widget 1.2: edit returned env in which A is int 1"),  # type: ignore[dict-item]  # wrong on purpose
        (
            lambda: ContainerEdits(mounts=[Mount(container_path="/a"), Mount(container_path="/a", host_path="/b")]),
            "devbay-widget 1.2: edit asks for two different things at the mount /a of the container",
        ),
    ],
    ids=["raises", "exits", "none", "nonsense", "contradiction"],
)
async def test_edit_that_does_not_answer(fault: Callable[[], object], text: str) -> None:
    """P14: whatever `edit` does instead of answering is the backend's bug, in a text that names whose."""
    async with at_work(CALM, edit=fault) as running:
        with pytest.raises(BackendBug) as caught:
            await running.runner.edit("r", [WIDGET])

        assert str(caught.value).startswith(text)
        await running.next()
        assert running.reports.kept == []  # no device suffers from it


async def test_edit_while_discover_hangs(hang: Hang) -> None:
    """P14: a pod's admission does not wait for a scan: `edit` has a thread of its own."""
    async with at_work(discover=hang) as running:
        await until(hang.entered.is_set)

        assert await running.runner.edit("r", [WIDGET]) == ContainerEdits()


async def test_edit_that_hangs(hang: Hang) -> None:
    """P3, P14: an `edit` past its deadline fails the request, and turns the devices unhealthy until it returns."""
    switch = Switch(hang, ContainerEdits())
    switch.on.set()
    async with at_work(replace(HASTY, scan_interval=3600), edit=switch) as running:
        await running.next()
        with pytest.raises(CallTimeout, match=r"devbay-widget 1\.2: edit did not answer within 0\.03 s"):
            await running.runner.edit("r", [WIDGET])
        report = await running.becomes(State.HUNG)
        switch.on.clear()
        hang.over.set()

        assert report.found == ((WIDGET, unhealthy("devbay-widget 1.2: edit did not answer within 0.03 s")),)
        assert await running.becomes(State.READY) == ready((WIDGET, HEALTHY))
        assert await running.runner.edit("r", [WIDGET]) == ContainerEdits()


async def test_prepare() -> None:
    """P3: `prepare` is told resource and devices; what it raises is an error that names whose it is."""
    asked: list[object] = []

    def prepare(resource: str, devices: Sequence[Device]) -> None:
        asked.append((resource, devices))
        raise OSError("stuck in reset")

    async with at_work(CALM, prepare=prepare) as running:
        with pytest.raises(BackendBug, match=r"devbay-widget 1\.2: prepare raised OSError: stuck in reset"):
            await running.runner.prepare("r", [WIDGET])

    assert asked == [("r", [WIDGET])]


async def test_prepare_that_hangs(hang: Hang) -> None:
    """P3: a `prepare` past its deadline turns the devices unhealthy at once, and they recover when it returns."""
    async with at_work(replace(HASTY, scan_interval=3600), prepare=hang) as running:
        await running.next()
        with pytest.raises(CallTimeout, match=r"prepare did not answer within 0\.03 s"):
            await running.runner.prepare("r", [WIDGET])
        report = await running.becomes(State.HUNG)
        hang.over.set()

        assert report.found is None
        assert await running.becomes(State.READY) == ready((WIDGET, HEALTHY))


async def test_prepare_that_waits_for_a_look(hang: Hang) -> None:
    """P14: what waits for its turn behind a look is given up at the deadline too: the kubelet waits no longer."""
    timing = replace(CALM, deadlines=DeadlineSection(discover=PATIENCE, prepare=SHORT))
    async with at_work(timing, discover=hang, prepare=lambda: None) as running:
        await until(hang.entered.is_set)
        with pytest.raises(CallTimeout, match=r"prepare did not get its turn within 0\.03 s"):
            await running.runner.prepare("r", [WIDGET])
        hang.over.set()


def replace_deadline(**deadlines: float) -> DeadlineSection:
    """Return short deadlines, but for these."""
    return msgspec.structs.replace(HASTY.deadlines, **deadlines)


async def test_a_long_prepare_makes_no_look_late() -> None:
    """P3: a look that waits for `prepare` to end is not hung: its deadline begins with its turn."""
    entered, over = threading.Event(), threading.Event()

    def prepare() -> None:
        entered.set()
        over.wait(PATIENCE)

    timing = replace(HASTY, scan_interval=0.01, deadlines=replace_deadline(prepare=PATIENCE))
    async with at_work(timing, prepare=prepare) as running:
        await running.next()
        preparing = asyncio.create_task(running.runner.prepare("r", [WIDGET]))
        await until(entered.is_set)
        await asyncio.sleep(5 * SHORT)  # longer than a look's deadline: that it passes unnoticed is the promise
        over.set()
        await preparing

        assert await running.next() == ready((WIDGET, HEALTHY))


async def test_release() -> None:
    """P3: `release` is told resource and devices; what it raises is an error that names whose it is."""
    asked: list[object] = []

    def release(resource: str, devices: Sequence[Device]) -> None:
        asked.append((resource, devices))
        raise OSError("still busy")

    async with at_work(CALM, release=release) as running:
        with pytest.raises(BackendBug, match=r"devbay-widget 1\.2: release raised OSError: still busy"):
            await running.runner.release("r", [WIDGET], Turn())

    assert asked == [("r", [WIDGET])]


async def test_a_release_that_was_dropped_is_not_made() -> None:
    """P10: what was dropped before the backend was told of it is never told; what is told cannot be dropped."""
    asked: list[object] = []
    async with at_work(CALM, release=lambda: asked.append(1)) as running:
        dropped, kept = Turn(), Turn()
        assert dropped.drop()
        await running.runner.release("r", [WIDGET], dropped)
        assert asked == []
        await running.runner.release("r", [WIDGET], kept)

    assert asked == [1]
    assert not kept.drop()


async def test_a_release_that_a_hanging_backend_cannot_be_told_is_dropped() -> None:
    """P10: where an earlier call hangs a release fails, and is never made later, in somebody else's use."""
    asked: list[object] = []
    opened = threading.Event()
    turn = Turn()
    async with at_work(HASTY, prepare=lambda: opened.wait(PATIENCE), release=lambda: asked.append(1)) as running:
        with pytest.raises(CallTimeout):
            await running.runner.prepare("r", [WIDGET])
        with pytest.raises(CallTimeout):
            await running.runner.release("r", [WIDGET], turn)
        opened.set()

    assert turn.dropped
    assert asked == []


# Where devices are.


async def test_numa_nodes_are_looked_up(tmp_path: Path) -> None:
    """P17: a device whose backend gave no NUMA nodes has those of the hardware behind its device nodes."""
    hardware = tmp_path / "devices/pci0000:00/0000:3b:00.0"
    hardware.mkdir(parents=True)
    (hardware / "numa_node").write_text("1\n")
    null = Path("/dev/null").stat().st_rdev
    (tmp_path / "dev/char").mkdir(parents=True)
    (tmp_path / f"dev/char/{os.major(null)}:{os.minor(null)}").symlink_to(hardware)
    told = replace(WIDGET, id="told", numa_nodes=(3,), paths=("/dev/null",))
    devices = [replace(WIDGET, paths=("/dev/null",)), told, replace(WIDGET, id="bare")]
    async with at_work(CALM, Node(name="n", sys=tmp_path), discover=lambda: devices) as running:
        found = (await running.next()).found

    assert {device.id: device.numa_nodes for device, _ in found or ()} == {"w0": (1,), "told": (3,), "bare": ()}


# Closeness.


async def test_affinities() -> None:
    """P15: each pair is asked about once; an answer that is no number, or raises, is not close, and others count."""
    asked: list[str] = []

    def affinity(a: Device, b: Device) -> object:
        asked.append(a.id + b.id)
        if a.id + b.id == "ac":
            raise OSError("no such link")
        return {"ab": 2, "bc": "close"}[a.id + b.id]

    devices = [replace(WIDGET, id=name) for name in "abc"]
    async with at_work(CALM, affinity=affinity) as running:
        found, lacking = await running.runner.affinities(devices)

    assert (asked, lacking) == (["ab", "ac", "bc"], "")
    assert [found.score(a, b) for a, b in ("ab", "ba", "ac", "bc")] == [2, 2, 0, 0]


async def test_an_affinity_that_hangs(hang: Hang) -> None:
    """P3, P15: past the deadline what was answered counts, no further pair is asked, and all devices stay healthy."""
    asked: list[str] = []

    def affinity(a: Device, b: Device) -> float:
        asked.append(a.id + b.id)
        if a.id + b.id == "ac":
            hang()
        return 2.0

    devices = [replace(WIDGET, id=name) for name in "abc"]
    async with at_work(replace(CALM, deadlines=replace_deadline(affinity=0.5)), affinity=affinity) as running:
        await running.next()
        found, lacking = await running.runner.affinities(devices)
        again, _ = await running.runner.affinities(devices)
        stuck = running.runner.stuck
        report = await running.runner.look()
        hang.over.set()
        await until(lambda: not running.runner.stuck)

    assert [found.score(a, b) for a, b in ("ab", "ac", "bc")] == [2, 0, 0]
    assert (again.rows, asked) == ({}, ["ab", "ac"])
    assert lacking == "devbay-widget 1.2: affinity did not answer within 0.5 s"
    assert stuck == ("affinity did not answer within 0.5 s",)
    assert (report, running.reports.kept) == (ready((WIDGET, HEALTHY)), [])


# The end.


async def test_close_is_the_last_call() -> None:
    """P22: `close` is called once, after every other call, in the thread that looks."""
    calls: list[str] = []
    threads: set[int] = set()

    def note(name: str, answer: object) -> Callable[[], object]:
        def hook() -> object:
            calls.append(name)
            threads.add(threading.get_ident())
            return answer

        return hook

    async with at_work(discover=note("discover", [WIDGET]), close=note("close", None)) as running:
        await running.next()

    assert (calls[-1], calls.count("close"), len(threads)) == ("close", 1, 1)


@pytest.mark.parametrize(
    "fault", [fail(ValueError("no")), fail(SystemExit()), lambda: 42], ids=["raises", "exits", "nonsense"]
)
async def test_close_may_fail(fault: Callable[[], object]) -> None:
    """P22: whatever `close` does, the runner stops."""
    async with at_work(close=fault) as running:
        await running.next()


@pytest.mark.parametrize("hook", ["discover", "check", "edit", "prepare", "close"])
async def test_stop_does_not_wait_for_a_hung_call(hang: Hang, hook: str) -> None:
    """P22: whichever call hangs, the stop takes no longer than the deadline of `close`."""
    hooks: dict[str, Callable[..., object]] = {"close": lambda: None, "prepare": lambda: None, hook: hang}
    timing = replace(QUICK, deadlines=DeadlineSection(close=SHORT))
    async with at_work(timing, **hooks) as running:
        questions = [
            asyncio.create_task(getattr(running.runner, hook)("r", [WIDGET]))
            for asked in ("edit", "prepare")
            if asked == hook
        ]
        if hook != "close":
            await until(hang.entered.is_set)
        async with asyncio.timeout(1):
            await running.runner.stop()
        hang.over.set()
    await asyncio.gather(*questions, return_exceptions=True)


async def test_no_thread_is_left() -> None:
    """P22: a runner that was stopped has no threads any more."""
    before = threading.active_count()
    async with at_work(check=dict, watch=lambda stop: stop.wait(PATIENCE), close=lambda: None) as running:
        await running.runner.edit("r", [WIDGET])
        await running.next()

    await until(lambda: threading.active_count() <= before)


@pytest.mark.parametrize(
    ("state", "normal"),
    [
        (State.STARTING, True),
        (State.READY, True),
        (State.UNAVAILABLE, True),
        (State.FAILING, False),
        (State.HUNG, False),
    ],
)
def test_normal_states(state: State, normal: bool) -> None:  # noqa: FBT001 - a row of a table
    """A node without the hardware is in order; a backend that does not answer is not."""
    assert state.is_normal is normal


async def test_scans_go_on_while_an_edit_hangs(hang: Hang) -> None:
    """P3: while `edit` hangs the devices are looked at all the same, and recover as soon as it returns."""
    devices = [WIDGET]

    def edit() -> ContainerEdits:
        hang()
        return ContainerEdits()

    async with at_work(HASTY, discover=lambda: list(devices), edit=edit) as running:
        await running.next()
        with pytest.raises(CallTimeout):
            await running.runner.edit(WIDGET.resource, [WIDGET])
        await running.becomes(State.HUNG)
        devices.append(GADGET)
        report = await running.next(lambda report: len(report.found or ()) > 1)
        assert report.state is State.HUNG
        hang.over.set()

        await running.becomes(State.READY)


async def test_what_is_asked_ahead_makes_nobody_wait_long() -> None:
    """P14: many resources that ask ahead take turns, so that a request waits for one of them at most."""
    order: list[str] = []
    gate = threading.Event()

    def edit(resource: str) -> ContainerEdits:
        assert gate.wait(PATIENCE)
        order.append(resource)
        return ContainerEdits()

    async with at_work(CALM, edit=edit) as running:
        ahead = [asyncio.create_task(running.runner.edit_ahead(f"ahead-{n}", [WIDGET])) for n in range(20)]
        await asyncio.sleep(0)
        asked = asyncio.create_task(running.runner.edit("asked", [WIDGET]))
        await asyncio.sleep(0)
        gate.set()
        await asyncio.gather(asked, *ahead)

        assert order.index("asked") <= 1
