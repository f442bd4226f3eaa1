"""A choice among very many devices that differ from each other: without weighing every pair.

Families and NUMA nodes are kept together, the best filled first, so that roomier ones stay whole; within that, the
devices that are closest to those already chosen go first.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from heapq import heapify, heappop, heappush

from devbay.preference.affinity import Affinity
from devbay.preference.question import Stock

_MOST_PAIRS = 50_000
"""Scores that are read while a request waits; after that many, what is left goes by place."""


def pick(candidates: Sequence[Stock], held: Sequence[Stock], affinity: Affinity, wanted: int) -> list[Stock]:
    """Return `wanted` of the devices."""
    ordered = _by_place(candidates, held, wanted)
    return _grown(ordered, held, affinity, wanted) if affinity.rows else ordered[:wanted]


def _by_place(candidates: Sequence[Stock], held: Sequence[Stock], wanted: int) -> list[Stock]:
    """Return the devices NUMA node by NUMA node and family by family."""
    ordered: list[Stock] = []
    for node in _groups(candidates, held, lambda stock: stock.nodes, wanted):
        for family in _groups(node, held, lambda stock: stock.parent, wanted - len(ordered)):
            ordered += sorted(family, key=lambda stock: stock.free[0])
    return ordered


def _groups(
    stocks: Sequence[Stock], held: Sequence[Stock], group: Callable[[Stock], Hashable], wanted: int
) -> list[list[Stock]]:
    """Return groups: those that something is held of, then the smallest that suffices, else the largest."""
    groups: dict[Hashable, list[Stock]] = defaultdict(list)
    for stock in stocks:
        groups[group(stock)].append(stock)
    settled = {group(stock) for stock in held}
    ordered = [groups.pop(key) for key in list(groups) if key in settled]
    wanted -= sum(map(len, ordered))
    rest = sorted(groups.values(), key=len)
    while rest and wanted > 0:
        fitting = min(bisect_left(rest, wanted, key=len), len(rest) - 1)
        wanted -= len(rest[fitting])
        ordered.append(rest.pop(fitting))
    return ordered + rest


def _grown(ordered: Sequence[Stock], held: Sequence[Stock], affinity: Affinity, wanted: int) -> list[Stock]:
    """Return devices one by one, the one next that is closest to all before; by their order where none is closer."""
    place = {stock.id: at for at, stock in enumerate(ordered)}
    drawn = dict.fromkeys(place, 0)
    queue = [(0, at) for at in range(len(ordered))]
    read = 0

    def draw(device_id: str) -> None:
        nonlocal read
        row = affinity.row(device_id) if read < _MOST_PAIRS else {}
        read += len(row)
        for other, score in row.items():
            if other in drawn:
                drawn[other] -= score
                heappush(queue, (drawn[other], place[other]))

    for stock in held:
        draw(stock.id)
    heapify(queue)
    chosen: list[Stock] = []
    while len(chosen) < wanted:
        score, at = heappop(queue)
        if drawn.get(ordered[at].id) == score:  # otherwise it was chosen, or has moved since
            del drawn[ordered[at].id]
            chosen.append(ordered[at])
            draw(ordered[at].id)
    return chosen
