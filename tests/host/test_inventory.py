"""What is known about the devices: who may come back, who may be dropped, and what counts as a change."""

from collections.abc import Collection
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbay import inventory
from devbay.contract import Rejection
from devbay.holders import Occupancy
from devbay.inventory import NOTHING_KNOWN, Change, DeviceStatus, HealthPolicy, Inventory, Key
from devbay.model import HEALTHY, Device, Health, unhealthy

RESOURCE = "example.com/widget"
POLICY = HealthPolicy(flap_limit=3, flap_window=300, recovery_hold=30, keep_lost=600, keep_allocated=60, looks=2)
HOT = unhealthy("too hot")
GONE = unhealthy("gone: the last look did not find it; listed while a pod may hold it")
RECOVERING = unhealthy("recovering: failed 3 times in 300 s, so it must stay healthy for 30 s first")
NOBODY: frozenset[Key] = frozenset()


def widget(name: str = "w0", resource: str = RESOURCE, **fields: object) -> Device:
    """Return a device."""
    return replace(Device(id=name, resource=resource), **fields)  # type: ignore[arg-type]  # named as its fields are


def key(name: str = "w0") -> Key:
    """Return what a widget is known by."""
    return Key(RESOURCE, name)


class Bench:
    """An inventory that is told of looks, one after the other."""

    def __init__(self, policy: HealthPolicy = POLICY) -> None:
        self.now = Inventory(policy=policy)
        self.rejected: tuple[Rejection, ...] = ()

    def look(
        self,
        at: float,
        *found: Device,
        health: Health = HEALTHY,
        by: str = "a",
        held: Collection[Key] | None = None,
        known: Occupancy[Key] = NOTHING_KNOWN,
    ) -> "Bench":
        """Take in a look of backend `by` that found these devices, all with one health.

        `held` is who holds devices by the kubelet's word, None while it is silent; `known` is what is known then.
        """
        pairs = [(device, health) for device in found]
        occupancy = known if held is None else Occupancy(held=frozenset(held), complete=True)
        self.now, self.rejected = inventory.observe(self.now, by, pairs, at, occupancy)
        return self

    def fail(self, at: float, reason: str = "does not answer", by: str = "a") -> "Bench":
        """Take in that a backend could not be asked."""
        self.now = inventory.fail(self.now, by, reason, at)
        return self

    def allocate(self, at: float, *names: str) -> "Bench":
        """Take in that devices are given to a pod."""
        self.now = inventory.allocated(self.now, RESOURCE, names, at)
        return self

    @property
    def health(self) -> dict[str, Health]:
        """The health that is reported, by device id."""
        return {status.device.id: status.health for status in self.now.snapshot}

    @property
    def number(self) -> int:
        """The snapshot's number."""
        return self.now.snapshot.number


def flapping(times: int, every: float = 10) -> Bench:
    """Return a bench on which w0 was healthy and failed so often, the last time at ``every * times``."""
    bench = Bench().look(0, widget())
    for n in range(1, times + 1):
        bench.look(every * n - 1, widget()).look(every * n, widget(), health=HOT)
    return bench


# Health.


def test_failure_is_reported_at_once() -> None:
    """P12: the first look that sees a failure reports it, with its reason."""
    assert Bench().look(0, widget()).look(1, widget(), health=HOT).health == {"w0": HOT}


def test_a_single_failure_is_forgiven_at_once() -> None:
    """P12: recovery is believed at once as long as the device does not flap."""
    assert flapping(2).look(21, widget()).health == {"w0": HEALTHY}


def test_a_flapping_device_is_held_back() -> None:
    """P12: the third failure within the window has to be followed by a healthy while, and the reason says so."""
    assert flapping(3).look(31, widget()).health == {"w0": RECOVERING}


@pytest.mark.parametrize(("after", "health"), [(29.9, RECOVERING), (30, HEALTHY), (1000, HEALTHY)])
def test_a_flapping_device_comes_back(after: float, health: Health) -> None:
    """P12: a device that flapped is offered again after it was healthy for `recovery_hold`, to the second."""
    assert flapping(3).look(100, widget()).look(100 + after, widget()).health == {"w0": health}


def test_the_hold_starts_anew_with_each_failure() -> None:
    """P12: a break in the healthy while counts from the end of the break."""
    bench = flapping(3).look(100, widget()).look(120, widget(), health=HOT).look(121, widget())

    assert bench.look(140, widget()).health == {"w0": RECOVERING}
    assert bench.look(151, widget()).health == {"w0": HEALTHY}


def test_old_failures_are_forgotten() -> None:
    """P12: failures that are further apart than the window are no flapping."""
    assert flapping(5, every=150).look(751, widget()).health == {"w0": HEALTHY}


def test_staying_unhealthy_is_one_failure() -> None:
    """P12: a device that is seen failed ten times has failed once."""
    bench = Bench().look(0, widget())
    for second in range(10):
        bench.look(second + 1, widget(), health=HOT)

    assert bench.look(20, widget()).health == {"w0": HEALTHY}


def test_found_unhealthy() -> None:
    """P12: a device that is unhealthy from the start has not failed, and recovers at once."""
    bench = Bench().look(0, widget(), health=HOT)

    assert bench.health == {"w0": HOT}
    assert bench.look(1, widget()).health == {"w0": HEALTHY}


def test_the_latest_reason_counts() -> None:
    """P12: a reason that changes is reported, though the device was unhealthy before."""
    bench = Bench().look(0, widget(), health=HOT).look(1, widget(), health=unhealthy("on fire"))

    assert bench.health == {"w0": unhealthy("on fire")}


def test_a_backend_that_cannot_be_asked_has_no_healthy_devices() -> None:
    """P3: all devices of a backend that fails turn unhealthy with its reason, and come back with its answer."""
    bench = Bench().look(0, widget("w0"), widget("w1")).fail(1)

    assert bench.health == dict.fromkeys(["w0", "w1"], unhealthy("does not answer"))
    assert bench.look(2, widget("w0"), widget("w1")).health == {"w0": HEALTHY, "w1": HEALTHY}


def test_a_failing_backend_leaves_others_alone() -> None:
    """P3: another backend's devices stay as they are, down to the very objects."""
    bench = Bench().look(0, widget("w0")).look(0, widget("g0", "example.com/gadget"), by="b")
    before = bench.now.snapshot.resources["example.com/gadget"]

    assert bench.fail(1).now.snapshot.resources["example.com/gadget"] == before
    assert bench.look(2, by="a").now.snapshot.resources["example.com/gadget"] == before


def test_a_failing_backend_loses_nothing() -> None:
    """P10: not being able to look is no look without the device: nothing is dropped, however long it lasts."""
    bench = Bench().look(0, widget())
    for hour in range(100):
        bench.fail(3600.0 * hour)

    assert bench.health == {"w0": unhealthy("does not answer")}


# Devices that vanish.


def test_a_lost_device_is_unhealthy_first() -> None:
    """P10: the first look without a device turns it unhealthy; even if nobody holds it, it is still listed."""
    assert Bench().look(0, widget()).look(1000, held=NOBODY).health == {"w0": GONE}


def test_a_lost_device_that_nobody_holds_is_dropped_at_the_second_look() -> None:
    """P10: where the kubelet says that no one holds it, two looks in a row are enough."""
    bench = Bench().look(0, widget()).look(10, held=NOBODY).look(20, held=NOBODY)

    assert bench.now.snapshot.resources == {}
    assert bench.now.tracked == {}


def test_a_lost_device_that_is_held_stays() -> None:
    """P10: as long as a pod holds it, it is listed, whatever time passes; then it goes."""
    bench = Bench().look(0, widget())
    for day in range(1, 10):
        bench.look(86400.0 * day, held={key()})

    assert bench.health == {"w0": GONE}
    assert bench.look(900_000, held={key("w1")}).health == {}


def test_looks_in_a_row() -> None:
    """P10: a look that finds the device again starts the count anew, and it is as healthy as it was found."""
    bench = Bench().look(0, widget()).look(10, held=NOBODY).look(20, widget(), held=NOBODY)

    assert bench.health == {"w0": HEALTHY}
    assert bench.look(30, held=NOBODY).health == {"w0": GONE}


@pytest.mark.parametrize(("second", "listed"), [(609.9, {"w0": GONE}), (610, {})])
def test_without_the_kubelets_word_only_time_counts(second: float, listed: dict[str, Health]) -> None:
    """P10: where pod-resources cannot be read, a lost device is kept for `keep_lost` after the look that missed it."""
    assert Bench().look(0, widget()).look(10).look(20).look(second).health == listed


def test_a_silence_lets_nobody_go() -> None:
    """P10: a lost device that is known to be held stays through any silence of the kubelet, however long it is lost."""
    bench = Bench().look(0, widget()).look(10, held={key()}).look(20, held={key()})
    for day in range(1, 10):
        assert bench.look(86400.0 * day, known=Occupancy(held=frozenset({key()}), spoken_at=20)).health == {"w0": GONE}


@pytest.mark.parametrize(("second", "listed"), [(5599.9, {"w0": GONE}), (5600, {})])
def test_time_counts_from_the_kubelets_last_word(second: float, listed: dict[str, Health]) -> None:
    """P10: a device lost long ago that may be held is kept for `keep_lost` from the kubelet's last word on."""
    bench = Bench().look(0, widget()).look(10, held={key()}).look(5000, held={key()})

    assert bench.look(second, known=Occupancy(spoken_at=5000)).health == listed


def test_what_is_held_and_was_never_found_is_listed() -> None:
    """P10: a device that vanished while the host was down, and is held, is listed as gone until nobody holds it."""
    bench = Bench().look(0, widget("w1"))
    bench.now = inventory.recall(bench.now, {key("w0"), key("w1"), Key("other.com/thing", "t")}, 5)

    assert bench.health == {"w0": GONE, "w1": HEALTHY}
    assert inventory.recall(bench.now, {key("w0"), key("w1")}, 6) is bench.now
    assert bench.look(10, widget("w1"), held={key("w0")}).health == {"w0": GONE, "w1": HEALTHY}
    bench.look(20, widget("w1"), held={key("w0")})
    assert bench.look(30, widget("w1"), held=NOBODY).health == {"w1": HEALTHY}


def test_what_was_thought_gone_is_found() -> None:
    """P10: a held device that is found after all is as healthy as its backend says."""
    bench = Bench().look(0, widget("w1"))
    bench.now = inventory.recall(bench.now, {key("w0")}, 5)

    assert bench.look(10, widget("w0"), widget("w1")).health == {"w0": HEALTHY, "w1": HEALTHY}


@pytest.mark.parametrize(("second", "listed"), [(64.9, {"w0": GONE}), (65, {})])
def test_an_allocation_keeps_a_lost_device(second: float, listed: dict[str, Health]) -> None:
    """P10: for a minute after an allocation named it, nobody's word drops a device: one under way shows nowhere."""
    bench = Bench().look(0, widget()).allocate(5, "w0").look(10, held=NOBODY).look(20, held=NOBODY)

    assert bench.look(second, held=NOBODY).health == listed


def test_an_allocation_of_a_lost_device_keeps_it_too() -> None:
    """P10: an allocation that comes between two looks without the device counts as well."""
    bench = Bench().look(0, widget()).look(10, held=NOBODY).allocate(15, "w0")

    assert bench.look(20, held=NOBODY).health == {"w0": GONE}


def test_allocations_are_forgotten_in_time() -> None:
    """What is remembered of allocations does not grow with their number."""
    bench = Bench()
    for second in range(1000):
        bench.allocate(second, f"w{second}")

    assert len(bench.now.allocated_at) == POLICY.keep_allocated


def test_vanishing_counts_as_failing() -> None:
    """P12: a device that comes and goes flaps, as one whose health does."""
    bench = Bench().look(0, widget())
    for n in range(1, 4):
        bench.look(10 * n, held={key()}).look(10 * n + 5, widget())

    assert bench.health == {"w0": RECOVERING}


EVENTS = st.lists(
    st.tuples(st.floats(0, 40), st.sampled_from(["found", "unhealthy", "missed", "freed", "failed", "allocated"])),
    max_size=40,
)


@given(EVENTS)
def test_nothing_drops_a_device_too_soon(events: list[tuple[float, str]]) -> None:
    """P10: whatever happens, a device is dropped only 60 s after an allocation, and after two looks in a row."""
    bench, now, allocated_at, missed = Bench().look(0, widget()), 0.0, -1000.0, 0
    for pause, event in events:
        now += pause
        missed = {"missed": missed + 1, "freed": missed + 1, "found": 0, "unhealthy": 0}.get(event, missed)
        match event:
            case "found":
                bench.look(now, widget())
            case "unhealthy":
                bench.look(now, widget(), health=HOT)
            case "missed":
                bench.look(now)
            case "freed":
                bench.look(now, held=NOBODY)
            case "failed":
                bench.fail(now)
            case "allocated":
                bench.allocate(now, "w0")
                allocated_at = now

        if not bench.health:
            assert (now - allocated_at >= 60, missed >= 2) == (True, True)
            return
        assert bool(bench.health["w0"]) <= (event in ("found", "allocated"))


# Whose a resource is.


def test_a_resource_has_one_owner() -> None:
    """P1: the second backend that offers a resource gets a rejection that names the first; the first is unharmed."""
    bench = Bench().look(0, widget("w0"), by="a").look(1, widget("w9"), widget("g0", "example.com/gadget"), by="b")

    reason = f"resource {RESOURCE} is offered by backend 'a' already; give one of them another name"
    assert bench.rejected == (Rejection("w9", reason),)
    assert bench.health == {"w0": HEALTHY, "g0": HEALTHY}


def test_a_resource_without_devices_is_free() -> None:
    """P1: once the first backend's devices are gone, another one may offer the resource."""
    bench = Bench().look(0, widget("w0"), by="a").look(1, held=NOBODY).look(2, held=NOBODY)

    assert bench.look(3, widget("w9"), by="b").rejected == ()
    assert [status.backend for status in bench.now.snapshot] == ["b"]


def test_a_device_that_moves_to_another_resource() -> None:
    """P10: to the kubelet it is another device: the new one is offered, the old one goes as any lost one does."""
    moved = widget("w0", "example.com/other")
    bench = Bench().look(0, widget("w0")).look(1, moved, held=NOBODY)

    assert [(s.device.resource, s.health) for s in bench.now.snapshot] == [
        ("example.com/other", HEALTHY),
        (RESOURCE, GONE),
    ]
    assert list(bench.look(2, moved, held=NOBODY).now.snapshot.resources) == ["example.com/other"]


def test_a_lost_device_is_described_as_it_was_last_seen() -> None:
    """P10: the nodes of a device that a pod may hold stay known."""
    bench = Bench().look(0, widget(paths=("/dev/old",))).look(1, widget(paths=("/dev/new",))).look(2)

    assert [status.device.paths for status in bench.now.snapshot] == [("/dev/new",)]


# Snapshots.


def test_the_number_changes_with_the_content_alone() -> None:
    """P9: a look that finds nothing new leaves the snapshot the same object; what changes anything gives a new one."""
    bench = Bench().look(0, widget(), health=HOT)
    first = bench.now.snapshot

    assert first.number == 1
    assert bench.look(1, widget(), health=HOT).now.snapshot is first
    assert bench.allocate(2, "w0").now.snapshot is first
    assert bench.look(3, widget()).number == 2


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(widget(attributes={"memory": 1}), id="attribute"),
        pytest.param(widget(numa_nodes=(0,)), id="numa"),
        pytest.param(widget(paths=("/dev/other",)), id="path"),
        pytest.param(widget(parent="p"), id="parent"),
    ],
)
def test_every_part_of_a_device_is_content(other: Device) -> None:
    """P9: a device that is described otherwise is news."""
    assert Bench().look(0, widget()).look(1, other).number == 2


def test_devices_are_sorted() -> None:
    """P9: a resource's devices are in the order of their ids, however they were found."""
    bench = Bench().look(0, widget("w2"), widget("w10"), widget("w1"))

    assert [status.device.id for status in bench.now.snapshot.resources[RESOURCE]] == ["w1", "w10", "w2"]


def test_difference() -> None:
    """P9: what is new, what changed and what is gone, and nothing else, sorted."""
    bench = Bench().look(0, widget("same"), widget("gone"), widget("hot"))
    before = bench.now.snapshot
    bench.look(1, widget("new"), widget("same"), widget("hot"), held=NOBODY)
    bench.look(2, widget("new"), widget("same"), held=NOBODY)
    after = bench.now.snapshot

    def status(name: str, health: Health) -> DeviceStatus:
        return DeviceStatus(device=widget(name), backend="a", health=health)

    assert inventory.difference(before, after) == (
        Change(status("gone", HEALTHY), None),
        Change(status("hot", HEALTHY), status("hot", GONE)),
        Change(None, status("new", HEALTHY)),
    )


NAMES = st.frozensets(st.sampled_from(["w0", "w1", "w2"]))


@given(st.lists(st.tuples(NAMES, NAMES)))
def test_numbers_and_differences_agree(looks: list[tuple[frozenset[str], frozenset[str]]]) -> None:
    """P9: the number grows by one exactly where the difference is not empty, and equal content has no difference."""
    bench = Bench()
    for at, (healthy, hot) in enumerate(looks):
        before = bench.now.snapshot
        pairs = [(widget(name), HEALTHY) for name in healthy - hot] + [(widget(name), HOT) for name in hot]
        bench.now, _ = inventory.observe(bench.now, "a", pairs, at, Occupancy(complete=True))
        after = bench.now.snapshot

        assert after.number - before.number == bool(inventory.difference(before, after))
        assert inventory.difference(after, after) == ()


def test_failures_are_counted_also_while_a_device_is_held_back() -> None:
    """P12, P21: each turn from healthy to unhealthy counts, once, for as long as the device is listed."""

    def failures(bench: Bench) -> list[int]:
        return [status.failures for status in bench.now.snapshot]

    bench = flapping(5)
    assert failures(bench) == [5]
    assert failures(bench.look(51, widget(), health=unhealthy("hotter still"))) == [5]
    assert failures(bench.look(52, widget())) == [5]  # recovering, so reported unhealthy all the while
    assert failures(bench.look(53, widget(), health=HOT)) == [6]
    assert failures(Bench().look(0, widget(), health=HOT)) == [0]


def test_resources_without_end_are_refused() -> None:
    """P3: a backend that finds a new resource at every look gets as many as anybody needs; those it has stay."""
    bench = Bench()
    for n in range(inventory.MOST_RESOURCES + 5):
        bench.look(n, widget("w", f"example.com/w{n}"))
    assert len(bench.now.snapshot.resources) == inventory.MOST_RESOURCES
    assert "one more than the 256 that a backend may have" in bench.rejected[0].reason

    assert bench.look(300, widget("x", "example.com/w0")).rejected == ()
