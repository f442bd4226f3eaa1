"""When releases are begun, waited for, left out and tried again; when the kubelet is asked (P10)."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from devbay.custodian import Custodian
from devbay.custody import CustodyPolicy, Release
from devbay.errors import CallTimeout
from devbay.holders import Container, Holders, Look, Replica
from devbay.podresources import PodResources, Silent
from devbay.threads import Turn
from tests.host import PATIENCE, until

WIDGET = "example.com/widget"
A = Container("default", "pod-a", "main")
PLAIN = Container("default", "plain", "main")


class Kubelet(PodResources):
    """One that answers what it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.held: set[str] = set()
        self.asked = 0

    async def list(self, _resources: object = None) -> Look | Silent:
        """Answer that `A` holds what is held."""
        self.asked += 1
        containers = {PLAIN: frozenset[Replica]()}
        if self.held:
            containers[A] = frozenset(Replica(WIDGET, one) for one in self.held)
        return Look(holders=Holders(containers=containers), kubelet=1, asked=asyncio.get_running_loop().time())


class Bench:
    """A custodian, and a backend whose releases begin and end when the test says."""

    def __init__(self, interval: float = 0.01) -> None:
        self.kubelet = Kubelet()
        self.custodian = Custodian(
            self.kubelet,
            self._release,
            interval=interval,
            policy=CustodyPolicy(settle=0),
            clock=asyncio.get_running_loop().time,
        )
        self.log: list[str] = []
        self.may_begin = asyncio.Event()
        self.may_end = asyncio.Event()
        self.hangs = False
        self.gives_up = False

    async def _release(self, release: Release, turn: Turn) -> bool:
        self.log.append(f"due {','.join(release.devices)}")
        if self.gives_up:
            turn.drop()
            return True
        await self.may_begin.wait()
        if not turn.begin():
            return True
        self.log.append("begins")
        await self.may_end.wait()
        self.log.append("ends")
        return not self.hangs

    async def looked(self) -> None:
        """Wait until an answer that is given from now on was taken in."""
        before = self.kubelet.asked
        await until(lambda: self.kubelet.asked >= before + 2)

    async def held(self, *ids: str) -> None:
        """Have these held, and seen."""
        self.kubelet.held = set(ids)
        await self.looked()

    async def begun(self) -> None:
        """End the pod that holds w0, and wait until its release has begun."""
        await self.held("w0")
        self.may_begin.set()
        self.kubelet.held = set()
        await until(lambda: "begins" in self.log)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    """Run a custodian that asks all the time."""
    one = Bench()
    task = asyncio.create_task(one.custodian.watch(lambda: None))
    yield one
    one.custodian.close()
    task.cancel()


async def test_a_container_waits_for_a_release_that_has_begun(bench: Bench) -> None:
    """P10: what was begun at a look is over before a container may have the device, however long it takes."""
    await bench.begun()
    allocate = asyncio.create_task(bench.custodian.allocated(WIDGET, ["w0"]))
    _, waiting = await asyncio.wait({allocate}, timeout=2.5)
    assert waiting

    bench.may_end.set()
    await allocate
    assert bench.log == ["due w0", "begins", "ends"]


async def test_a_container_waits_for_the_release_that_it_makes_due(bench: Bench) -> None:
    """P10: who is given a device that another had waits for its release."""
    await bench.held("w0")
    bench.may_begin.set()
    allocate = asyncio.create_task(bench.custodian.allocated(WIDGET, ["w0"]))
    await until(lambda: "begins" in bench.log)
    assert not allocate.done()

    bench.may_end.set()
    await allocate
    assert bench.log[-1] == "ends"


async def test_other_devices_do_not_wait(bench: Bench) -> None:
    """P10: a container that is given another device does not wait for a release."""
    await bench.begun()

    async with asyncio.timeout(PATIENCE):
        await bench.custodian.allocated(WIDGET, ["w1"])
    assert "ends" not in bench.log


async def test_a_release_that_has_not_begun_is_not_made_in_the_next_use(bench: Bench) -> None:
    """P10: a container does not wait for ever for a busy backend, and what it did not begin it never begins then."""
    await bench.held("w0")
    await bench.custodian.allocated(WIDGET, ["w0"])
    bench.may_begin.set()
    await bench.held("w0")

    assert bench.log == ["due w0"]
    await bench.held()
    await until(lambda: "begins" in bench.log)
    assert bench.log == ["due w0", "due w0", "begins"]


async def test_a_release_without_end_fails_the_container(bench: Bench) -> None:
    """P10: where a release is past its deadline and still at work, the container does not start, and is told why."""
    await bench.begun()
    bench.hangs = True
    allocate = asyncio.create_task(bench.custodian.allocated(WIDGET, ["w0"]))
    await asyncio.sleep(0)
    bench.may_end.set()

    with pytest.raises(CallTimeout, match="widget: w0: the release after the last pod is still at work"):
        await allocate


async def test_a_release_that_a_backend_had_no_turn_for_is_tried_again(bench: Bench) -> None:
    """P10: a backend that hangs when a release is due is told at a later look."""
    bench.gives_up = True
    bench.may_begin.set()
    await bench.held("w0")
    bench.kubelet.held = set()
    await until(lambda: len(bench.log) > 1)
    bench.gives_up = False

    await until(lambda: "begins" in bench.log)


async def test_the_kubelet_is_asked_soon_after_an_allocation() -> None:
    """P10: a pod that may end before the next question is due is seen: one question for many allocations."""
    bench = Bench(interval=3600)
    task = asyncio.create_task(bench.custodian.watch(lambda: None))
    await until(lambda: bench.kubelet.asked == 1)
    bench.kubelet.held = {"w0"}
    for _ in range(10):
        await bench.custodian.allocated(WIDGET, ["w0"])

    await until(lambda: bench.custodian.holders is not None and bench.custodian.holders.holder(WIDGET, "w0") == A)
    assert bench.kubelet.asked == 2
    bench.custodian.close()
    task.cancel()
