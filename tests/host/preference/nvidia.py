"""NVIDIA's allocators as peers, and their machines: from what their published code does, sharing nothing with ours.

Pairs of GPUs are scored by what connects them: 10 across CPUs, 20 on one CPU, 30 through one host bridge, 40 through
several switches, 50 through one switch, and 100 for each NVLink between the two. NVLinks through a switch are not seen.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import TypeAlias

Scores: TypeAlias = Mapping[tuple[str, str], float]
Group: TypeAlias = tuple[str | None, ...]

_DGX1_SINGLE = ("0-1", "0-2", "1-3", "2-6", "3-7", "4-5", "4-6", "5-7")
_DGX1_DOUBLE = ("0-3", "0-4", "1-2", "1-5", "2-3", "4-7", "5-6", "6-7")


def gpus(count: int) -> list[str]:
    """Return the names of that many GPUs."""
    return [f"gpu{n:02}" for n in range(count)]


def pcie(count: int, cpus: int, per_switch: int) -> Scores:
    """Return the scores of a box without NVLinks: GPUs evenly on CPUs, some of them on one switch each."""
    per_cpu = count // cpus
    return {
        (a, b): 10.0 if i // per_cpu != j // per_cpu else 50.0 if i // per_switch == j // per_switch else 20.0
        for (i, a), (j, b) in combinations(enumerate(gpus(count)), 2)
    }


def dgx1() -> Scores:
    """Return the scores of eight V100 in a hybrid cube mesh: six links each, to four others."""
    links = Counter([*_DGX1_SINGLE, *_DGX1_DOUBLE, *_DGX1_DOUBLE])
    names = gpus(8)
    return {
        (names[i], names[j]): score + 100 * links[f"{i}-{j}"]
        for (i, j), score in (((i, j), pcie(8, 2, 2)[names[i], names[j]]) for i, j in combinations(range(8), 2))
    }


def fully_linked(count: int, links: int) -> Scores:
    """Return the scores of GPUs that each have links to each other."""
    return {pair: score + 100 * links for pair, score in pcie(count, 2, 2).items()}


def inside(group: Sequence[str | None], scores: Scores) -> float:
    """Return the sum over the pairs of a group; empty slots count nothing."""
    ids = sorted(one for one in group if one is not None)
    return sum(scores[pair] for pair in combinations(ids, 2))


def partitions(slots: Sequence[str | None], size: int) -> Iterator[list[Group]]:
    """Yield all ways to part slots into groups of `size`, in which empty slots stand together or fill the last."""
    if not slots:
        yield []
        return
    first, rest = slots[0], slots[1:]
    seen = set()
    for others in combinations(range(len(rest)), size - 1):
        group = (first, *(rest[at] for at in others))
        if group in seen:  # the empty slots are alike
            continue
        seen.add(group)
        left = [one for at, one in enumerate(rest) if at not in others]
        for more in partitions(left, size):
            yield [group, *more]


def aligned(available: Sequence[str], required: Sequence[str], size: int, scores: Scores) -> tuple[Group, float]:
    """Return what their best-effort allocator gives, and the score of the partition that it gives it from."""
    slots: list[str | None] = list(available)
    slots += [None] * (-len(slots) % size)
    best: list[Group] = []
    highest = -1.0
    for partition in partitions(slots, size):
        if not any(_fits(group, required) for group in partition):
            continue
        score = sum(inside(group, scores) for group in partition)
        if score > highest:
            best, highest = partition, score
    return max((group for group in best if _fits(group, required)), key=lambda group: inside(group, scores)), highest


def measure(chosen: Sequence[str], available: Sequence[str], scores: Scores) -> float:
    """Return the score, in their measure, of the best partition that has `chosen` as a group."""
    slots: list[str | None] = [one for one in available if one not in chosen]
    slots += [None] * (-len(slots) % len(chosen))
    rest = (sum(inside(group, scores) for group in partition) for partition in partitions(slots, len(chosen)))
    return inside(chosen, scores) + max(rest)


def _fits(group: Group, required: Sequence[str]) -> bool:
    return None not in group and set(required) <= set(group)


def greedy(
    policy: str, total: Mapping[str, int], available: Sequence[str], required: Sequence[str], size: int
) -> list[str]:
    """Return what their allocator for replicas gives: one by one, from the device that has least, or most, given."""
    left = sorted(set(available) - set(required))
    picks: Counter[str] = Counter()
    chosen = list(required)
    while len(chosen) < size:
        free = Counter(one.partition("::")[0] for one in left)

        def order(share: str, free: Mapping[str, int] = free) -> tuple[int, int, str]:
            device = share.partition("::")[0]
            given = total[device] - free[device]
            return (given if policy == "distributed" else -given, picks[device], share)

        share = min(left, key=order)
        left.remove(share)
        picks[share.partition("::")[0]] += 1
        chosen.append(share)
    return chosen
