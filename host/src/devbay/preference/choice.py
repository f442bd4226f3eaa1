"""The choosing itself: a way for each policy, from a request to how many shares each device gives.

Each way settles the wishes that are counts first (`places`, `filling`), and has what is left picked by closeness:
weighed against each other where that can be (`weighing`), by their places where they are too many (`rough`).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TypeVar

from devbay.preference import filling, places, rough
from devbay.preference.affinity import Affinity
from devbay.preference.filling import Filling
from devbay.preference.kinds import Closeness, kinds
from devbay.preference.measure import Measure, idleness
from devbay.preference.places import Places
from devbay.preference.policy import Policy
from devbay.preference.question import Question, Stock
from devbay.preference.weighing import MOST_KINDS, Weighing
from devbay.sharing import device_id

T = TypeVar("T")

_FEW = 256
"""Answers that are measured one by one."""

_EFFORT = 30_000
"""Devices that are looked at while devices are picked from several sets of places, one set after the other."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What is given.

    Attributes:
        given: how many shares each device gives, by device id.
        exact: whether the policy knows no better answer, by comparison with all others.
    """

    given: Mapping[str, int]
    exact: bool


def choose(asked: Question, policy: Policy, affinity: Affinity) -> Choice:
    """Return what a request gets."""
    if asked.missing == sum(len(stock.free) for stock in asked.stocks):
        return Choice({stock.id: len(stock.free) for stock in asked.stocks}, exact=True)
    if not asked.missing:
        return Choice({}, exact=True)
    return _WAYS[policy](_Chooser(asked, policy, affinity))


class _Chooser:
    """A request, with what its ways share."""

    def __init__(self, asked: Question, policy: Policy, affinity: Affinity) -> None:
        self.asked = asked
        self.affinity = affinity
        self.measure = Measure(asked, Closeness.among(affinity, len(asked.stocks)))
        by_kind = kinds(affinity, asked.stocks)
        self.weighing = Weighing(asked, by_kind, affinity, policy) if len(by_kind) <= MOST_KINDS else None

    def pick(self, candidates: Sequence[Stock], wanted: int, times: int) -> tuple[list[Stock], bool]:
        """Return `wanted` fresh devices, and whether there are no better."""
        if self.weighing is None:
            return rough.pick(candidates, self.asked.held, self.affinity, wanted), len(candidates) == wanted
        return self.weighing.pick(candidates, wanted, times)

    def affordable(self, sets: Sequence[T]) -> Sequence[T]:
        """Return the first of some sets of places: so many that from each of them devices can be picked in time."""
        kinds = self.weighing.kinds if self.weighing else MOST_KINDS
        return sets[: max(1, _EFFORT // (self.asked.missing * kinds))]

    def worth(self, devices: Iterable[Stock], idle: int = 0) -> int:
        """Return what fresh devices are worth."""
        return 0 if self.weighing is None else self.weighing.worth(devices, idle)

    def fill(self, stocks: Sequence[Stock], even: Filling, times: int) -> "_Draft":
        """Return the shares of an even filling, with the choice that it leaves made."""
        given = dict(even.settled)
        if even.level == 0:
            picked, is_exact = self.pick(even.givers, even.last, times)
        else:  # all devices are in the answer: what is left to choose is who gives one share more
            order = sorted(even.givers, key=lambda one: (given.get(one.id, 0) - len(one.free), _next(one, given)))
            picked, is_exact = order[: even.last], True
        for stock in picked:
            given[stock.id] = given.get(stock.id, 0) + 1
        fresh = [stock for stock in stocks if stock.id in given and not stock.held]
        idle = sum(idleness(len(one.free), given.get(one.id, 0)) for one in stocks)
        return _Draft(given, is_exact, fresh, _ids(stocks, given), idle - sum(len(one.free) for one in fresh))


@dataclass(frozen=True, slots=True)
class _Draft:
    given: Mapping[str, int]
    exact: bool
    fresh: Sequence[Stock]
    ids: Sequence[str]
    idle: int = 0


def _next(stock: Stock, given: Mapping[str, int]) -> str:
    return stock.free[given.get(stock.id, 0)]


def _ids(stocks: Iterable[Stock], given: Mapping[str, int]) -> list[str]:
    return sorted(share for stock in stocks for share in stock.free[: given.get(stock.id, 0)])


def _best(chooser: _Chooser, drafts: Sequence[_Draft], *, are_all: bool) -> Choice:
    best = drafts[0]
    if len(drafts) > 1:
        best = min(drafts, key=lambda draft: (-chooser.worth(draft.fresh, draft.idle), draft.ids))
    return Choice(best.given, are_all and all(draft.exact for draft in drafts))


def _topology(chooser: _Chooser) -> Choice:
    """Fewest NUMA nodes first; then, in each set of them, evenly."""
    asked = chooser.asked
    room = {stock.id: len(stock.free) for stock in asked.stocks}
    return _near(chooser, places.nodes(asked.stocks, room, asked.missing))


def _distinct(chooser: _Chooser) -> Choice:
    """Evenly first; then, if not all devices have to give, fewest NUMA nodes."""
    asked = chooser.asked
    even = filling.evenly(asked.stocks, asked.missing)
    if even.level:
        return _of_fillings(chooser, [(asked.stocks, even)], are_all=True)
    return _near(chooser, places.nodes(asked.stocks, {stock.id: 1 for stock in even.givers}, even.last))


def _near(chooser: _Chooser, near: Places[int]) -> Choice:
    """Evenly in each set of NUMA nodes."""
    asked = chooser.asked
    sets = near.sets[: max(1, _EFFORT // (2 * len(asked.stocks)))]
    fillings = []
    for nodes in sets:
        stocks = [stock for stock in asked.stocks if stock.is_near(nodes)]
        fillings.append((stocks, filling.evenly(stocks, asked.missing)))
    return _of_fillings(chooser, fillings, are_all=near.are_all and len(sets) == len(near.sets))


def _of_fillings(chooser: _Chooser, fillings: Sequence[tuple[Sequence[Stock], Filling]], *, are_all: bool) -> Choice:
    fewest = min(even.doublings for _, even in fillings)
    fillings = [(stocks, even) for stocks, even in fillings if even.doublings == fewest]
    tried = chooser.affordable(fillings)
    return _best(
        chooser,
        [chooser.fill(stocks, even, len(tried)) for stocks, even in tried],
        are_all=are_all and len(tried) == len(fillings),
    )


def _spread(chooser: _Chooser) -> Choice:
    """Evenly over parents, and their devices; weighed where no device gives twice."""
    asked = chooser.asked
    if asked.is_unshared and chooser.weighing is not None:
        picked, is_exact = chooser.pick(asked.fresh, asked.missing, times=1)
        return Choice({stock.id: 1 for stock in picked}, is_exact)
    if not asked.has_families and chooser.weighing is not None:
        return _of_fillings(chooser, [(asked.stocks, filling.evenly(asked.stocks, asked.missing))], are_all=True)
    given = filling.over_parents(asked.stocks, asked.missing)
    ways = prod(len(stock.free) + 1 for stock in asked.stocks)
    return Choice(given, exact=False) if ways > _FEW else _best_spread(chooser, given)


def _best_spread(chooser: _Chooser, given: Mapping[str, int]) -> Choice:
    """Return the best of the answers that are as even as `given`, which is as even as can be."""
    asked, measure = chooser.asked, chooser.measure
    even = measure.unevenness(given)
    names = [stock.id for stock in asked.stocks]
    answers = (
        dict(zip(names, counts, strict=True))
        for counts in product(*(range(len(stock.free) + 1) for stock in asked.stocks))
        if sum(counts) == asked.missing
    )
    as_even = [answer for answer in answers if measure.unevenness(answer) == even]
    return Choice(
        min(as_even, key=lambda one: (-measure.inside(one), -measure.outside(one), measure.ids(one))), exact=True
    )


def _pack(chooser: _Chooser) -> Choice:
    """Fewest parents, the fullest; in each set of them fewest devices, the fullest; of those, the best."""
    asked = chooser.asked
    if not asked.has_families:
        return _best_packed(chooser, _packed(chooser, asked.stocks, times=1), are_all=True)
    room: dict[str, int] = defaultdict(int)
    for stock in asked.stocks:
        room[stock.parent] += len(stock.free)
    opened = places.fullest(room, (stock.parent for stock in asked.held), asked.missing)
    sets = chooser.affordable(opened.sets)
    drafts = [
        draft
        for parents in sets
        for draft in _packed(chooser, [stock for stock in asked.stocks if stock.parent in parents], len(sets))
    ]
    return _best_packed(chooser, drafts, are_all=opened.are_all and len(sets) == len(opened.sets))


def _best_packed(chooser: _Chooser, drafts: Sequence[_Draft], *, are_all: bool) -> Choice:
    def opened(draft: _Draft) -> tuple[int, int]:
        return len(draft.fresh), sum(len(stock.free) for stock in draft.fresh)

    fewest = min(map(opened, drafts))
    return _best(
        chooser,
        [draft for draft in drafts if opened(draft) == fewest],
        are_all=are_all and all(draft.exact for draft in drafts),
    )


def _packed(chooser: _Chooser, stocks: Sequence[Stock], times: int) -> list[_Draft]:
    """Return answers that open as few of these devices as can be."""
    held = [stock for stock in stocks if stock.held]
    fresh = [stock for stock in stocks if stock.free and not stock.held]
    missing = chooser.asked.missing - sum(len(stock.free) for stock in held)
    sizes = {len(stock.free) for stock in fresh}
    if missing <= 0:
        sets, are_all = [held], True
    elif len(sizes) == 1:
        picked, are_all = chooser.pick(fresh, -(-missing // sizes.pop()), times)
        sets = [[*held, *picked]]
    else:
        opened = places.fullest({stock.id: len(stock.free) for stock in fresh}, (), missing)
        tried = chooser.affordable(opened.sets)
        sets = [[*held, *(stock for stock in fresh if stock.id in names)] for names in tried]
        are_all = opened.are_all and len(tried) == len(opened.sets) and chooser.weighing is not None
    return [_filled(chooser, one, is_exact=are_all) for one in sets]


def _filled(chooser: _Chooser, stocks: Sequence[Stock], *, is_exact: bool) -> _Draft:
    """Return the answer that takes the lowest ids of these devices."""
    given: dict[str, int] = defaultdict(int)
    ids = sorted(share for stock in stocks for share in stock.free)[: chooser.asked.missing]
    for share in ids:
        given[device_id(share)] += 1
    fresh = [stock for stock in stocks if not stock.held]
    return _Draft(given, is_exact, fresh, ids)


_WAYS: Mapping[Policy, Callable[[_Chooser], Choice]] = {
    Policy.TOPOLOGY: _topology,
    Policy.DISTINCT: _distinct,
    Policy.SPREAD: _spread,
    Policy.PACK: _pack,
}
