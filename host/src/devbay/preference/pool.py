"""A choice among devices as arithmetic: each is worth something, and each pair that is chosen together is.

What is wished for, in its order, is packed into one whole number by whoever makes the pool, each wish in digits above
the next one's, the ids last: so the highest sum is the best choice, and there is one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from operator import add, mul


@dataclass(frozen=True)
class Pool:
    """Devices to choose from, by kind: those of a kind are worth the same to each other and to all others.

    Attributes:
        values: per kind what each of its devices is worth alone, the best first: the first ones are taken.
        pairs: per kind and kind what a pair of theirs is worth; symmetric; on the diagonal two of one kind.
    """

    values: Sequence[Sequence[int]]
    pairs: Sequence[Sequence[int]]

    @property
    def sizes(self) -> list[int]:
        """How many devices there are of each kind."""
        return [len(values) for values in self.values]

    def alone(self, kind: int) -> list[int]:
        """Return what the first none, one, two… of a kind are worth without the others."""
        within = self.pairs[kind][kind]
        worth = accumulate(self.values[kind], initial=0)
        return [total + within * (count * (count - 1) // 2) for count, total in enumerate(worth)]

    def value(self, counts: Sequence[int]) -> int:
        """Return what it is worth to take that many of each kind."""
        total = 0
        for kind, count in enumerate(counts):
            if count:
                row = self.pairs[kind]
                within = row[kind] * (count * (count - 1) // 2)
                total += sum(self.values[kind][:count]) + within + count * sum(map(mul, row[:kind], counts))
        return total

    @cached_property
    def nothing(self) -> int:
        """What is worth less than any device, whatever it is taken together with."""
        rows = (*self.values, *self.pairs)
        greatest = max(*map(max, rows), -min(map(min, rows)))
        return -4 * (greatest + 1) * (1 + sum(self.sizes))

    def best_pair(self) -> tuple[int, ...]:
        """Return the kinds of the two devices that are worth most; there must be two."""
        firsts = [values[0] for values in self.values]
        pairs: list[tuple[int, int, int]] = []
        for kind, (row, values) in enumerate(zip(self.pairs, self.values, strict=True)):
            together = list(map(add, row[:kind], firsts))
            if len(values) > 1:
                together.append(row[kind] + values[1])
            if together:
                best = max(together)
                pairs.append((best + values[0], kind, together.index(best)))
        return max(pairs)[1:]

    def without(self) -> "Pool":
        """Return the pool in which choosing is leaving out: its best choice is what the best choice here lacks."""
        sizes = self.sizes
        values = []
        for kind, own in enumerate(self.values):
            row = self.pairs[kind]
            others = (sum(row) if max(sizes) == 1 else sum(map(mul, row, sizes))) - row[kind]
            values.append([-(value + others) for value in reversed(own)])
        return Pool(values, self.pairs)
