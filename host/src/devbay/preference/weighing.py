"""The wishes of a policy as arithmetic: packed into one number per set of devices, the first wish uppermost.

Packed here are the wishes that are sums over devices and pairs of devices. Those that are not (fewest places) are
settled before anything is weighed, and devices that the answer holds already are settled too: only fresh ones, which
give their first share, are weighed.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum

from devbay.preference import exact, greedy
from devbay.preference.affinity import Affinity
from devbay.preference.kinds import Closeness, pairs
from devbay.preference.policy import Policy
from devbay.preference.pool import Pool
from devbay.preference.question import Question, Stock

MOST_KINDS = 192
"""Above that many the table of their pairs costs too much while a request waits."""


class Wish(Enum):
    """What can be wished of a set of fresh devices, besides the lowest ids."""

    OUTSIDE = "the devices that are left whole are close to each other"
    INSIDE = "the devices in the answer are close to each other"
    IDLE = "they and their parents have many free shares"
    APART = "few of them have one parent"


_WISHES: Mapping[Policy, Sequence[Wish]] = {
    Policy.TOPOLOGY: (Wish.OUTSIDE, Wish.IDLE, Wish.INSIDE),
    Policy.DISTINCT: (Wish.OUTSIDE, Wish.IDLE, Wish.INSIDE),
    Policy.SPREAD: (Wish.OUTSIDE, Wish.INSIDE, Wish.IDLE, Wish.APART),
    Policy.PACK: (Wish.OUTSIDE, Wish.INSIDE),
}
"""The last is uppermost."""


class Weighing:
    """Weighs sets of the devices that an answer does not hold yet. Made once per request.

    Attributes:
        kinds: how many kinds of devices there are.
    """

    def __init__(self, asked: Question, by_kind: Sequence[Sequence[Stock]], affinity: Affinity, policy: Policy) -> None:
        fresh, held = asked.fresh, asked.held
        closeness = Closeness.among(affinity, len(asked.stocks))
        self._asked = asked
        self._by_kind = by_kind
        self.kinds = max(1, len(self._by_kind))
        self._kind_of = {stock.id: kind for kind, stocks in enumerate(self._by_kind) for stock in stocks}
        self._pairs = pairs(closeness, self._by_kind)
        self._to_held = [sum(closeness.row(stocks[0], held)) if held else 0 for stocks in self._by_kind]
        sizes = [len(stocks) for stocks in self._by_kind]
        self._to_rest = [sum(map(int.__mul__, row, sizes)) - row[kind] for kind, row in enumerate(self._pairs)]
        self._ties, self._shift = _ties(fresh)
        self._units = self._stack(_WISHES[policy])
        self._alone, self._together = self._worths()

    def pick(self, candidates: Iterable[Stock], wanted: int, times: int) -> tuple[list[Stock], bool]:
        """Return the `wanted` best of some fresh devices, and whether there are no better.

        Args:
            candidates: which.
            wanted: how many of them.
            times: how often this is asked for one request: each time may cost so much less.
        """
        pool, members = self._pool(candidates)
        counts = exact.best(pool, wanted, exact.AFFORDABLE // times)
        chosen = greedy.good(pool, wanted, greedy.EFFORT // times) if counts is None else counts
        return [stock for kind, count in enumerate(chosen) for stock in members[kind][:count]], counts is not None

    def worth(self, devices: Iterable[Stock], idle: int = 0) -> int:
        """Return what fresh devices are worth; their ids do not count.

        Args:
            devices: which.
            idle: what shares that the answer has besides their first add to idleness.
        """
        pool, _ = self._pool(devices)
        return (pool.value(pool.sizes) + idle * self._units.get(Wish.IDLE, 0)) >> self._shift

    def _pool(self, candidates: Iterable[Stock]) -> tuple[Pool, list[list[Stock]]]:
        members: dict[int, list[Stock]] = {}
        for stock in candidates:
            members.setdefault(self._kind_of[stock.id], []).append(stock)
        order = list(members)
        for stocks in members.values():
            stocks.sort(key=lambda stock: stock.free[0])
        values = [[self._alone[kind] + self._ties[stock.id] for stock in members[kind]] for kind in order]
        together = self._together
        if order != list(range(self.kinds)):
            together = [[row[other] for other in order] for row in map(self._together.__getitem__, order)]
        return Pool(values, together), [members[kind] for kind in order]

    def _stack(self, wishes: Sequence[Wish]) -> dict[Wish, int]:
        """Return what one step of each wish counts: more than all below it can."""
        stocks = self._asked.stocks
        rows = [row for row in (*self._pairs, self._to_held) if row]
        greatest = max(1, *map(max, rows), -min(map(min, rows))) if rows else 1
        most_close = greatest * len(stocks) ** 2 + 1
        most_idle = sum(len(stock.free) for stock in stocks) ** 2 + 1
        units, unit = {}, 1 << self._shift
        for wish in wishes:
            units[wish] = unit
            unit *= 2 * (most_idle if wish is Wish.IDLE else most_close)
        return units

    def _worths(self) -> tuple[list[int], list[list[int]]]:
        """Return what a device of each kind is worth alone, and what a pair of each two kinds is worth together."""
        inside, outside = self._units[Wish.INSIDE], self._units[Wish.OUTSIDE]
        alone = [
            held * inside - rest * outside + idle
            for held, rest, idle in zip(self._to_held, self._to_rest, self._idle_alone(), strict=True)
        ]
        together = [[pair * (inside + outside) for pair in row] for row in self._pairs]
        if Wish.APART in self._units:
            self._add_families(alone, together)
        return alone, together

    def _idle_alone(self) -> list[int]:
        unit = self._units.get(Wish.IDLE, 0)
        if Wish.APART not in self._units:
            return [len(stocks[0].free) * unit for stocks in self._by_kind]
        free: dict[str, int] = {}
        for stock in self._asked.stocks:
            free[stock.parent] = free.get(stock.parent, 0) + len(stock.free)
        return [free[stocks[0].parent] * unit for stocks in self._by_kind]

    def _add_families(self, alone: list[int], together: list[list[int]]) -> None:
        """Count what devices of one parent are worth less: they are not apart, and leave each other less idle."""
        apart, idle = self._units[Wish.APART], self._units[Wish.IDLE]
        held: dict[str, int] = {}
        for stock in self._asked.held:
            held[stock.parent] = held.get(stock.parent, 0) + stock.held
        parents = [stocks[0].parent for stocks in self._by_kind]
        for kind, parent in enumerate(parents):
            alone[kind] -= held.get(parent, 0) * apart
            for other, its in enumerate(parents):
                if its == parent and (other != kind or self._is_family(kind)):
                    together[kind][other] -= apart + idle

    def _is_family(self, kind: int) -> bool:
        stocks = self._by_kind[kind]
        return len(stocks) > 1 and stocks[0].parent == stocks[1].parent


def _ties(fresh: Sequence[Stock]) -> tuple[Mapping[str, int], int]:
    """Return what devices are worth for their ids, and in how many bits all of them fit.

    Halving from id to id, so that the set with the lowest id that the other lacks is worth more; among very many
    devices that takes too many digits, and they are worth one less from id to id.
    """
    by_id = sorted(fresh, key=lambda stock: stock.free[0])
    number = len(by_id)
    if number > MOST_KINDS:
        return {stock.id: number - place for place, stock in enumerate(by_id)}, (number * number).bit_length()
    return {stock.id: 1 << (number - place) for place, stock in enumerate(by_id)}, number + 1
