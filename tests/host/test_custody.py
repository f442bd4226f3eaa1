"""Who holds what: whose devices are released, when, and what may be in use, by cases and against a model kubelet."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from devbay import custody, sharing
from devbay.custody import Custody, CustodyPolicy, Release
from devbay.holders import Container, Holders, Look, Occupancy, Replica

WIDGET = "example.com/widget"
SLICE = "example.com/slice.shared"
NODE = "node-a"
PLAIN = Container("kube-system", "plain", "c")
STATIC = Container("kube-system", f"etcd-{NODE}", "etcd")
A, B, C = (Container("default", f"pod-{name}", "main") for name in "abc")
AT_ONCE = CustodyPolicy(settle=0, keep_unseen=600, node=NODE)


def widgets(*ids: str) -> frozenset[Replica]:
    """Return whole devices."""
    return frozenset(Replica(WIDGET, name) for name in ids)


def slices(*ids: str) -> frozenset[Replica]:
    """Return shares of devices."""
    return frozenset(Replica(SLICE, name) for name in ids)


def release(
    container: Container | None, *devices: str, resource: str = WIDGET, taken_by: Container | None = None
) -> Release:
    """Return a release."""
    return Release(resource=resource, devices=devices, container=container, taken_by=taken_by)


class Bench:
    """A custody that is told of events, and what was due at the last of them."""

    def __init__(self, policy: CustodyPolicy = AT_ONCE) -> None:
        self.now = Custody(policy=policy)
        self.due: tuple[Release, ...] = ()

    def look(
        self,
        at: float,
        held: dict[Container, frozenset[Replica]] | None = None,
        kubelet: int = 1,
        *,
        plain: bool = True,
    ) -> "Bench":
        """Take in an answer that lists these containers, and a pod of the API server unless told otherwise."""
        containers = {PLAIN: frozenset[Replica]()} if plain else {}
        answer = Look(holders=Holders(containers=containers | (held or {})), kubelet=kubelet, asked=at)
        self.now, self.due = custody.look(self.now, answer)
        return self

    def silence(self) -> "Bench":
        """Take in that the kubelet did not answer."""
        self.now, self.due = custody.look(self.now, None)
        return self

    def allocate(self, at: float, *ids: str, resource: str = WIDGET) -> "Bench":
        """Take in an Allocate."""
        self.now, self.due = custody.allocated(self.now, resource, ids, at)
        return self

    def restart(self) -> "Bench":
        """Take in that the kubelet restarted."""
        self.now = custody.restarted(self.now)
        return self


# What is held.


def test_the_answer_can_be_asked_both_ways() -> None:
    """P10: who holds an id, and what a container holds, are one look-up each; what is not listed is held by no one."""
    holders = Holders(containers={A: widgets("w0", "w1"), PLAIN: frozenset()})

    assert holders.holder(WIDGET, "w1") == A
    assert holders.holder(WIDGET, "w2") is None
    assert holders.held_by(A) == widgets("w0", "w1")
    assert holders.held_by(B) == frozenset()


def test_an_id_that_two_are_said_to_hold_has_one_holder() -> None:
    """P10: whatever order a confused kubelet lists two holders in, it is the same one that is meant."""
    first = Holders(containers={A: widgets("w0"), B: widgets("w0")})
    second = Holders(containers={B: widgets("w0"), A: widgets("w0")})

    assert first.holder(WIDGET, "w0") == second.holder(WIDGET, "w0") == A


def test_nothing_can_be_told_without_an_answer() -> None:
    """P10: before the first answer nobody can tell what is held, though an Allocate was seen."""
    assert Bench().now.held is None
    assert Bench().allocate(1, "w0").now.held is None


def test_a_settled_kubelet_is_believed() -> None:
    """P10: what its answer shows is held, and nothing else."""
    assert Bench().look(0, {A: widgets("w0")}).now.held == widgets("w0")


def test_silence_ends_what_can_be_told() -> None:
    """P10: while the kubelet is silent nobody can tell what is held; its next answer counts at once."""
    bench = Bench().look(0, {A: widgets("w0")}).silence()

    assert bench.now.held is None
    assert bench.look(20, {A: widgets("w0")}).now.held == widgets("w0")


def test_silence_ends_nothing_that_was_seen() -> None:
    """P10: what a look has shown is in use through a silence and a restart; what only an Allocate named need not be."""
    bench = Bench(SETTLING).look(0, {A: widgets("w0")}).look(60, {A: widgets("w0")}).look(70, {A: widgets("w0")})
    assert bench.now.occupancy == Occupancy(held=widgets("w0"), complete=True, spoken_at=70)
    bench.allocate(75, "w1")
    assert bench.now.occupancy == Occupancy(held=widgets("w0", "w1"), complete=True, spoken_at=70)

    known = Occupancy(held=widgets("w0"), complete=False, spoken_at=70)
    assert bench.silence().now.occupancy == known
    assert bench.restart().now.occupancy == known
    assert bench.look(90, {}, kubelet=2).now.occupancy == known


def test_an_allocation_counts_at_once() -> None:
    """P10: an id that was given since the last look is held, before a look shows it and after."""
    bench = Bench().look(0).allocate(1, "w0")

    assert bench.now.held == widgets("w0")
    assert bench.look(2, {A: widgets("w0")}).now.held == widgets("w0")


def test_a_look_that_an_allocation_overtook_changes_nothing() -> None:
    """P10: an answer to a question that is older than an Allocate may show neither holder; it is not counted."""
    bench = Bench().look(0, {A: widgets("w0")}).look(10)
    before = bench.allocate(12, "w1").now

    assert bench.look(11).now == before
    assert bench.due == ()


def test_what_was_allocated_and_never_seen_is_held_for_long() -> None:
    """P10: List leaves out init containers: an id that it never showed may be in use until `keep_unseen` is over."""
    bench = Bench().look(0).allocate(1, "w0").look(10).look(20).look(600)

    assert bench.now.held == widgets("w0")
    assert bench.look(601).now.held == frozenset()
    assert bench.due == ()


def test_time_alone_ends_nothing() -> None:
    """P10: after a long silence, an id that was never seen is held until two looks missed it."""
    bench = Bench().look(0).allocate(1, "w0").silence().look(1000)

    assert bench.now.held == widgets("w0")
    assert bench.look(1010).now.held == frozenset()


# Releases.


def test_released_at_the_second_look_without() -> None:
    """P10: one look without a device may be a mistake; the second releases it, once, and it is free by then."""
    bench = Bench().look(0, {A: widgets("w0", "w1")}).look(10)

    assert (bench.due, bench.now.held) == ((), widgets("w0", "w1"))
    bench.look(20)
    assert (bench.due, bench.now.held) == ((release(A, "w0", "w1"),), frozenset())
    assert bench.look(30).due == ()


def test_looks_in_a_row() -> None:
    """P10: a look that shows it again starts the count anew."""
    bench = Bench().look(0, {A: widgets("w0")}).look(10).look(20, {A: widgets("w0")}).look(30)

    assert bench.due == ()
    assert bench.look(40).due == (release(A, "w0"),)


def test_silence_releases_nothing() -> None:
    """P10: a kubelet that does not answer has not said that anybody is gone, however often it is asked."""
    bench = Bench().look(0, {A: widgets("w0")}).look(10)
    for _ in range(5):
        assert bench.silence().due == ()

    assert bench.look(1000).due == (release(A, "w0"),)


@pytest.mark.parametrize("last", [10, 2000])
def test_what_was_never_seen_is_released_when_it_is_given_again(last: int) -> None:
    """P10: a pod between two looks, a rejected one or an init container ends when the kubelet gives its id again.

    Before that no end could be known, however often it is looked: it may be in use.
    """
    bench = Bench().look(0).allocate(1, "w0")
    for at in range(10, last + 1, 10):
        assert bench.look(at).due == ()

    assert bench.allocate(last + 1, "w0").due == (release(None, "w0"),)
    assert bench.look(last + 2, {B: widgets("w0")}).allocate(last + 3, "w0").due == (release(B, "w0"),)


def test_what_was_seen_after_all_is_released_as_what_was_seen() -> None:
    """P10: an id that a look shows long after its Allocate has an end that is known, and one release."""
    bench = Bench().look(0).allocate(1, "w0").look(10).look(700).look(710, {A: widgets("w0")}).look(720).look(730)

    assert bench.due == (release(A, "w0"),)
    assert bench.allocate(740, "w0").due == ()


def test_an_id_given_to_two_containers_of_a_pod_at_once() -> None:
    """P10: an init container's device goes to the next container of its pod: with no look between, nobody has ended."""
    assert Bench().look(0).allocate(1, "w0").allocate(1.1, "w0").due == ()


def test_a_release_that_was_put_off_is_due_again() -> None:
    """P10: what a backend could not be told is due at the next answer, if nobody holds it, and before the next use."""
    bench = Bench().look(0, {A: widgets("w0")}).look(10).look(20)
    (due,) = bench.due
    bench.now = custody.postponed(bench.now, due)

    assert Bench().look(0).look(10).due == ()
    assert bench.silence().due == ()
    assert bench.look(30).due == (due,)
    bench.now = custody.postponed(bench.now, due)
    assert bench.allocate(40, "w0").due == (due,)
    bench.now = custody.postponed(bench.now, due)
    assert bench.look(50, {B: widgets("w0")}).due == ()
    assert bench.look(60).look(70).due == (release(B, "w0"),)


def test_each_container_is_released_by_itself() -> None:
    """P10: what two containers held of two resources is three releases, in a fixed order."""
    bench = Bench().look(0, {A: widgets("w0"), B: widgets("w2", "w1") | slices("s0::0")}).look(10).look(20)

    assert bench.due == (
        release(A, "w0"),
        release(B, "s0", resource=SLICE),
        release(B, "w1", "w2"),
    )


def test_an_allocation_tells_of_the_end_of_the_one_before() -> None:
    """P10: a pod that ended between two looks is released when its device is given again, before that pod's use."""
    bench = Bench().look(0, {A: widgets("w0")}).allocate(5, "w0")

    assert bench.due == (release(A, "w0"),)
    assert bench.look(10, {B: widgets("w0")}).due == ()
    assert bench.look(20).look(30).due == (release(B, "w0"),)


def test_an_allocation_tells_of_all_that_its_holder_had() -> None:
    """P10: who lost one device is gone, and the others that it had are released with it."""
    bench = Bench().look(0, {A: widgets("w0", "w1") | slices("s0::0")}).allocate(5, "w1", "w2")

    assert bench.due == (release(A, "s0", resource=SLICE), release(A, "w0", "w1"))
    assert bench.now.held == widgets("w1", "w2")


def test_a_container_made_anew_under_its_name_keeps_what_is_its_own() -> None:
    """P10: a StatefulSet's pod comes back with another device: the old one is released, and what it has now is not."""
    bench = Bench().look(0, {A: widgets("w0")}).allocate(5, "w1").look(10, {A: widgets("w1")})

    assert bench.due == ()
    assert bench.allocate(15, "w0").due == (release(A, "w0"),)
    assert bench.look(20, {A: widgets("w1"), B: widgets("w0")}).now.held == widgets("w0", "w1")


def test_another_holder_that_no_allocation_told_of() -> None:
    """P10: seen with another holder, given by another host: released at once, and it is said whose it is by now."""
    bench = Bench().look(0, {A: widgets("w0", "w1")}).look(10, {B: widgets("w0")})

    assert bench.due == (release(A, "w0", taken_by=B), release(A, "w1"))
    assert bench.look(20).look(30).due == (release(B, "w0"),)


# Shares.


def test_a_shared_device_is_released_with_its_last_share() -> None:
    """P16: as long as anybody holds a share of a device, it is not released; then it is, once."""
    bench = Bench().look(0, {A: slices("s0::0"), B: slices("s0::1")}).look(10, {B: slices("s0::1")})

    assert bench.look(20, {B: slices("s0::1")}).due == ()
    assert bench.look(30).look(40).due == (release(B, "s0", resource=SLICE),)
    assert bench.look(50).due == ()


def test_an_allocated_share_keeps_its_device() -> None:
    """P16: a share that was given and not seen yet is a share in use; when it is not, what is owed is done."""
    bench = Bench().look(0, {A: slices("s0::0")}).allocate(5, "s0::1", resource=SLICE).look(10).look(20)

    assert bench.due == ()
    assert bench.look(700).due == (release(A, "s0", resource=SLICE),)


def test_the_last_share_given_again() -> None:
    """P16: where the only share in use is given again, the device was free in between, and is released."""
    bench = Bench().look(0, {A: slices("s0::0", "s0::1")}).allocate(5, "s0::0", resource=SLICE)

    assert bench.due == (release(A, "s0", resource=SLICE),)


def test_a_share_given_again_beside_another() -> None:
    """P16: where another share is in use, a share that is given again releases nothing."""
    bench = Bench().look(0, {A: slices("s0::0"), B: slices("s0::1")}).allocate(5, "s0::0", resource=SLICE)

    assert bench.due == ()
    assert bench.look(10, {B: slices("s0::1"), C: slices("s0::0")}).look(20).look(30).due == (
        release(C, "s0", resource=SLICE),
    )


# Kubelets that restart.

SETTLING = CustodyPolicy(settle=60, node=NODE)


def settled() -> Bench:
    """Return a bench on which a kubelet has settled, and A holds w0."""
    return Bench(SETTLING).look(0, {A: widgets("w0")}).look(60, {A: widgets("w0")})


def test_a_first_answer_only_teaches() -> None:
    """P10: a kubelet may have restarted just before we did: what its first answers leave out is not believed."""
    bench = Bench(SETTLING).look(0, {A: widgets("w0")}).look(10).look(20).look(50)

    assert bench.now.held is None
    assert bench.due == ()
    assert bench.look(60).look(70).due == (release(A, "w0"),)


@pytest.mark.parametrize("told", [True, False])
def test_a_restart_is_noticed(told: bool) -> None:  # noqa: FBT001 - pytest gives it by name
    """P10: another kubelet is recognised by its answer, whether somebody told of the restart before or not."""
    bench = settled()
    assert bench.now.held == widgets("w0")
    if told:
        assert bench.restart().now.held is None
    bench.look(70, kubelet=2).look(80, kubelet=2).look(129, kubelet=2)

    assert bench.now.held is None
    assert bench.due == ()
    assert bench.look(130, kubelet=2).look(140, kubelet=2).due == (release(A, "w0"),)


def test_an_empty_answer_after_a_restart_is_a_silence() -> None:
    """P10: without the API server a new kubelet lists nothing, for hours; nobody is released for that."""
    bench = settled()
    for at in range(100, 100_000, 100):
        assert bench.look(at, kubelet=2, plain=False).due == ()

    assert bench.now.held is None
    assert bench.look(100_000, {A: widgets("w0")}, kubelet=2).look(100_060, {A: widgets("w0")}, kubelet=2).now.held == (
        widgets("w0")
    )


def test_static_pods_are_no_sign_of_the_api_server() -> None:
    """P10: nor for an answer with static pods only, which a kubelet has from files: their names end in the node's."""
    bench = settled()
    for at in range(100, 100_000, 100):
        assert bench.look(at, {STATIC: widgets("w1")}, kubelet=2, plain=False).due == ()

    assert bench.now.held is None


def test_a_kubelet_has_settled_when_no_more_pods_come_back() -> None:
    """P10: pods are admitted one after the other: each that comes back with devices starts the waiting anew."""
    two = {A: widgets("w0"), B: widgets("w1")}
    bench = Bench(SETTLING).look(0, two).look(60, two)
    bench.look(100, {}, 2).look(150, {A: widgets("w0")}, 2).look(200, {A: widgets("w0")}, 2).look(205, two, 2)

    assert bench.look(264, two, 2).now.held is None
    assert bench.look(265, two, 2).now.held == widgets("w0", "w1")


def test_an_allocation_is_no_pod_that_comes_back() -> None:
    """P10: pods that are made meanwhile do not keep a kubelet from settling."""
    bench = settled().look(70, kubelet=2).allocate(100, "w1").look(110, {B: widgets("w1"), A: widgets("w0")}, 2)

    assert bench.allocate(150, "w2").look(160, {C: widgets("w2"), A: widgets("w0")}, 2).now.complete_since == 110
    assert bench.look(170, {C: widgets("w2"), A: widgets("w0")}, 2).now.held == widgets("w0", "w1", "w2")


def test_a_restart_begins_the_count_anew() -> None:
    """P10: a look without a device before a restart, and one after it, are no two looks in a row."""
    bench = settled().look(70).look(80, kubelet=2).look(140, kubelet=2)

    assert bench.due == ()
    assert bench.look(150, kubelet=2).due == (release(A, "w0"),)


def test_a_lost_checkpoint_ends_nobody() -> None:
    """P10: a kubelet that lists a container, but forgot its devices over a restart, does not say that it is gone."""
    bench = settled()
    for at in range(100, 1000, 10):
        assert bench.look(at, {A: frozenset()}, kubelet=2).due == ()

    assert bench.now.held == widgets("w0")
    assert bench.look(1000, kubelet=2).look(1010, kubelet=2).due == (release(A, "w0"),)


def test_a_container_listed_with_another_device_is_another() -> None:
    """P10: one that has a device of the same resource after a restart was made anew, and has lost the old one."""
    bench = settled().look(100, {A: widgets("w1")}, 2).look(160, {A: widgets("w1")}, 2)

    assert bench.look(170, {A: widgets("w1")}, 2).due == (release(A, "w0"),)


# Against a model.


@dataclass(eq=False)
class Life:
    """One container, from Allocate to its end.

    Attributes:
        container: its name, which others may have after it.
        holds: what it was given.
        since: when.
        shown: whether List shows it: not so for an init container.
        listed: whether the kubelet has heard of it.
        alive: whether it is there.
        seen: whether the host saw a look with it.
        unreleased: the whole devices and shared devices that are to be released when it has ended.
    """

    container: Container
    holds: frozenset[Replica]
    since: float
    shown: bool
    listed: bool = True
    alive: bool = True
    seen: bool = False
    unreleased: set[tuple[str, str]] = field(default_factory=set)


ALL = sorted(widgets("w0", "w1", "w2") | slices("s0::0", "s0::1", "s0::2", "s1::0"))
POLICY = CustodyPolicy(settle=60, keep_unseen=300, node=NODE)


class Model(RuleBasedStateMachine):
    """A kubelet that knows the truth, and a host that hears what a kubelet tells."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0
        self.kubelet = 0
        self.lives: list[Life] = []
        self.api_server = True
        self.came_back = 0.0
        self.asked: tuple[Look, list[Life]] | None = None
        self.allocated_at = -1.0
        self.state = Custody(policy=POLICY)

    # The truth.

    def alive(self) -> list[Life]:
        """Return the containers that are there."""
        return [life for life in self.lives if life.alive]

    def waiting(self) -> list[Life]:
        """Return those of which the kubelet has not heard yet."""
        return [life for life in self.alive() if not life.listed]

    def tick(self, seconds: float = 0.01) -> None:
        """Let time pass; a kubelet that has heard of its pods takes the next one back before it would have settled."""
        self.time += seconds
        if self.api_server and self.waiting() and self.time - self.came_back >= POLICY.settle:
            for life in self.waiting():
                life.listed = True

    @initialize(late=st.booleans())
    def begin(self, late: bool) -> None:  # noqa: FBT001 - hypothesis gives it by name
        """Start with a kubelet that has just restarted, or with one that has settled."""
        self.api_server = not late
        self.look(times=3, pause=0 if late else POLICY.settle)

    @precondition(lambda self: self.api_server and not self.waiting() and len(self.alive()) < 3)
    @rule(data=st.data(), wish=st.sets(st.sampled_from(ALL), min_size=1), shown=st.sampled_from([True, True, False]))
    def create(self, data: st.DataObject, wish: set[Replica], shown: bool) -> None:  # noqa: FBT001 - as above
        """Make a pod."""
        name = data.draw(st.sampled_from(sorted({A, B, C} - {life.container for life in self.alive()})))
        self.allocate(name, wish, shown=shown)

    @precondition(lambda self: self.api_server and not self.waiting() and self.alive())
    @rule(data=st.data(), wish=st.sets(st.sampled_from(ALL), min_size=1), asked=st.booleans())
    def remake(self, data: st.DataObject, wish: set[Replica], asked: bool) -> None:  # noqa: FBT001 - as above
        """End a pod and make another of its name, perhaps while the kubelet is asked."""
        if asked:
            self.ask()
        old = data.draw(st.sampled_from(self.alive()))
        old.alive = False
        self.allocate(old.container, wish, shown=True)
        if asked:
            self.answer()

    @precondition(lambda self: self.alive())
    @rule(pauses=st.lists(st.sampled_from([0.0, 19.0]), min_size=1, max_size=3))
    def come_back_slowly(self, pauses: list[float]) -> None:
        """Restart the kubelet, and look while it admits one pod after the other."""
        self.restart(at_server=True)
        for pause in pauses:
            self.look(times=3, pause=pause)  # together just less than what it takes to settle
            if self.waiting():
                self.take_back()

    def allocate(self, name: Container, wish: set[Replica], *, shown: bool) -> None:
        """Give a container what is free of what it wishes, and tell of the Allocates."""
        taken = {replica for life in self.alive() for replica in life.holds}
        given = frozenset(wish - taken)
        if not given:
            return
        self.tick()
        life = Life(container=name, holds=given, since=self.time, shown=shown)
        life.unreleased = {(r.resource, sharing.device_id(r.id)) for r in given}
        for resource in sorted({replica.resource for replica in given}):
            self.tick()
            ids = sorted(replica.id for replica in given if replica.resource == resource)
            self.state, due = custody.allocated(self.state, resource, ids, self.time)
            self.allocated_at = self.time
            self.check(due)
        self.lives.append(life)

    @precondition(lambda self: self.alive())
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        """End a pod."""
        data.draw(st.sampled_from(self.alive())).alive = False

    @rule(at_server=st.booleans())
    def restart(self, at_server: bool) -> None:  # noqa: FBT001 - as above
        """Restart the kubelet: it has heard of no pods, and keeps what they hold."""
        self.kubelet += 1
        self.api_server = at_server
        self.came_back = self.time
        for life in self.alive():
            life.listed = False

    @precondition(lambda self: not self.api_server)
    @rule()
    def hear(self) -> None:
        """Let the kubelet hear from the API server."""
        self.api_server = True
        self.came_back = self.time

    @precondition(lambda self: self.api_server and self.waiting())
    @rule()
    def take_back(self) -> None:
        """Admit one pod again, one that List shows: nobody could count the time since another came back."""
        for life in self.waiting():
            life.listed = True
            if life.shown:
                break
        self.came_back = self.time

    # What the host hears.

    @rule()
    def ask(self) -> None:
        """Ask, the answer being under way."""
        self.tick()
        listed = [life for life in self.alive() if life.listed and life.shown]
        containers: dict[Container, frozenset[Replica]] = {STATIC: frozenset()}
        if self.api_server:
            containers[PLAIN] = frozenset()
        containers |= {life.container: life.holds for life in listed}
        self.asked = (Look(holders=Holders(containers=containers), kubelet=self.kubelet, asked=self.time), listed)
        self.tick()

    @precondition(lambda self: self.asked)
    @rule()
    def answer(self) -> None:
        """Deliver the answer that is under way."""
        assert self.asked is not None
        (look, listed), self.asked = self.asked, None
        if look.asked >= self.allocated_at:
            for life in listed:
                life.seen = True
        self.state, due = custody.look(self.state, look)
        self.check(due)

    @rule(times=st.integers(1, 3), pause=st.sampled_from([0.0, 10.0, POLICY.settle, POLICY.keep_unseen]))
    def look(self, times: int, pause: float) -> None:
        """Look some times, with nothing in between but time."""
        for _ in range(times):
            self.ask()
            self.answer()
            self.tick(pause)

    @rule(what=st.sampled_from(["silence", "told of a restart", "a new host"]))
    def disturb(self, what: str) -> None:
        """Let the kubelet be silent, tell of a restart that may or may not have been, or restart the host."""
        self.asked = None
        match what:
            case "silence":
                self.state, due = custody.look(self.state, None)
                assert due == ()
            case "told of a restart":
                self.state = custody.restarted(self.state)
            case _:
                self.state = Custody(policy=POLICY)
                for life in self.lives:
                    life.seen = False
                self.lives = [life for life in self.alive() if life.shown]  # nothing tells a new host of the others

    # The promises.

    def check(self, due: Iterable[Release]) -> None:
        """Hold each release against the truth: nobody holds the device, and somebody's end was not answered yet."""
        for one in due:
            assert one.taken_by is None
            for device in one.devices:
                key = (one.resource, device)
                held = {
                    (r.resource, sharing.device_id(r.id)) for life in self.alive() for r in life.holds if life.shown
                }
                assert key not in held
                ended = [life for life in self.lives if not life.alive and key in life.unreleased]
                if one.container is not None:
                    ended = [life for life in ended if life.seen]
                    assert one.container in {life.container for life in ended}
                assert ended
                for life in ended:
                    life.unreleased.remove(key)

    @invariant()
    def what_is_in_use_is_held(self) -> None:
        """Whatever is in use is in what is said to be held, where anything is said."""
        if (held := self.state.held) is None:
            return
        for life in self.alive():
            if life.shown or self.time - life.since < POLICY.keep_unseen:
                assert life.holds <= held

    def teardown(self) -> None:
        """End all: then each end that was seen has had its release, and nothing is held."""
        for life in self.lives:
            life.alive = False
        self.api_server = True
        self.look(times=2, pause=POLICY.keep_unseen)
        self.look(times=2, pause=0)

        assert [life for life in self.lives if life.seen and life.unreleased] == []
        assert self.state.held == frozenset()
        assert self.state.owed == {}


@pytest.mark.timeout(300)
def test_every_end_is_released_once_and_nothing_in_use_is() -> None:
    """P10: whatever pods, looks, silences and restarts come: no release of what is held, one for each end.

    And what may be in use, where it can be told, has all that is.
    """
    run_state_machine_as_test(Model, settings=settings(max_examples=300, stateful_step_count=30, deadline=None))
