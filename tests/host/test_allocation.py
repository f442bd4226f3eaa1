"""The kubelet's questions about one resource, answered from memory wherever possible (P14)."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from devbay import offers, selector, sharing
from devbay.allocation import ResourceService
from devbay.api import HEALTHY, ContainerEdits, Device, DeviceNode, Health, hookimpl, unhealthy
from devbay.cdi.directory import SpecificationDirectory
from devbay.errors import BackendBug, CallTimeout, TooManyShares, UnhealthyDevice, UnknownDevice
from devbay.inventory import DeviceStatus
from devbay.kubelet.service import Advertised
from devbay.model import Node
from devbay.offers import Offer
from devbay.retry import IMMEDIATE
from devbay.runner import Runner, Timing
from devbay.settings import DeadlineSection
from tests import host
from tests.host import PATIENCE, until

RESOURCE = "example.com/widget"
A, B, C = (Device(id=name, resource=RESOURCE) for name in "abc")
HOT = unhealthy("too hot")


def given(*ids: str) -> ContainerEdits:
    """Return what the backend of these tests says a container needs for some devices."""
    return ContainerEdits(env={"IDS": ",".join(ids)}, annotations={}, device_nodes=(), mounts=(), hooks=())


def statuses(*devices: Device, health: Health = HEALTHY) -> list[DeviceStatus]:
    """Return devices as a snapshot has them."""
    return [DeviceStatus(device=device, backend="widget", health=health) for device in devices]


class Bench:
    """A service over a real backend, and what both were asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.prepared: list[tuple[str, str]] = []
        self.in_use: list[list[str]] = []
        self.given: list[list[str]] = []
        self.rules = offers.Rules()
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.fault: Callable[[], object] | None = None
        self.service: ResourceService

    @hookimpl
    def discover(self) -> list[Device]:
        """Find nothing: the tests say what is there."""
        return []

    @hookimpl
    def edit(self, resource: str, devices: Sequence[Device]) -> object:
        """Answer as a backend does, and note what was asked."""
        self.asked.append(",".join(device.id for device in devices))
        assert resource == RESOURCE
        assert self.may_answer.wait(PATIENCE)
        return self.fault() if self.fault else given(*(device.id for device in devices))

    def named(self, offer: Offer, ids: Iterable[str]) -> None:
        """Note which ids were named."""
        assert offer.source == RESOURCE
        self.in_use.append(list(ids))

    async def allocated(self, offer: Offer, ids: Sequence[str]) -> None:
        """Note which ids were given."""
        assert offer.source == RESOURCE
        self.given.append(list(ids))

    def update(self, devices: Sequence[DeviceStatus]) -> list[Advertised]:
        """Offer these devices as the rules say."""
        made, _ = offers.offers({RESOURCE: devices}, self.rules)
        (offer,) = made.values()
        return self.service.update(offer)

    async def allocate(self, *ids: str) -> ContainerEdits:
        """Return what is given directly for these ids."""
        answer = await self.service.allocate(ids)
        assert answer.cdi_devices == ()
        return answer.edits

    async def offer(self, *devices: Device) -> None:
        """Have these devices in the snapshot, healthy, and wait until all that is asked ahead was asked."""
        self.update(statuses(*devices))
        await until(lambda: {device.id for device in devices} <= set(self.asked))
        for device in devices:
            await self.service.allocate(self.ids_of(device)[:1])
        self.asked.clear()
        self.in_use.clear()
        self.given.clear()

    def ids_of(self, device: Device) -> tuple[str, ...]:
        """Return what a device is advertised as."""
        return next(share.ids for share in self.service.offer.shares if share.status.device == device)


class PreparingBench(Bench):
    """A bench whose backend makes devices ready."""

    @hookimpl
    def prepare(self, resource: str, devices: Sequence[Device]) -> None:
        """Note what was to be prepared."""
        self.prepared.append((resource, ",".join(device.id for device in devices)))


class PairingBench(Bench):
    """A bench whose backend says how close devices are, if it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may_pair = threading.Event()
        self.pairs: list[str] = []

    @hookimpl
    def affinity(self, a: Device, b: Device) -> float:
        """Note which pair it is; the last two are close."""
        self.pairs.append(a.id + b.id)
        assert self.may_pair.wait(PATIENCE)
        return float(a.id + b.id == "bc")


@asynccontextmanager
async def bench(  # noqa: PLR0913 - one page of choices, all named and with defaults
    *,
    deadline: float = PATIENCE,
    kind: type[Bench] = PreparingBench,
    rule: offers.Rule | None = None,
    cdi: Path = Path("/nowhere"),
    rest: float = 300,
    patience: float = PATIENCE,
) -> AsyncIterator[Any]:  # whatever `kind` is
    """Make a bench; `rule` is what was configured for the resource, `cdi` where specifications go.

    `rest` is how long a backend that was too slow to say how close its devices are is left alone, and `patience` how
    long a resource waits until all is asked ahead.
    """
    one = kind()
    one.rules = offers.Rules((rule,) if rule else ())
    deadlines = DeadlineSection(edit=deadline, affinity=0.05 if kind is PairingBench else PATIENCE)
    timing = Timing(deadlines=deadlines, scan_interval=3600, pauses=IMMEDIATE)
    runner = Runner(await host.loaded(one), Node(name="n"), {}, timing, lambda _: None)
    specifications = SpecificationDirectory(cdi)
    one.service = ResourceService(
        offers.Offer(resource=RESOURCE, source=RESOURCE, shares=()),
        runner,
        specifications,
        one,
        rest=rest,
        patience=patience,
    )
    yield one
    one.may_answer.set()
    one.service.close()
    specifications.close()
    await runner.stop()


def shared(replicas: int, *, one_per_request: bool = False) -> offers.Rule:
    """Return a rule that shares every device."""
    rules = (sharing.Rule(replicas=replicas),)
    return offers.Rule(pattern=RESOURCE, sharing=sharing.Sharing(rules=rules, one_per_request=one_per_request))


async def test_what_is_advertised() -> None:
    """P9, P17: each device is advertised under its own id, with its health and its NUMA nodes."""
    async with bench() as b:
        near = replace(B, numa_nodes=(0, 1))

        assert b.update([*statuses(A, health=HOT), *statuses(near)]) == [
            Advertised(id="a", healthy=False),
            Advertised(id="b", healthy=True, numa_nodes=(0, 1)),
        ]


async def test_allocate() -> None:
    """P14: the answer is what the backend says of the devices, in the order of the request."""
    async with bench() as b:
        await b.offer(A, B, C)

        assert await b.allocate("c", "a") == given("c", "a")
        assert b.asked == ["c,a"]


async def test_shares_of_one_device_are_one_device() -> None:
    """P14, P16: duplicates and shares of a device are asked about once, where the first of them stands."""
    async with bench(rule=shared(2)) as b:
        await b.offer(A, B)

        assert await b.allocate("b::1", "a::0", "b::0", "b::1") == given("b", "a")
        assert b.asked == ["b,a"]


async def test_shares_have_their_devices_health_and_place() -> None:
    """P16: every share of a device is advertised, and says of itself what is so of the device."""
    async with bench(rule=shared(2)) as b:
        assert b.update([*statuses(A, health=HOT), *statuses(replace(B, numa_nodes=(1,)))]) == [
            Advertised(id="a::0", healthy=False),
            Advertised(id="a::1", healthy=False),
            Advertised(id="b::0", healthy=True, numa_nodes=(1,)),
            Advertised(id="b::1", healthy=True, numa_nodes=(1,)),
        ]


async def test_one_share_per_request() -> None:
    """P16: where that is the limit a container that asks for two shares is refused with the reason, and one is not."""
    async with bench(rule=shared(2, one_per_request=True)) as b:
        await b.offer(A, B)

        with pytest.raises(TooManyShares, match=rf"^{RESOURCE} is shared, and .* one share .*; 2 were asked for"):
            await b.allocate("a::0", "b::0")
        assert await b.allocate("a::0") == given("a")


async def test_one_share_per_request_is_no_limit_of_whole_devices() -> None:
    """P16: what stays whole where shares are limited can be had in any number."""
    rule = sharing.Rule(selectors=(selector.parse({"id": "c"}),), replicas=2, rename=True)
    limited = offers.Rule(pattern=RESOURCE, sharing=sharing.Sharing(rules=(rule,), one_per_request=True))
    async with bench(rule=limited) as b:
        made, _ = offers.offers({RESOURCE: statuses(A, B, C)}, b.rules)
        b.service.update(made[RESOURCE])

        assert await b.allocate("a", "b") == given("a", "b")


@pytest.mark.parametrize("ids", [["a"], ["a::2"], ["a::00"], ["a::-1"]])
async def test_only_shares_that_are_offered_can_be_had(ids: list[str]) -> None:
    """P14, P16: a shared device cannot be had whole, nor in shares that it does not have."""
    async with bench(rule=shared(2)) as b:
        await b.offer(A)

        with pytest.raises(UnknownDevice, match=r"it has a::0, a::1$"):
            await b.allocate(*ids)


@pytest.mark.parametrize("ids", [["x"], ["a", "x"], ["x::0"], [""], ["a::0"], ["a", "b::7"]])
async def test_unknown(ids: list[str]) -> None:
    """P14: an id that nobody knows is named, with those that are known; the backend is not asked."""
    async with bench() as b:
        await b.offer(A, B)

        with pytest.raises(UnknownDevice, match=rf"^{RESOURCE} has no device '.*' on this node; it has a, b$"):
            await b.allocate(*ids)
        assert (b.asked, b.in_use) == ([], [])


async def test_unknown_where_there_are_none() -> None:
    """P14: a resource whose devices have all gone says so."""
    async with bench() as b:
        with pytest.raises(UnknownDevice, match=r"it has none$"):
            await b.allocate("a")


async def test_unhealthy() -> None:
    """P14: a device that failed since the list was sent is refused with its reason, even where it was asked before."""
    async with bench() as b:
        await b.offer(A, B)
        b.update([*statuses(A, health=HOT), *statuses(B)])

        with pytest.raises(UnhealthyDevice, match=rf"^device a of {RESOURCE} is unhealthy: too hot$"):
            await b.allocate("b", "a")
        assert b.asked == []


async def test_singles_are_asked_ahead() -> None:
    """P14: what one device needs is known before a pod asks; the allocation asks nobody."""
    async with bench() as b:
        b.update(statuses(B, A))
        await until(lambda: b.asked == ["a", "b"])
        b.may_answer.clear()  # who asks now waits

        assert await b.allocate("a") == given("a")


async def test_the_unhealthy_are_not_asked_about() -> None:
    """P14: nothing is asked ahead about a device that cannot be given."""
    async with bench() as b:
        b.update([*statuses(A, health=HOT), *statuses(B)])
        await b.allocate("b")

        assert set(b.asked) == {"b"}


async def test_each_question_is_asked_once() -> None:
    """P14: the same devices in the same order get the same object; another order is another question."""
    async with bench() as b:
        await b.offer(A, B)
        answers = [await b.allocate(*ids) for ids in (["a", "b"], ["a", "b", "a"], ["b", "a"], ["a", "b"])]

        assert b.asked == ["a,b", "b,a"]
        assert answers == [given("a", "b"), given("a", "b"), given("b", "a"), given("a", "b")]
        assert answers[0] is answers[3]


async def test_an_unchanged_device_is_not_asked_again() -> None:
    """P14: a new snapshot in which a device is as it was leaves what is known of it."""
    async with bench() as b:
        await b.offer(A, B)
        await b.allocate("a", "b")
        b.update(statuses(A, B, C))
        await b.allocate("a", "b")
        await until(lambda: "c" in b.asked)

        assert b.asked == ["a,b", "c"]


@pytest.mark.parametrize(
    "changed",
    [replace(A, paths=("/dev/other",)), replace(A, attributes={"memory": 2}), replace(A, numa_nodes=(1,))],
    ids=["paths", "attributes", "numa"],
)
async def test_a_changed_device_is_asked_again(changed: Device) -> None:
    """P14: whatever changes of a device, all that was said of it, alone or with others, is forgotten."""
    async with bench() as b:
        await b.offer(A, B)
        await b.allocate("a", "b")
        b.asked.clear()
        b.update(statuses(changed, B))
        await b.allocate("a", "b")
        await b.allocate("b")
        await until(lambda: "a" in b.asked)

        assert sorted(b.asked) == ["a", "a,b"]


async def test_a_device_that_failed_is_asked_again() -> None:
    """P14: what comes back behind the same path may be something else: what was said before is forgotten."""
    async with bench() as b:
        await b.offer(A, B)
        b.update([*statuses(A, health=HOT), *statuses(B)])
        b.update(statuses(A, B))
        await until(lambda: b.asked)

        assert b.asked == ["a"]


async def test_a_neighbour_that_comes_and_goes_delays_nobody() -> None:
    """P13, P14: what is being asked ahead of a device goes on and counts, though another one fails meanwhile."""
    async with bench() as b:
        b.may_answer.clear()
        b.update(statuses(A, B))
        await until(lambda: b.asked)
        b.update([*statuses(A), *statuses(B, health=HOT)])
        b.may_answer.set()
        await b.service.ready()
        answer = await b.allocate("a")

        assert (answer, b.asked) == (given("a"), ["a"])


async def test_ready_while_a_device_comes_and_goes() -> None:
    """P13: a device that fails and recovers whenever it is asked about does not keep its resource unregistered."""
    async with asyncio.timeout(PATIENCE), bench(patience=3600) as b:
        loop, over = asyncio.get_running_loop(), False

        def flap() -> ContainerEdits:
            if b.asked[-1] == "b" and not over:
                asyncio.run_coroutine_threadsafe(change(), loop).result(PATIENCE)
            return given(b.asked[-1])

        async def change() -> None:
            b.update([*statuses(A), *statuses(B, health=HOT)])
            b.update(statuses(A, B))

        b.fault = flap
        b.update(statuses(A, B))
        await b.service.ready()
        await until(lambda: b.asked.count("b") > 2)  # it goes on
        over = True
        answer = await b.allocate("b")

        assert (answer, b.asked.count("a")) == (given("b"), 1)


async def test_ready_does_not_wait_for_ever() -> None:
    """P13: a backend that is asked ahead for too long does not keep its devices away."""
    async with bench(patience=0.01) as b:
        b.may_answer.clear()
        b.update(statuses(A, B))
        await b.service.ready()

        assert b.asked in ([], ["a"])


async def test_ready_waits_for_the_specifications(tmp_path: Path) -> None:
    """P19: a resource is ready when all its devices were asked about, and are in the specification."""
    async with bench(rule=offers.Rule(pattern=RESOURCE, delivery="cdi"), cdi=tmp_path) as b:
        b.fault = lambda: replace(given(), device_nodes=(DeviceNode(path="/dev/null"),))
        b.update(statuses(A, B, C))
        await b.service.ready()
        (file,) = tmp_path.glob("*.json")
        named = [device["name"] for device in json.loads(file.read_text())["devices"]]

        assert (b.asked, named) == (["a", "b", "c"], ["a", "b", "c"])


async def test_a_late_answer_is_not_remembered() -> None:
    """P14: an answer about a device that changed while its backend thought about it is given, and forgotten."""
    async with bench() as b:
        b.may_answer.clear()
        b.update(statuses(A))
        await until(lambda: b.asked)
        b.update(statuses(replace(A, attributes={"memory": 2})))
        b.may_answer.set()
        await b.allocate("a")

        assert len(b.asked) >= 2


@pytest.mark.parametrize("fault", [lambda: 1 / 0, lambda: None], ids=["raises", "none"])
async def test_a_failed_answer_is_not_remembered(fault: Callable[[], object]) -> None:
    """P14: a backend that could not answer is asked again by the next request."""
    async with bench() as b:
        b.fault = fault
        b.update(statuses(A))
        with pytest.raises(BackendBug, match=r"devbay-widget 1\.2: edit "):
            await b.allocate("a")
        b.fault = None

        assert await b.allocate("a") == given("a")


async def test_a_slow_backend_is_cut_off() -> None:
    """P14: a request whose backend does not answer fails at the deadline, and later ones fail at once."""
    async with bench(deadline=0.03) as b:
        b.update(statuses(A, B))
        b.may_answer.clear()
        for ids in (["a", "b"], ["b", "a"]):
            with pytest.raises(CallTimeout, match=r"devbay-widget 1\.2: edit did not"):
                await b.allocate(*ids)


async def test_what_is_asked_for_is_in_use() -> None:
    """P10: devices that a request names, and those that a preference could name, count as in use from then on."""
    async with bench(rule=shared(2)) as b:
        await b.offer(A, B, C)
        await b.allocate("b::0", "a::1")
        b.service.prefer(["c::0", "c::1", "a::0"], ["b::0"], 2)
        await b.service.prepare(["c::0"])

        assert b.in_use == [["b::0", "a::1"], ["c::0", "c::1", "a::0", "b::0"], ["c::0"]]
        assert b.given == [["b::0", "a::1"]]


async def test_prefer() -> None:
    """P15: the preference knows the devices' NUMA nodes."""
    async with bench() as b:
        b.update(statuses(replace(A, numa_nodes=(0,)), replace(B, numa_nodes=(1,)), replace(C, numa_nodes=(1,))))

        assert list(b.service.prefer(["a", "b", "c"], [], 2)) == ["b", "c"]
        assert list(b.service.prefer(["unknown"], [], 2)) == ["unknown"]


async def test_a_slow_affinity_is_left_alone_for_a_while() -> None:
    """P3, P15: after an `affinity` past its deadline the same devices, changed or not, are left alone for minutes."""
    async with bench(kind=PairingBench) as b:
        b.update(statuses(A, B, C))
        await until(lambda: "affinity" in b.service.runner.calls.read())  # given up
        b.may_pair.set()
        await until(lambda: not b.service.runner.stuck)
        b.update(statuses(replace(A, attributes={"memory": 2}), B, C))
        await b.allocate("a")
        await b.service.runner.affinities(())  # whatever is asked before this was asked when it returns
        assert b.pairs == ["ab"]
        b.update(statuses(A, B))
        await until(lambda: len(b.pairs) > 1)

        assert b.pairs == ["ab", "ab"]


async def test_a_slow_affinity_is_asked_again() -> None:
    """P3, P15: how close devices are is known once a backend that was too slow for it answers."""
    async with bench(kind=PairingBench, rest=0.01) as b:
        b.update(statuses(A, B, C))
        await until(lambda: b.service.runner.stuck)
        b.may_pair.set()

        await until(lambda: list(b.service.prefer(["a", "b", "c"], [], 2)) == ["b", "c"])


async def test_prepare() -> None:
    """P14, P16: the backend makes ready the devices behind the ids, once each, healthy or not: the pod has them."""
    async with bench(rule=shared(2)) as b:
        await b.offer(A, B)
        b.update([*statuses(A, health=HOT), *statuses(B)])
        await b.service.prepare(["b::1", "a::0", "b::0"])

        assert b.prepared == [(RESOURCE, "b,a")]
        assert b.service.prepares


async def test_prepare_of_an_unknown_device() -> None:
    """P14: what is not known cannot be made ready, and the text names it."""
    async with bench() as b:
        with pytest.raises(UnknownDevice, match="has no device 'a'"):
            await b.service.prepare(["a"])


async def test_a_backend_that_does_not_prepare() -> None:
    """The hook's presence is the announcement: without it nothing is announced, and nothing is asked."""
    async with bench(kind=Bench) as b:
        await b.offer(A)
        await b.service.prepare(["a"])

        assert (b.service.prepares, b.prepared) == (False, [])


async def test_close_stops_asking_ahead() -> None:
    """P22: a service that was closed asks nothing more."""
    async with bench() as b:
        b.may_answer.clear()
        b.update(statuses(A, B, C))
        await until(lambda: b.asked)
        b.service.close()
        b.may_answer.set()
        await b.allocate("c")

        assert b.asked == ["a", "c"]
