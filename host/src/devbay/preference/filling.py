"""Taking shares as evenly as can be: where one device must give several, none gives more than it has to.

Each share that a device gives costs as much as it has given before, must-includes counted; the cheapest are taken.
Up to a level all of them are; at that level, some: who gives those is the choice that is left.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush, heapreplace

from devbay.preference.question import Stock


@dataclass(frozen=True, slots=True)
class Filling:
    """How shares are taken evenly.

    Attributes:
        level: how many shares of a device are in the answer before it gives one of the last.
        doublings: pairs of shares of one device that the answer has more for it.
        settled: how many shares each device gives at least, by device id; without those that give none.
        givers: the devices that could give one of the last.
        last: how many of the givers are to give one.
    """

    level: int
    doublings: int
    settled: dict[str, int]
    givers: list[Stock]
    last: int


def evenly(stocks: Sequence[Stock], missing: int) -> Filling:
    """Return how `missing` shares are taken; there must be as many."""
    level, doublings, left = _level(stocks, missing)
    settled, givers = {}, []
    for stock in stocks:
        below = min(max(0, level - stock.held), len(stock.free))
        if below:
            settled[stock.id] = below
        if stock.held <= level < stock.held + len(stock.free):
            givers.append(stock)
    return Filling(level, doublings, settled, givers, left)


def _level(stocks: Sequence[Stock], missing: int) -> tuple[int, int, int]:
    """Return the level, what is given for it in doublings, and how many shares are given at it."""
    steps: dict[int, int] = defaultdict(int)
    for stock in stocks:
        steps[stock.held] += 1
        steps[stock.held + len(stock.free)] -= 1
    level, doublings, givers = 0, 0, 0
    while True:
        givers += steps.get(level, 0)
        if missing <= givers:
            return level, doublings + level * missing, missing
        missing -= givers
        doublings += level * givers
        level += 1


def over_parents(stocks: Sequence[Stock], missing: int) -> dict[str, int]:
    """Return how many shares each device gives if parents give evenly, their devices too, and the idlest go first."""
    given: dict[str, int] = defaultdict(int)
    families: dict[str, list[tuple[int, int, str, Stock]]] = defaultdict(list)
    held: dict[str, int] = defaultdict(int)
    free: dict[str, int] = defaultdict(int)
    for stock in stocks:
        held[stock.parent] += stock.held
        free[stock.parent] += len(stock.free)
        if stock.free:
            families[stock.parent].append((stock.held, -len(stock.free), stock.free[0], stock))
    parents = []
    for parent, family in families.items():
        heapify(family)
        parents.append((held[parent], family[0][0], -free[parent], *family[0][1:3], parent))
    heapify(parents)
    for _ in range(missing):
        count, _, idle, _, _, parent = parents[0]
        family = families[parent]
        times, room, _, stock = family[0]
        given[stock.id] += 1
        if room < -1:
            heapreplace(family, (times + 1, room + 1, stock.free[given[stock.id]], stock))
        else:
            heappop(family)
        heappop(parents)
        if family:
            heappush(parents, (count + 1, family[0][0], idle + 1, *family[0][1:3], parent))
    return given
