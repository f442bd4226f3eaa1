"""Devices by kind, and how close kinds are: what makes large requests small.

Two devices are of one kind if nothing tells them apart but their ids: the same NUMA nodes, parent, number of free
shares, and affinity to all others. Closeness of two devices is one whole number: their affinity, then whether they
have one parent, then whether they share a NUMA node, each in digits above all that the next can add up to.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from devbay.preference.affinity import Affinity
from devbay.preference.question import Stock


@dataclass(frozen=True, slots=True)
class Closeness:
    """How close devices are to each other.

    Attributes:
        affinity: what their backend says.
        digits: what one step of affinity's is in units of a parent's, and a parent's in units of a NUMA node's.
    """

    affinity: Affinity
    digits: int

    @classmethod
    def among(cls, affinity: Affinity, devices: int) -> "Closeness":
        """Return what measures sums over the pairs of that many devices."""
        return cls(affinity, max(2, devices * devices))

    def of(self, a: Stock, b: Stock) -> int:
        """Return how close two different devices are."""
        score = self.affinity.row(a.id).get(b.id, 0)
        near = a.nodes == b.nodes or not set(a.nodes).isdisjoint(b.nodes)
        return (score * self.digits + (a.parent == b.parent)) * self.digits + near

    def row(self, one: Stock, others: Sequence[Stock]) -> list[int]:
        """Return how close a device is to each of `others`."""
        return [self.of(one, other) for other in others]

    def inside(self, devices: Sequence[Stock]) -> int:
        """Return the sum over all pairs of `devices`."""
        return sum(sum(self.row(one, devices[:at])) for at, one in enumerate(devices))

    def affinity_of(self, total: int) -> float:
        """Return the part of a sum that the backend's affinity has, in its own measure."""
        return self.affinity.value(total // (self.digits * self.digits))


def kinds(affinity: Affinity, stocks: Iterable[Stock]) -> list[list[Stock]]:
    """Return the fresh devices by kind; those of a kind in the order of the ids that would be given."""
    stocks = list(stocks)
    family = Counter(stock.parent for stock in stocks)
    found: dict[tuple[object, ...], list[Stock]] = defaultdict(list)
    for stock in stocks:
        if stock.free and not stock.held:
            parent = stock.parent if family[stock.parent] > 1 else None  # an only child differs from none other
            found[stock.nodes, parent, len(stock.free), affinity.alike.get(stock.id)].append(stock)
    return [sorted(kind, key=lambda stock: stock.free[0]) for kind in found.values()]


def pairs(closeness: Closeness, by_kind: Sequence[Sequence[Stock]]) -> list[list[int]]:
    """Return how close devices of each kind are to those of each other; on the diagonal, to those of their own."""
    firsts = [kind[0] for kind in by_kind]
    ids = [first.id for first in firsts]
    families: dict[str, list[int]] = defaultdict(list)
    for kind, first in enumerate(firsts):
        families[first.parent].append(kind)
    nodes = {first.nodes for first in firsts}
    near = {own: _near(own, nodes, firsts) for own in nodes}
    step = closeness.digits * closeness.digits
    rows = []
    for kind, first in enumerate(firsts):
        scores = closeness.affinity.row(first.id)
        row = list(near[first.nodes])
        for other in families[first.parent]:
            row[other] += closeness.digits
        if scores:
            row = [scores.get(other, 0) * step + beside for other, beside in zip(ids, row, strict=True)]
        row[kind] = closeness.of(*by_kind[kind][:2]) if len(by_kind[kind]) > 1 else 0
        rows.append(row)
    return rows


def _near(own: tuple[int, ...], nodes: Iterable[tuple[int, ...]], firsts: Sequence[Stock]) -> list[int]:
    """Return for each device 1 if it shares one of the NUMA nodes `own`, else 0."""
    shared = {other: int(not set(own).isdisjoint(other)) for other in nodes}
    return [shared[first.nodes] for first in firsts]
