"""The best choice from a pool, found by looking at all: for pools small or regular enough that this is quick.

The kinds are dealt out to two sides. All that the right side can contribute stands in one list; for each contribution
of the left side what the two are worth together is added to that list as a whole, which is quick, and the best entry
of the right size is taken. Sixteen devices that differ in everything are 256 times 256 additions.
"""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from operator import add, mul, sub

from devbay.preference.pool import Pool

AFFORDABLE = 100_000
"""Additions of two numbers; two sides of eight different devices need 98,304, what is made ready for them included."""

_PAIR = 2


def best(pool: Pool, wanted: int, affordable: int = AFFORDABLE) -> list[int] | None:
    """Return how many of each kind the best choice of `wanted` devices has; None if that costs too much to know."""
    sizes, total = pool.sizes, sum(pool.sizes)
    if 2 * wanted > total:
        left_out = best(pool.without(), total - wanted, affordable)
        return None if left_out is None else list(map(sub, sizes, left_out))
    if len(sizes) == 1:
        return [wanted]
    if wanted <= _PAIR:
        return _few(pool, wanted)
    left, right = _deal(sizes, wanted)
    theirs = _ways(sizes, right, wanted, affordable)
    mine = _ways(sizes, left, wanted, affordable // theirs)
    if (mine + len(sizes) * len(right)) * theirs > affordable:
        return None
    return _Search(pool, wanted, left, right).run(wanted)


def _few(pool: Pool, wanted: int) -> list[int]:
    """Return the best device, or the best two."""
    counts = [0] * len(pool.values)
    alone = [values[0] for values in pool.values]
    chosen = pool.best_pair() if wanted == _PAIR else (alone.index(max(alone)),) * wanted
    for kind in chosen:
        counts[kind] += 1
    return counts


def _deal(sizes: Sequence[int], wanted: int) -> tuple[list[int], list[int]]:
    """Deal the kinds out to two sides that have about as many contributions."""
    sides: tuple[list[int], list[int]] = ([], [])
    ways = [1, 1]
    for kind in sorted(range(len(sizes)), key=lambda kind: -sizes[kind]):
        side = int(ways[1] < ways[0])
        sides[side].append(kind)
        ways[side] *= min(sizes[kind], wanted) + 1
    return sides


def _ways(sizes: Sequence[int], side: Sequence[int], wanted: int, enough: int) -> int:
    """Return how many contributions of at most `wanted` devices a side has; some number above `enough`, if more."""
    ways = [1] + [0] * wanted
    for kind in side:
        upto = list(accumulate(ways))
        before = [0] * (sizes[kind] + 1) + upto
        ways = list(map(sub, upto, before))
        if sum(ways) > enough:
            break
    return sum(ways)


class _Side:
    """All that some kinds can give, up to `wanted` devices, by how many devices that are.

    Attributes:
        counts: per contribution, devices of each of the kinds.
        worths: per contribution, what its devices are worth among themselves.
        drawn: by kind outside, what a device of that kind is worth together with each contribution.
        begins: by number of devices, where contributions of as many begin; of as many as are wanted, and one more.
    """

    def __init__(self, pool: Pool, kinds: Sequence[int], others: Sequence[int], wanted: int) -> None:
        counts: list[tuple[int, ...]] = [()]
        totals, worths = [0], [0]
        drawn = {kind: [0] for kind in (*kinds, *others)}
        for kind in kinds:
            alone, row, to_kind = pool.alone(kind), pool.pairs[kind], drawn.pop(kind)
            steps = [range(min(len(alone) - 1, wanted - total) + 1) for total in totals]
            counts = [(*given, n) for given, ns in zip(counts, steps, strict=True) for n in ns]
            worths = [
                worth + alone[n] + to * n for worth, to, ns in zip(worths, to_kind, steps, strict=True) for n in ns
            ]
            totals = [total + n for total, ns in zip(totals, steps, strict=True) for n in ns]
            drawn = {
                other: [to + row[other] * n for to, ns in zip(before, steps, strict=True) for n in ns]
                for other, before in drawn.items()
            }
        order = sorted(range(len(totals)), key=totals.__getitem__)
        self.counts = [counts[at] for at in order]
        self.worths = [worths[at] for at in order]
        self.drawn = {other: [drawn[other][at] for at in order] for other in others}
        ordered = [totals[at] for at in order]
        self.begins = [bisect_left(ordered, number) for number in range(wanted + 2)]


class _Search:
    def __init__(self, pool: Pool, wanted: int, left: Sequence[int], right: Sequence[int]) -> None:
        self._left, self._right = left, right
        self._given = _Side(pool, right, left, wanted)
        self._alone = [pool.alone(kind) for kind in left]
        self._drawn = [self._given.drawn[kind] for kind in left]
        self._pairs = [[pool.pairs[kind][other] for other in left] for kind in left]
        self._room = [sum(len(pool.values[kind]) for kind in left[at:]) for at in range(len(left) + 1)]
        self._best: tuple[int, tuple[int, ...], int] | None = None

    def run(self, wanted: int) -> list[int]:
        """Return devices per kind of the best choice."""
        self._extend((), wanted, self._given.worths, 0, 0)
        counts = [0] * (len(self._left) + len(self._right))
        if self._best is not None:  # there always is one: no more are wanted than there are
            _, mine, theirs = self._best
            for kind, count in zip((*self._left, *self._right), (*mine, *self._given.counts[theirs]), strict=True):
                counts[kind] = count
        return counts

    def _extend(self, counts: tuple[int, ...], lacking: int, worths: Sequence[int], offset: int, own: int) -> None:
        """Go through what the left side can add to `counts`, when `lacking` devices are still to be found.

        `worths` is what the right side's contributions, from the one at `offset` on, are worth together with `counts`;
        `own` is what `counts` are worth among themselves.
        """
        at, begins = len(counts), self._given.begins
        if at == len(self._left):
            self._compare(counts, worths[begins[lacking] - offset : begins[lacking + 1] - offset], begins[lacking], own)
            return
        alone, drawn, room = self._alone[at], self._drawn[at], self._room[at + 1]
        to_mine = sum(map(mul, self._pairs[at], counts))
        for count in range(min(len(alone) - 1, lacking) + 1):
            still = lacking - count
            end = begins[still + 1]
            if count:
                worths = list(map(add, worths, drawn[offset:end]))
            start = max(offset, begins[max(0, still - room)])  # the rest of this side has no more than its room
            if start < end:
                part = worths[start - offset : end - offset]
                self._extend((*counts, count), still, part, start, own + alone[count] + to_mine * count)

    def _compare(self, counts: tuple[int, ...], worths: Sequence[int], offset: int, own: int) -> None:
        if worths and (self._best is None or max(worths) + own > self._best[0]):
            self._best = (max(worths) + own, counts, offset + worths.index(max(worths)))
