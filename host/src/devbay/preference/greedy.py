"""A good choice from a pool in bounded time: built up from several beginnings, the best bettered by exchanges.

Never worse than taking, from the best pair on, the device that adds most, for that is the first of the beginnings; only
of so many devices that even one way to build costs too much, what is left out is chosen so.
"""

from collections.abc import Callable, Iterable, Sequence
from heapq import nlargest, nsmallest
from operator import add, mul, sub

from devbay.preference.pool import Pool

EFFORT = 10_000
"""Devices that are looked at while choices are built up, over all beginnings; one is made all the same."""

_EXCHANGES = 16
_CONSIDERED = 6
"""Devices to give and to take that an exchange looks at: those that seem best."""


def good(pool: Pool, wanted: int, effort: int = EFFORT) -> list[int]:
    """Return how many of each kind a good choice of `wanted` devices has."""
    sizes = pool.sizes
    if wanted in (0, sum(sizes)):
        return [size if wanted else 0 for size in sizes]
    total = sum(sizes)
    begun = _beginnings(pool, wanted, effort // (len(sizes) * wanted))
    choices = [_Choice.built(pool, wanted, beginning) for beginning in begun]
    if begun and len(sizes) < total:
        choices.append(_Choice.of_blocks(pool, wanted, effort))
    if 2 * wanted > total or not choices:
        left_out = _Choice.built(pool.without(), total - wanted, ())
        choices.append(_Choice(pool, list(map(sub, sizes, left_out.counts))))
    best = max(choices, key=lambda choice: choice.worth())
    best.better()
    return best.counts


class _Choice:
    """A choice in the making.

    Attributes:
        counts: devices per kind so far.
    """

    def __init__(self, pool: Pool, counts: list[int] | None = None) -> None:
        self.counts = counts or [0] * len(pool.values)
        self._pool = pool
        self._nothing = pool.nothing
        drawn = [sum(map(mul, row, counts)) for row in pool.pairs] if counts else self.counts
        # What one more device of each kind is worth; of a kind that has no more, less than that of any other.
        self._gains = list(map(add, drawn, map(self._next, range(len(self.counts)))))

    @classmethod
    def built(cls, pool: Pool, wanted: int, beginning: Iterable[int]) -> "_Choice":
        """Return the choice that begins with these kinds and goes on with what adds most."""
        choice = cls(pool)
        for kind in beginning:
            choice._take(kind)
        return choice._go_on(wanted - sum(choice.counts))

    def _go_on(self, wanted: int) -> "_Choice":
        for _ in range(wanted):
            self._take(self._gains.index(max(self._gains)))
        return self

    @classmethod
    def of_blocks(cls, pool: Pool, wanted: int, effort: int) -> "_Choice":
        """Return the choice that takes as many of a kind at a time as add most on average, while that is cheap.

        One at a time, a device of a group that is whole looks no better than one of a group that is broken.
        """
        choice = cls(pool)
        while wanted:
            effort -= sum(min(size, wanted) for size in pool.sizes)
            if effort < 0:
                return choice._go_on(wanted)
            _, kind, count = max(choice._block(kind, wanted) for kind in range(len(choice.counts)))
            for _ in range(count):
                choice._take(kind)
            wanted -= count
        return choice

    def _block(self, kind: int, most: int) -> tuple[int, int, int]:
        """Return what the best number of further devices of a kind adds on average, the kind, and that number."""
        values, taken, within = self._pool.values[kind], self.counts[kind], self._pool.pairs[kind][kind]
        best = (self._gains[kind], kind, 1)
        total, drawn = 0, self._gains[kind] - self._next(kind)
        for count, value in enumerate(values[taken : taken + most], 1):
            total += value + drawn + within * (count - 1)
            best = max(best, (total // count, kind, count))
        return best

    def worth(self) -> int:
        """Return what it is worth."""
        return self._pool.value(self.counts)

    def better(self) -> None:
        """Exchange one device for another as long as that betters the choice, a limited number of times."""
        pairs, kinds = self._pool.pairs, range(len(self.counts))
        for _ in range(_EXCHANGES):
            losses = nsmallest(_CONSIDERED, ((self._loss(kind), kind) for kind in kinds if self.counts[kind]))
            gains = nlargest(_CONSIDERED, zip(self._gains, kinds, strict=True))
            exchanges = [
                (gain - loss - pairs[taken][given], given, taken)
                for gain, taken in gains
                for loss, given in losses
                if taken != given
            ]
            better, given, taken = max(exchanges, default=(0, 0, 0))
            if better <= 0:
                return
            self._move(given, -1, sub)
            self._take(taken)

    def _take(self, kind: int) -> None:
        self._move(kind, 1, add)

    def _move(self, kind: int, step: int, change: Callable[[int, int], int]) -> None:
        before = self._next(kind)
        self.counts[kind] += step
        self._gains = list(map(change, self._gains, self._pool.pairs[kind]))
        self._gains[kind] += self._next(kind) - before

    def _next(self, kind: int) -> int:
        """Return what the next device of a kind is worth alone."""
        values, count = self._pool.values[kind], self.counts[kind]
        return values[count] if count < len(values) else self._nothing

    def _loss(self, kind: int) -> int:
        """Return what the choice is worth less without its last device of a kind."""
        pairs, last = self._pool.pairs[kind][kind], self._pool.values[kind][self.counts[kind] - 1]
        together: int = self._gains[kind] - self._next(kind)
        return together - pairs + last


def _beginnings(pool: Pool, wanted: int, most: int) -> list[Sequence[int]]:
    """Return what at most so many choices begin with: the best pair, nothing, and each of the closest to all others."""
    begun: list[Sequence[int]] = [pool.best_pair(), ()] if wanted > 1 else [()]
    close = nlargest(most - len(begun), range(len(pool.values)), key=lambda kind: sum(pool.pairs[kind]))
    return [*begun[:most], *((kind,) for kind in close)]
