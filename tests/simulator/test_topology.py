"""Behaviour 49 in its pure parts: which hints a resource gives, and what a policy makes of hints."""

from itertools import permutations, product

import pytest

from devbay.errors import ConfigError
from devbay.simulator import Behaviour, Container, Kubelet, Pod
from devbay.simulator.admission import request as request_of
from devbay.simulator.allocation import Affinity, Claim, split
from devbay.simulator.devices import Device, DeviceSets
from devbay.simulator.hints import Request, of_request
from devbay.simulator.topology import Hint, Hints, Policy, Topology, merge

R = "example.com/widget"
TWO = (0, 1)


def sets(**nodes: tuple[int, ...]) -> DeviceSets:
    """Return the sets of one resource with these healthy devices."""
    made = DeviceSets()
    made.replace(R, [Device(name, "Healthy", places, bool(places)) for name, places in nodes.items()])
    return made


def hint(*nodes: int, preferred: bool = True) -> Hint:
    """Return a hint."""
    return Hint(frozenset(nodes), preferred)


def hints(devices: DeviceSets, count: int, machine: tuple[int, ...] = TWO, **others: set[str]) -> set[Hint] | None:
    """Return the hints for so many devices, as the set they are."""
    more = {name: frozenset(ids) for name, ids in others.items()}
    found = of_request(Request(resource=R, count=count, **more), devices, machine, all_nodes=False)
    return None if found is None else set(found)


def decide(policy: Policy, given: Hints, machine: tuple[int, ...] = TWO) -> tuple[set[int] | None, bool, bool]:
    """Return what a policy makes of hints: the nodes, whether they are preferred, whether the pod is admitted."""
    best, admitted = merge(Topology(policy, "container", machine), given)
    return None if best.nodes is None else set(best.nodes), best.preferred, admitted


# Hints.


def test_49_without_topology_there_is_no_opinion() -> None:
    """Behaviour 49: a resource of which no device has a NUMA node does not care."""
    assert hints(sets(a=(), b=()), 1) is None


def test_49_a_set_of_nodes_is_a_hint_if_it_has_enough_free_devices() -> None:
    """Behaviour 49: every set of nodes with enough healthy, free devices; preferred where no smaller one could do."""
    devices = sets(a=(0,), b=(0,), c=(1,))

    assert hints(devices, 1) == {hint(0), hint(1), hint(0, 1, preferred=False)}
    assert hints(devices, 2) == {hint(0), hint(0, 1, preferred=False)}
    assert hints(devices, 3) == {hint(0, 1)}


def test_49_preferred_counts_devices_that_cannot_be_had() -> None:
    """Behaviour 49: one node could serve two, were they free and healthy, so two nodes are not preferred."""
    used = sets(a=(0,), b=(0,), c=(1,))
    used.allocated[R] = {"a"}
    sick = sets(a=(0,), b=(0,), c=(1,))
    sick.mark_unhealthy(R)
    sick.healthy[R] = {"b", "c"}

    assert hints(used, 2) == hints(sick, 2) == {hint(0, 1, preferred=False)}


def test_49_too_few_devices_are_an_impossible_request() -> None:
    """Behaviour 49: no hint at all, which is not the same as no opinion."""
    assert hints(sets(a=(0,)), 2) == set()


def test_49_devices_without_topology_are_not_counted() -> None:
    """Behaviour 49: where some devices have a NUMA node, the others lie on none."""
    assert hints(sets(a=(0,), n=()), 1) == {hint(0)}
    assert hints(sets(a=(0,), n=()), 2) == set()


def test_49_a_device_on_two_nodes_counts_on_each() -> None:
    """Behaviour 49: touching a set of nodes is enough."""
    assert hints(sets(a=(0, 1)), 1) == {hint(0), hint(1), hint(0, 1, preferred=False)}


def test_49_reusable_devices_must_be_in_a_hint() -> None:
    """Behaviour 49: what an ended init container held has to be on the nodes of a hint, unless it lies on none."""
    devices = sets(a=(0,), b=(1,), n=())
    devices.allocated[R] = {"a", "n"}

    assert hints(devices, 1, reusable={"a"}) == {hint(0), hint(0, 1, preferred=False)}
    assert hints(devices, 1, reusable={"n"}) == {hint(1), hint(0, 1, preferred=False)}


def test_49_held_devices_give_the_same_hints_again() -> None:
    """Behaviour 49: devices held already give their own hints; held in another number they make it impossible."""
    devices = sets(a=(0,), b=(1,))
    devices.allocated[R] = {"a"}

    assert hints(devices, 1, held={"a"}) == {hint(0), hint(0, 1, preferred=False)}
    assert hints(devices, 2, held={"a"}) == set()


def test_49_unknown_nodes_are_ignored() -> None:
    """Behaviour 49: a NUMA node that the machine does not have gives no hint."""
    assert hints(sets(a=(0,), b=(7,)), 1) == {hint(0)}
    assert hints(sets(b=(7,)), 1) == set()


def test_49_only_nodes_with_devices_are_looked_at_from_1_36() -> None:
    """Behaviour 49: before 1.36 sets with nodes that have no device are hints too, though never preferred."""
    asked = Request(resource=R, count=1)
    devices = sets(a=(0,))

    assert of_request(asked, devices, TWO, all_nodes=False) == (hint(0),)
    assert of_request(asked, devices, TWO, all_nodes=True) == (hint(0), hint(0, 1, preferred=False))


@pytest.mark.parametrize(("version", "all_nodes"), [("1.32", True), ("1.35", True), ("1.36", False), ("1.37", False)])
def test_49_the_release_says_which_nodes_are_looked_at(version: str, *, all_nodes: bool) -> None:
    """Behaviour 49: it is one of the differences between releases."""
    assert Behaviour.of(version).hints_on_all_nodes is all_nodes


# Policies.

FREE = {R: (hint(0), hint(1), hint(0, 1, preferred=False))}


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("best-effort", ({0}, True, True)),
        ("restricted", ({0}, True, True)),
        ("single-numa-node", ({0}, True, True)),
    ],
)
def test_49_the_narrowest_preferred_hint_wins(policy: Policy, expected: object) -> None:
    """Behaviour 49: of equals, the lower node."""
    assert decide(policy, FREE) == expected


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("best-effort", ({0, 1}, True, True)),
        ("restricted", ({0, 1}, True, True)),
        ("single-numa-node", ({0, 1}, False, False)),
    ],
)
def test_49_single_numa_node_wants_one_node(policy: Policy, expected: tuple[set[int], bool, bool]) -> None:
    """Behaviour 49: a request that needs two nodes at best is good enough for restricted only."""
    nodes, preferred, admitted = decide(policy, {R: (hint(0, 1),)})

    assert (preferred, admitted) == expected[1:]
    assert nodes == (None if policy == "single-numa-node" else expected[0])


@pytest.mark.parametrize(
    ("policy", "admitted"), [("best-effort", True), ("restricted", False), ("single-numa-node", False)]
)
def test_49_what_is_not_preferred_is_for_best_effort(policy: Policy, *, admitted: bool) -> None:
    """Behaviour 49: where devices in use spoil the alignment, and where a request cannot be met at all."""
    assert decide(policy, {R: (hint(0, 1, preferred=False),)})[1:] == (False, admitted)
    assert decide(policy, {R: ()})[1:] == (False, admitted)


@pytest.mark.parametrize("policy", ["best-effort", "restricted", "single-numa-node"])
@pytest.mark.parametrize("given", [{}, {R: None}])
def test_49_no_opinion_is_admitted(policy: Policy, given: Hints) -> None:
    """Behaviour 49: without an opinion all nodes are preferred; single-numa-node makes that no nodes at all."""
    assert decide(policy, given) == (None if policy == "single-numa-node" else {0, 1}, True, True)


def test_49_two_resources_must_agree() -> None:
    """Behaviour 49: merged hints are preferred only where all are preferred and the same."""
    left, right = (hint(0), hint(0, 1, preferred=False)), (hint(1), hint(0, 1, preferred=False))

    assert decide("restricted", {"x": left, "y": FREE[R]}) == ({0}, True, True)
    assert decide("restricted", {"x": left, "y": right})[1:] == (False, False)
    assert decide("restricted", {"x": left, "y": (hint(0, 1),)}) == ({0, 1}, False, False)
    assert decide("single-numa-node", {"x": left, "y": right}) == (None, False, False)


def test_49_best_effort_is_as_wide_as_the_neediest_resource() -> None:
    """Behaviour 49: not preferred, the hint has as many nodes as the neediest resource needs, and no more."""
    machine = (0, 1, 2, 3)
    wide = (hint(0, 1), hint(2, 3), hint(0, 1, 2, 3, preferred=False))
    narrow = (hint(1), hint(1, 2, preferred=False), hint(0, 1, 2, 3, preferred=False))

    assert decide("best-effort", {"x": wide, "y": narrow}, machine) == ({0, 1}, False, True)
    assert decide("best-effort", {"x": narrow, "y": (hint(0), hint(0, 1, 2, 3, preferred=False))}, machine) == (
        {0},
        False,
        True,
    )


def test_49_hints_without_a_common_node_leave_all_nodes() -> None:
    """Behaviour 49: where no combination shares a node, it is all nodes, not preferred."""
    assert decide("best-effort", {"x": (hint(0),), "y": (hint(1),)}) == ({0, 1}, False, True)


def keep(now: Hint | None, new: Hint, most: int) -> Hint | None:  # noqa: PLR0911 - the original's cases, one by one
    """Return the better of two merged hints as a kubelet compares them (TM/policy.go:176-322)."""
    if not new.nodes:
        return now
    if now is None or not now.nodes:
        return new
    if now.preferred != new.preferred:
        return now if now.preferred else new
    narrower = min(now, new, key=lambda one: (len(one.nodes or ()), sum(1 << node for node in one.nodes or ())))
    have, get = len(now.nodes), len(new.nodes)
    if now.preferred or have > most:
        return narrower
    if have == most:
        return narrower if get == most else now
    if get > most or get < have:
        return now
    return new if get > have else narrower


def walk(machine: tuple[int, ...], groups: list[tuple[Hint, ...]]) -> Hint:
    """Go through all combinations as a kubelet does, keeping the best so far."""
    most = max(min(len(one.nodes or ()) for one in group) for group in groups)
    best: Hint | None = None
    for chosen in product(*groups):
        sides = [one.nodes or frozenset() for one in chosen]
        preferred = all(one.preferred for one in chosen) and all(side == sides[0] for side in sides)
        best = keep(best, Hint(frozenset(machine).intersection(*sides), preferred), most)
    return best or Hint(frozenset(machine), preferred=False)


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("other", [1, 2, 4])
def test_49_the_best_is_what_a_walk_through_all_combinations_finds(count: int, other: int) -> None:
    """Behaviour 49: computed at once, the best hint is the one a kubelet finds in whatever order it looks."""
    machine = (0, 1, 2, 3)
    one = sets(a=(0,), b=(0,), c=(1,), d=(2,))
    two = sets(w=(3,), x=(3,), y=(2, 3), z=(1,))
    one.allocated[R] = {"b"}
    first, second = hints(one, count, machine), hints(two, other, machine)
    assert first is not None
    assert second is not None
    given: Hints = {"x": tuple(first), "y": tuple(second)}
    best, _ = merge(Topology("best-effort", "container", machine), given)

    for groups in permutations([tuple(first), tuple(second)]):
        assert walk(machine, list(groups)) == best


# The rest of the pure parts.


def test_49_the_split_takes_the_first_of_a_devices_nodes_in_order() -> None:
    """Behaviour 49: chosen nodes before others, node -1 last, whether a plugin sent it or nothing."""
    claim = Claim(pod_uid="u", container="c", resource=R, required=1, numa_nodes=frozenset({1}))
    devices = sets(a=(0, 1), b=(0,), c=(-1,), d=(-1, 0), n=())

    assert split(claim, devices, frozenset("abcdn")) == Affinity(frozenset("a"), frozenset("bd"), frozenset("cn"))


def test_49_a_pod_asks_for_its_greediest_moment() -> None:
    """Behaviour 49: an init container counts with the sidecars that started before it, not with later ones."""

    def container(name: str, count: int, *, sidecar: bool = False) -> Container:
        return Container(name=name, limits={R: count}, restartable=sidecar)

    early = (container("s", 2, sidecar=True), container("i", 3))
    late = (container("i", 3), container("s", 2, sidecar=True))
    app = (container("c", 1), container("d", 1))

    assert request_of(Pod(name="p", init_containers=early, containers=app)) == {R: 5}
    assert request_of(Pod(name="p", init_containers=late, containers=app)) == {R: 4}
    assert request_of(Pod(name="p", init_containers=late[:1], containers=app)) == {R: 3}


@pytest.mark.parametrize(
    ("configured", "message"),
    [
        ({"topology_policy": "fancy"}, 'unknown policy: "fancy"'),
        ({"topology_scope": "node"}, 'unknown scope: "node"'),
        (
            {"topology_policy": "restricted", "numa_nodes": range(9)},
            "unsupported on machines with more than 8 NUMA Nodes",
        ),
    ],
)
def test_49_a_wrong_configuration_is_refused(tmp_path: object, configured: dict[str, object], message: str) -> None:
    """Behaviour 49: in the kubelet's words; with policy none any number of NUMA nodes will do."""
    with pytest.raises(ConfigError) as caught:
        Kubelet(tmp_path, **configured)  # type: ignore[arg-type]  # wrong on purpose

    assert str(caught.value) == message
    assert Topology("none", "container", tuple(range(9))).numa_nodes == tuple(range(9))
