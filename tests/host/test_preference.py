"""Which devices a pod had best get: the kubelet's conditions first, then distinct devices, then one NUMA node (P15)."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbay.model import Device
from devbay.preference import prefer
from devbay.sharing import device_id, replica_ids


def node_of(**numa_nodes: tuple[int, ...]) -> dict[str, Device]:
    """Return devices by id, each close to these NUMA nodes."""
    return {name: Device(id=name, resource="r", numa_nodes=nodes) for name, nodes in numa_nodes.items()}


FOUR_AND_TWO = node_of(a=(0,), b=(0,), c=(0,), d=(0,), x=(1,), y=(1,))
NAMES = [f"d{n}" for n in range(6)]
DEVICES = st.fixed_dictionaries({}, optional={name: st.sampled_from([(), (0,), (1,), (0, 1)]) for name in NAMES}).map(
    lambda nodes: node_of(**nodes)
)
SHARES = [share for name in NAMES for share in (name, *replica_ids(name, 3))]
IDS = st.lists(st.sampled_from([*SHARES, "", "::", "unknown", "d0::x::y"]), max_size=12)


@given(DEVICES, IDS, IDS, st.integers(-3, 20))
def test_whatever_is_asked_there_is_an_answer(
    devices: dict[str, Device], available: list[str], must: list[str], size: int
) -> None:
    """P15: it never fails; the must-includes are in it, nothing but them and the available is, nothing twice."""
    answer = prefer(devices, available, must, size)

    assert set(must) <= set(answer) <= {*must, *available}
    assert len(set(answer)) == len(answer)
    assert len(answer) == max(len(set(must)), min(size, len({*must, *available})))


@given(DEVICES, IDS, IDS, st.integers(0, 12), st.randoms())
def test_the_same_question_gets_the_same_answer(
    devices: dict[str, Device], available: list[str], must: list[str], size: int, chance: random.Random
) -> None:
    """P15: the order in which the kubelet names the available devices decides nothing."""
    shuffled = list(available)
    chance.shuffle(shuffled)

    assert prefer(devices, shuffled, must, size) == prefer(devices, available, must, size)


@given(DEVICES, st.lists(st.sampled_from(SHARES), unique=True), st.integers(0, 20))
def test_shares_are_spread_over_devices(devices: dict[str, Device], available: list[str], size: int) -> None:
    """P15, P16: no device gives a second share while another one has a free one."""
    answer = prefer(devices, available, [], size)
    taken = Counter(device_id(share) for share in answer)
    left = {device_id(share) for share in set(available) - set(answer)}

    assert all(taken[one] <= taken[other] + 1 for one in taken for other in left)


@given(st.dictionaries(st.sampled_from(NAMES), st.sampled_from([(0,), (1,), (2,)]), min_size=1), st.integers(1, 6))
def test_one_numa_node_where_one_suffices(nodes: dict[str, tuple[int, ...]], size: int) -> None:
    """P15: where a NUMA node has enough devices the set comes from one, and from the one that it fills best."""
    room = Counter(node for (node,) in nodes.values())
    enough = [count for count in room.values() if count >= size]
    if not enough:
        return
    used = {nodes[share] for share in prefer(node_of(**nodes), sorted(nodes), [], size)}

    assert len(used) == 1
    assert room[used.pop()[0]] == min(enough)


@pytest.mark.parametrize(
    ("must", "size", "answer"),
    [
        pytest.param([], 1, ("x",), id="one-leaves-the-roomy-node-whole"),
        pytest.param([], 2, ("x", "y"), id="best-fit"),
        pytest.param([], 3, ("a", "b", "c"), id="the-only-node-that-suffices"),
        pytest.param(["b"], 2, ("b", "a"), id="with-the-must-include"),
        pytest.param(["y"], 2, ("y", "x"), id="with-the-other-must-include"),
        pytest.param(["y"], 3, ("y", "a", "x"), id="must-include-too-small"),
        pytest.param([], 5, ("a", "b", "c", "d", "x"), id="fullest-first-when-none-suffices"),
        pytest.param([], 6, ("a", "b", "c", "d", "x", "y"), id="all"),
        pytest.param([], 7, ("a", "b", "c", "d", "x", "y"), id="more-than-there-are"),
        pytest.param([], 0, (), id="none"),
        pytest.param([], -1, (), id="fewer-than-none"),
        pytest.param(["c", "a"], 1, ("c", "a"), id="more-must-than-size"),
        pytest.param(["c", "c"], 2, ("c", "a"), id="must-twice"),
        pytest.param(["elsewhere"], 2, ("elsewhere", "x"), id="must-not-available"),
    ],
)
def test_four_devices_here_and_two_there(must: list[str], size: int, answer: tuple[str, ...]) -> None:
    """P15: the choice on a node with four devices at NUMA node 0 and two at node 1."""
    assert prefer(FOUR_AND_TWO, "abcdxy", must, size) == answer


def test_unknown_topology() -> None:
    """P15, P17: without NUMA nodes the first ids are as good as any."""
    assert prefer(node_of(a=(), b=(), c=()), ["c", "b", "a"], [], 2) == ("a", "b")


def test_must_includes_count_as_taken() -> None:
    """P15: a device that already gives a share to this container comes last."""
    assert prefer(node_of(a=(0,), b=(1,)), ["a::1", "a::2", "b::0"], ["a::0"], 3) == ("a::0", "b::0", "a::1")


def test_ten_thousand_shares_are_no_stall() -> None:
    """P15: a request for many of very many shares is answered without trying every one against every other."""
    devices = node_of(**{f"d{n}": (n % 2,) for n in range(16)})
    available = [share for name in devices for share in replica_ids(name, 625)]

    answer = prefer(devices, available, [], 5000)

    assert set(Counter(device_id(share) for share in answer).values()) == {312, 313}
