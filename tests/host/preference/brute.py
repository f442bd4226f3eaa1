"""The objective once more, by trying every answer: shares nothing with what it judges but the words."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from itertools import combinations
from typing import Any, TypeAlias

from devbay.model import Device

Pairs: TypeAlias = Mapping[tuple[str, str], float]
Sum: TypeAlias = tuple[Fraction, int, int]


class Judge:
    """Judges answers to one request."""

    def __init__(
        self, devices: Mapping[str, Device], available: Sequence[str], must: Sequence[str], pairs: Pairs
    ) -> None:
        self.devices = devices
        self.must = frozenset(must)
        self.free = frozenset(available) - self.must
        self.pairs = pairs
        self.room = Counter(map(self.device, self.free))
        self.family_room = Counter(self.parent(self.device(share)) for share in self.free)

    def device(self, share: str) -> str:
        """Return whose share it is."""
        return share.partition("::")[0]

    def nodes(self, one: str) -> set[int]:
        """Return a device's NUMA nodes; those that are not known are a node of their own."""
        return set(self.devices[one].numa_nodes) if one in self.devices and self.devices[one].numa_nodes else {-1}

    def parent(self, one: str) -> str:
        """Return what a device is part of, or itself."""
        return self.devices[one].parent or one if one in self.devices else one

    def closeness(self, devices: set[str]) -> Sum:
        """Return affinity, pairs of one parent and pairs near one NUMA node, summed over all pairs."""
        affinity, siblings, near = Fraction(0), 0, 0
        for a, b in combinations(sorted(devices), 2):
            affinity += Fraction(self.pairs.get((a, b), self.pairs.get((b, a), 0)))
            siblings += self.parent(a) == self.parent(b)
            near += bool(self.nodes(a) & self.nodes(b))
        return affinity, siblings, near

    def places(self, devices: set[str]) -> int:
        """Return how few NUMA nodes are needed for each device to be near one of them."""
        every = sorted(set[int]().union(*map(self.nodes, devices)))
        return next(
            size
            for size in range(len(every) + 1)
            for some in combinations(every, size)
            if all(self.nodes(one) & set(some) for one in devices)
        )

    def facts(self, new: Sequence[str]) -> dict[str, Any]:
        """Return all that a policy may ask of the answer that adds `new` to the must-includes."""
        times = Counter(map(self.device, {*self.must, *new}))
        given = Counter(map(self.device, new))
        parents: Counter[str] = Counter()
        family_given: Counter[str] = Counter()
        for one, count in times.items():
            parents[self.parent(one)] += count
        for one, count in given.items():
            family_given[self.parent(one)] += count
        used = set(times)
        opened = used - set(map(self.device, self.must))
        return {
            "places": self.places(used),
            "doublings": sum(count * (count - 1) // 2 for count in times.values()),
            "families": sum(count * (count - 1) // 2 for count in parents.values()),
            "busy": -sum(self.room[one] - n for one, count in given.items() for n in range(count)),
            "busy parents": -sum(
                self.family_room[one] - n for one, count in family_given.items() for n in range(count)
            ),
            "inside": tuple(-value for value in self.closeness(used)),
            "outside": tuple(-value for value in self.closeness(set(self.room) - used)),
            "parents": len(parents),
            "parents' room": sum(self.family_room[parent] for parent in parents),
            "devices": len(times),
            "devices' room": sum(self.room[one] for one in opened),
            "ids": sorted(new),
        }


ORDERS: Mapping[str, Sequence[str]] = {
    "topology": ("places", "doublings", "inside", "busy", "outside", "ids"),
    "distinct": ("doublings", "places", "inside", "busy", "outside", "ids"),
    "spread": ("families", "doublings", "busy parents", "busy", "inside", "outside", "ids"),
    "pack": ("parents", "parents' room", "devices", "devices' room", "inside", "outside", "ids"),
}
"""What a policy asks first, second, …; less is better."""


def key(policy: str, judge: Judge) -> Callable[[Sequence[str]], tuple[Any, ...]]:
    """Return what answers are ordered by: the least is the best."""
    order = ORDERS[policy]

    def of(new: Sequence[str]) -> tuple[Any, ...]:
        facts = judge.facts(new)
        return tuple(facts[name] for name in order)

    return of


def best(policy: str, judge: Judge, size: int) -> set[str]:
    """Return the best answer, found by trying all."""
    missing = min(max(0, size - len(judge.must)), len(judge.free))
    answers: list[tuple[str, ...]] = list(combinations(sorted(judge.free), missing))
    return {*judge.must, *min(answers, key=key(policy, judge))}
