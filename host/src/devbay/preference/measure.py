"""What an answer is worth, wish by wish: for the few answers that are compared whole, and for people."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from devbay.preference.kinds import Closeness
from devbay.preference.question import Question, Stock


@dataclass(frozen=True, slots=True)
class Measure:
    """Measures answers to one request; an answer is how many shares each device gives besides those held."""

    asked: Question
    closeness: Closeness

    def used(self, given: Mapping[str, int]) -> list[Stock]:
        """Return the devices that are in the answer."""
        return [stock for stock in self.asked.stocks if stock.held or given.get(stock.id)]

    def left(self, given: Mapping[str, int]) -> list[Stock]:
        """Return the devices that are left whole."""
        return [stock for stock in self.asked.stocks if not stock.held and not given.get(stock.id)]

    def inside(self, given: Mapping[str, int]) -> int:
        """Return how close the devices in the answer are to each other."""
        return self.closeness.inside(self.used(given))

    def outside(self, given: Mapping[str, int]) -> int:
        """Return how close the devices that are left whole are to each other."""
        return self.closeness.inside(self.left(given))

    def ids(self, given: Mapping[str, int]) -> list[str]:
        """Return the ids that are given, sorted."""
        return sorted(share for stock in self.asked.stocks for share in stock.free[: given.get(stock.id, 0)])

    def unevenness(self, given: Mapping[str, int]) -> tuple[int, int, int, int]:
        """Return pairs of shares of one parent, those of one device, and how busy the parents and devices are."""
        of_parent: dict[str, int] = defaultdict(int)
        held: dict[str, int] = defaultdict(int)
        free: dict[str, int] = defaultdict(int)
        doublings, idle = 0, 0
        for stock in self.asked.stocks:
            count = given.get(stock.id, 0)
            of_parent[stock.parent] += count
            held[stock.parent] += stock.held
            free[stock.parent] += len(stock.free)
            doublings += _pairs(stock.held + count)
            idle += idleness(len(stock.free), count)
        families = sum(_pairs(held[parent] + count) for parent, count in of_parent.items())
        idle_parents = sum(idleness(free[parent], count) for parent, count in of_parent.items())
        return families, doublings, -idle_parents, -idle


def idleness(free: int, given: int) -> int:
    """Return how many shares were free at each of the times that one of `free` was given, added up."""
    return given * free - _pairs(given)


def _pairs(count: int) -> int:
    return count * (count - 1) // 2
