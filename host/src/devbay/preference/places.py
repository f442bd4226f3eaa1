"""The fewest places that can hold a request: NUMA nodes, parents, devices.

A device may be close to several NUMA nodes: a set of nodes holds what is close to one of them. A share has one device,
and a device one parent: there the fullest are looked for, those whose room is least and still suffices. All smallest
sets are returned while they are few; otherwise one that is found place by place.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, combinations
from math import comb
from typing import Generic, TypeVar

from devbay.preference.question import Stock

_LOOKED_AT = 20_000
_KEPT = 70
"""Sets that are looked at, and that a choice is made from; a machine with eight NUMA nodes has 70 of four."""


Place = TypeVar("Place", int, str)


@dataclass(frozen=True, slots=True)
class Places(Generic[Place]):
    """Where to choose from.

    Attributes:
        sets: sets of places that can hold the request, all of one size.
        are_all: whether there is no other set as small.
    """

    sets: tuple[frozenset[Place], ...]
    are_all: bool


def fullest(room: Mapping[str, int], held: Iterable[str], missing: int) -> Places[str]:
    """Return the smallest sets of places with room for `missing`, of those the ones with the least room.

    Args:
        room: how much each place can give.
        held: places that are in every set.
        missing: how much is wanted; no more than all can give.
    """
    settled = frozenset(held)
    missing -= sum(room.get(place, 0) for place in settled)
    if missing <= 0:
        return Places((settled,), are_all=True)
    others = sorted((place for place in room if place not in settled and room[place]), key=lambda place: -room[place])
    number = next(n for n, total in enumerate(accumulate(room[place] for place in others), 1) if total >= missing)
    if comb(len(others), number) > _LOOKED_AT // number:
        return Places((settled | _shrunk(room, others, number, missing),), are_all=False)
    found: list[tuple[str, ...]] = []
    least = sum(room[place] for place in others) + 1
    for chosen in combinations(sorted(others), number):
        total = sum(map(room.__getitem__, chosen))
        if missing <= total < least:
            found, least = [], total
        if total == least:
            found.append(chosen)
    return Places(tuple(settled | set(chosen) for chosen in found[:_KEPT]), are_all=len(found) <= _KEPT)


def _shrunk(room: Mapping[str, int], others: Sequence[str], number: int, missing: int) -> frozenset[str]:
    """Return the `number` roomiest places, exchanged for less roomy ones as long as they have room for `missing`."""
    spare = sum(room[place] for place in others[:number]) - missing
    of_size: dict[int, list[str]] = defaultdict(list)
    for place in sorted(others, reverse=True):
        of_size[room[place]].append(place)
    chosen: dict[int, list[str]] = defaultdict(list)
    for place in others[:number]:
        chosen[room[place]].append(of_size[room[place]].pop())
    while spare:
        fits = [(big - small, big, small) for big in chosen if chosen[big] for small in of_size if of_size[small]]
        saved, big, small = max((fit for fit in fits if 0 < fit[0] <= spare), default=(0, 0, 0))
        if not saved:
            break
        spare -= saved
        of_size[big].append(chosen[big].pop())
        chosen[small].append(of_size[small].pop())
    return frozenset(place for places in chosen.values() for place in places)


def nodes(stocks: Iterable[Stock], room: Mapping[str, int], missing: int) -> Places[int]:
    """Return the smallest sets of NUMA nodes that hold what must be included and have `room` for `missing` more.

    Args:
        stocks: the devices.
        room: how many of the missing each can give, by device id.
        missing: how many are wanted.
    """
    rooms: dict[tuple[int, ...], int] = defaultdict(int)
    held: set[tuple[int, ...]] = set()
    for stock in stocks:
        rooms[stock.nodes] += room.get(stock.id, 0)
        if stock.held:
            held.add(stock.nodes)
    every = sorted({node for near in rooms for node in near})
    looked_at = 0
    for size in range(1, len(every) + 1):
        looked_at += comb(len(every), size) * len(rooms)
        if looked_at > _LOOKED_AT:
            break
        found = [
            chosen
            for chosen in map(frozenset, combinations(every, size))
            if all(not chosen.isdisjoint(near) for near in held) and _room(rooms, chosen) >= missing
        ]
        if found:
            tightest = sorted(found, key=lambda chosen: (_room(rooms, chosen), sorted(chosen)))
            return Places(tuple(tightest[:_KEPT]), are_all=len(found) <= _KEPT)
    return Places((_roomiest(rooms, held, missing),), are_all=False)


def _room(rooms: Mapping[tuple[int, ...], int], chosen: frozenset[int]) -> int:
    return sum(room for near, room in rooms.items() if not chosen.isdisjoint(near))


def _roomiest(rooms: Mapping[tuple[int, ...], int], held: Iterable[tuple[int, ...]], missing: int) -> frozenset[int]:
    chosen: set[int] = set()
    for near in sorted(held):
        if chosen.isdisjoint(near):
            chosen.add(near[0])
    beside: dict[int, int] = defaultdict(int)
    for near, room in rooms.items():
        for node in near:
            beside[node] += room
    order = sorted(beside, key=lambda node: (-beside[node], node))
    for node in order:
        if _room(rooms, frozenset(chosen)) >= missing:
            break
        chosen.add(node)
    return frozenset(chosen)
