"""One request, made ready to be answered: what is held already, what is free, device by device."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from devbay.model import Device
from devbay.sharing import device_id

UNKNOWN_NODE = -1
"""Stands for all NUMA nodes that are not known: a place like any other, as the kubelet has it."""


@dataclass(frozen=True, slots=True)
class Stock:
    """What a request may take of one device.

    Attributes:
        id: the device's.
        nodes: the NUMA nodes it is close to.
        parent: the physical thing it is part of; itself where it is part of none.
        held: how many of its shares must be in the answer.
        free: its other available shares, sorted; an unshared device has one.
    """

    id: str
    nodes: tuple[int, ...]
    parent: str
    held: int
    free: tuple[str, ...]

    def is_near(self, nodes: frozenset[int]) -> bool:
        """Whether it is close to one of these NUMA nodes."""
        return not nodes.isdisjoint(self.nodes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A request.

    Attributes:
        must: the ids that the answer begins with, each once.
        missing: how many more are to be chosen; never more than there are.
        short: how many were asked for that there are not.
        stocks: the devices behind the must-includes and the available ids, sorted by id.
    """

    must: tuple[str, ...]
    missing: int
    short: int
    stocks: tuple[Stock, ...]

    @property
    def fresh(self) -> list[Stock]:
        """The devices that the answer does not hold yet and could take."""
        return [stock for stock in self.stocks if stock.free and not stock.held]

    @property
    def held(self) -> list[Stock]:
        """The devices that the answer holds already."""
        return [stock for stock in self.stocks if stock.held]

    @property
    def is_unshared(self) -> bool:
        """Whether no device could be in the answer twice."""
        return all(stock.held + len(stock.free) <= 1 for stock in self.stocks if stock.free)

    @property
    def has_families(self) -> bool:
        """Whether two of the devices have one parent."""
        return len({stock.parent for stock in self.stocks}) < len(self.stocks)

    def shares(self, given: Mapping[str, int]) -> tuple[str, ...]:
        """Return the ids that are given if each device gives so many: all first shares, then all second ones, …."""
        turns = [
            (stock.held + turn, share)
            for stock in self.stocks
            for turn, share in enumerate(stock.free[: given.get(stock.id, 0)])
        ]
        return tuple(share for _, share in sorted(turns))


def question(
    devices: Mapping[str, Device], available: Sequence[str], must_include: Sequence[str], size: int
) -> Question:
    """Return the request for `size` ids."""
    must = tuple(dict.fromkeys(must_include))
    free: dict[str, list[str]] = defaultdict(list)
    others = sorted(set(available).difference(must))
    for share in others:
        free[device_id(share)].append(share)
    held: dict[str, int] = defaultdict(int)
    for share in must:
        held[device_id(share)] += 1
    stocks = tuple(
        _stock(one, devices.get(one), held.get(one, 0), tuple(free.get(one, ()))) for one in sorted({*free, *held})
    )
    wanted = max(0, size - len(must))
    missing = min(wanted, len(others))
    return Question(must=must, missing=missing, short=wanted - missing, stocks=stocks)


def _stock(name: str, device: Device | None, held: int, free: tuple[str, ...]) -> Stock:
    if device is None:
        return Stock(name, (UNKNOWN_NODE,), name, held, free)
    return Stock(name, device.numa_nodes or (UNKNOWN_NODE,), device.parent or name, held, free)
