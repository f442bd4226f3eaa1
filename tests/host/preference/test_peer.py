"""Where not everything can be tried, no worse than a plain greedy choice (P15)."""

from itertools import combinations

import pytest

from devbay.preference import Affinity, explain, prefer
from devbay.preference.exact import best
from devbay.preference.greedy import good
from devbay.preference.pool import Pool
from tests.host.preference.test_properties import node, random_scores


def peer(ids: list[str], scores: dict[tuple[str, str], float], size: int) -> list[str]:
    """Choose the best pair, then one by one what is closest to all that was chosen."""
    chosen = list(max(scores.items(), key=lambda one: one[1])[0])
    while len(chosen) < size:
        rest = [one for one in ids if one not in chosen]
        chosen.append(max(rest, key=lambda one: sum(scores[min(one, other), max(one, other)] for other in chosen)))
    return chosen


def inside(ids: list[str], scores: dict[tuple[str, str], float]) -> float:
    """Return the sum over all pairs."""
    return sum(scores[pair] for pair in combinations(sorted(ids), 2))


@pytest.mark.parametrize("size", [3, 5, 10, 20, 33, 39])
@pytest.mark.parametrize("seed", range(8))
def test_no_worse_than_a_greedy_peer(size: int, seed: int) -> None:
    """P15: of forty devices that all differ, those given are as close as those that a greedy choice finds."""
    devices, ids = node(40, 0, 0, 0)
    scores = random_scores(devices, seed)
    answer = prefer(devices, ids, [], size, affinity=Affinity.of(scores))

    assert inside(list(answer), scores) >= inside(peer(ids, scores, size), scores) - 1e-9


@pytest.mark.parametrize("size", [4, 8, 12])
def test_clusters_are_found(size: int) -> None:
    """P15: of a hundred devices in clusters of four, strongly linked, whole clusters are given and left."""
    devices, ids = node(100, 0, 0, 0)
    scores = {(a, b): 100.0 if int(a[1:]) % 25 == int(b[1:]) % 25 else 1.0 for a in ids for b in ids if a < b}
    explanation = explain(devices, ids[3:], [], size, affinity=Affinity.of(scores))

    assert len(explanation.whole) == 25 - 3 - size // 4
    assert len({int(name[1:]) % 25 for name in explanation.chosen}) == size // 4


@pytest.mark.parametrize("seed", range(20))
def test_what_is_built_up_is_no_better_than_the_best(seed: int) -> None:
    """P15: the two ways to choose judge alike: greed never finds more than the search for the best does."""
    devices, ids = node(9, 0, 0, 0)
    scores = random_scores(devices, seed)
    pairs = [[round(1000 * scores.get((min(a, b), max(a, b)), 0)) for b in ids] for a in ids]
    pool = Pool([[seed % 7 * at] for at in range(9)], pairs)

    for wanted in range(1, 9):
        exactly, built = best(pool, wanted), good(pool, wanted)
        assert exactly is not None
        assert sum(exactly) == sum(built) == wanted
        assert pool.value(built) <= pool.value(exactly)
        assert pool.value(exactly) == max(
            pool.value([int(at in some) for at in range(9)]) for some in combinations(range(9), wanted)
        )
