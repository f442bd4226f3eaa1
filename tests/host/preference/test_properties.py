"""What holds for every policy, whatever is asked (P15)."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbay.model import Device
from devbay.preference import Affinity, Policy, explain, prefer
from devbay.sharing import device_id, replica_ids
from tests.host.preference.requests import Request, small

REQUESTS = st.booleans().flatmap(lambda shared: small(shared=shared))
ANY_POLICY = st.sampled_from([None, *Policy])


def node(count: int, families: int, nodes: int, replicas: int) -> tuple[dict[str, Device], list[str]]:
    """Return devices in so many families and near so many NUMA nodes, and their shares; 0 is none."""
    devices = {
        name: Device(
            id=name,
            resource="r",
            numa_nodes=(at % nodes,) if nodes else (),
            parent=f"p{at % families}" if families else None,
        )
        for at, name in enumerate(f"d{n:05}" for n in range(count))
    }
    return devices, [share for name in devices for share in (replica_ids(name, replicas) if replicas else (name,))]


def random_scores(devices: dict[str, Device], seed: int) -> dict[tuple[str, str], float]:
    """Return a score for each pair."""
    chance = random.Random(seed)  # noqa: S311 - the same scores each time
    return {(a, b): chance.random() for a in devices for b in devices if a < b}


@given(REQUESTS, ANY_POLICY)
def test_the_kubelets_conditions_hold(request: Request, policy: Policy | None) -> None:
    """P15: the must-includes come first, then available ids, each once, as many as asked for or as there are."""
    affinity = Affinity.of(request.pairs)
    answer = prefer(request.devices, request.available, request.must, request.size, policy=policy, affinity=affinity)

    assert answer[: len(request.must)] == tuple(request.must)
    assert set(answer[len(request.must) :]) <= set(request.available)
    assert len(set(answer)) == len(answer)
    assert len(answer) == max(len(request.must), min(request.size, len({*request.must, *request.available})))


@given(REQUESTS, ANY_POLICY, st.randoms())
def test_no_order_matters(request: Request, policy: Policy | None, chance: random.Random) -> None:
    """P15: neither the order of the available ids, nor of the devices, nor of the pairs decides anything."""
    available, devices, pairs = list(request.available), list(request.devices.items()), list(request.pairs.items())
    for one in (available, devices, pairs):
        chance.shuffle(one)
    turned = {(b, a): score for (a, b), score in pairs}

    shuffled = prefer(dict(devices), available, request.must, request.size, policy=policy, affinity=Affinity.of(turned))

    assert shuffled == prefer(
        request.devices,
        request.available,
        request.must,
        request.size,
        policy=policy,
        affinity=Affinity.of(request.pairs),
    )


@given(small(shared=True))
def test_distinct_never_skips_a_free_device(request: Request) -> None:
    """P15, P16: under `distinct` no device gives one more share than another that could have given it."""
    answer = prefer(request.devices, request.available, request.must, request.size, policy=Policy.DISTINCT)
    taken = Counter(map(device_id, answer))
    left = set(map(device_id, set(request.available) - set(answer)))
    given = {device_id(share) for share in answer[len(request.must) :]}

    assert all(taken[one] <= taken[other] + 1 for one in given for other in left)


@given(small(shared=True), ANY_POLICY)
def test_the_explanation_is_of_the_answer(request: Request, policy: Policy | None) -> None:
    """P15: what is explained is what is given, each id with a reason."""
    affinity = Affinity.of(request.pairs)
    arguments = request.devices, request.available, request.must, request.size

    explanation = explain(*arguments, policy=policy, affinity=affinity)

    assert explanation.chosen == prefer(*arguments, policy=policy, affinity=affinity)
    assert explanation.missing == max(0, request.size - len(explanation.chosen))
    assert all(pick.reason for pick in explanation.picks)


@pytest.mark.parametrize("policy", Policy)
@pytest.mark.parametrize(
    ("count", "families", "nodes", "replicas"),
    [
        pytest.param(160, 0, 2, 8, id="160x8"),
        pytest.param(20, 0, 2, 64, id="20x64"),
        pytest.param(160, 20, 4, 8, id="160x8 of twenty parents"),
        pytest.param(1280, 10, 2, 0, id="1280 of ten parents"),
        pytest.param(1280, 640, 0, 0, id="1280 of 640 parents"),
        pytest.param(1000, 0, 500, 0, id="500 NUMA nodes"),
        pytest.param(10_000, 500, 2, 0, id="10000 of 500 parents"),
        pytest.param(100, 0, 0, 100, id="100x100"),
    ],
)
def test_very_many_are_answered_all_the_same(
    policy: Policy, count: int, families: int, nodes: int, replicas: int
) -> None:
    """P15: of any number of ids, whole or shared, partly taken, a request of any size is answered."""
    devices, ids = node(count, families, nodes, replicas)
    available = random.Random(1).sample(ids, len(ids) * 2 // 3)  # noqa: S311 - the same each time

    for size in (1, 2, 7, len(available) // 3, len(available) - 1):
        answer = prefer(devices, available, [], size, policy=policy)
        assert len(answer) == len(set(answer) & set(available)) == size


@pytest.mark.parametrize("policy", Policy)
def test_very_many_different_ones_are_answered_all_the_same(policy: Policy) -> None:
    """P15: so are requests for devices that differ in how close they are to each of very many others."""
    devices, ids = node(300, 0, 2, 0)
    affinity = Affinity.of(random_scores(devices, 1))

    for size in (1, 2, 100, 299):
        assert len(set(prefer(devices, ids, [], size, policy=policy, affinity=affinity))) == size
    assert not explain(devices, ids, [], 100, policy=policy, affinity=affinity).exact


@pytest.mark.parametrize("policy", Policy)
@pytest.mark.parametrize("nodes", [0, 2, 8])
@pytest.mark.parametrize("size", range(1, 17))
def test_sixteen_that_all_differ_are_answered_exactly(policy: Policy, size: int, nodes: int) -> None:
    """P15: of sixteen devices, whatever their scores are, each size's answer is the best there is."""
    devices, ids = node(16, 0, nodes, 0)

    assert explain(devices, ids, [], size, policy=policy, affinity=Affinity.of(random_scores(devices, size))).exact


def test_seventy_two_alike_are_answered_exactly() -> None:
    """P15: many devices that are all as close to each other are as quick as few."""
    devices, ids = node(72, 0, 2, 0)
    affinity = Affinity.of({(a, b): 18.0 for a in ids for b in ids if a < b})

    explanation = explain(devices, ids[1:], [], 30, affinity=affinity)

    assert (explanation.exact, explanation.inside, explanation.numa_nodes) == (True, 30 * 29 / 2 * 18, (0,))
