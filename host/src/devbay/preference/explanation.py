"""A choice as a person wants to read it: which ids, why each, what is used and what is left."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from devbay.model import Device
from devbay.preference.affinity import Affinity
from devbay.preference.choice import Choice
from devbay.preference.groups import Group, groups
from devbay.preference.kinds import Closeness
from devbay.preference.measure import Measure
from devbay.preference.policy import Policy
from devbay.preference.question import UNKNOWN_NODE, Question, Stock
from devbay.sharing import device_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """One id of an answer.

    Attributes:
        id: the id.
        numa_nodes: the NUMA nodes its device is close to; empty if they are not known.
        parent: what its device is part of; None if it is part of none.
        affinity: how close its device is to the others in the answer, added up.
        reason: why it is in the answer.
    """

    id: str
    numa_nodes: tuple[int, ...]
    parent: str | None
    affinity: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """An answer and why it is the one.

    Attributes:
        policy: what mattered first.
        picks: the ids, as `prefer` returns them.
        missing: how many fewer they are than were asked for.
        numa_nodes: the NUMA nodes that their devices are close to, as far as they are known.
        inside: affinity of the devices in the answer to each other, added up over pairs.
        outside: the same of the devices that are left whole.
        whole: groups of which all devices were available and none is in the answer.
        broken: groups of which some device is in the answer and some that was available is not.
        exact: whether the policy knows no better answer; otherwise the best that was found in bounded time.
    """

    policy: Policy
    picks: tuple[Pick, ...]
    missing: int
    numa_nodes: tuple[int, ...]
    inside: float
    outside: float
    whole: tuple[Group, ...]
    broken: tuple[Group, ...]
    exact: bool

    @property
    def chosen(self) -> tuple[str, ...]:
        """The ids alone."""
        return tuple(pick.id for pick in self.picks)


def of(
    asked: Question,
    choice: Choice,
    policy: Policy,
    affinity: Affinity,
    devices: Mapping[str, Device],
) -> Explanation:
    """Return the explanation of a choice."""
    closeness = Closeness.among(affinity, len(asked.stocks))
    measure = Measure(asked, closeness)
    used, left = measure.used(choice.given), {stock.id for stock in measure.left(choice.given)}
    ids = (*asked.must, *asked.shares(choice.given))
    names = {stock.id for stock in used}
    known = groups(devices, affinity)
    return Explanation(
        policy=policy,
        picks=_picks(asked, ids, used, devices, affinity),
        missing=asked.short,
        numa_nodes=tuple(sorted({node for stock in used for node in stock.nodes if node != UNKNOWN_NODE})),
        inside=closeness.affinity_of(measure.inside(choice.given)),
        outside=closeness.affinity_of(measure.outside(choice.given)),
        whole=tuple(group for group in known if left.issuperset(group.devices)),
        broken=tuple(
            group for group in known if not names.isdisjoint(group.devices) and not left.isdisjoint(group.devices)
        ),
        exact=choice.exact,
    )


def _picks(
    asked: Question, ids: Sequence[str], used: Sequence[Stock], devices: Mapping[str, Device], affinity: Affinity
) -> tuple[Pick, ...]:
    stocks = {stock.id: stock for stock in used}
    is_all = asked.missing == sum(len(stock.free) for stock in asked.stocks)
    seen: set[str] = set()
    picks = []
    for share in ids:
        stock = stocks[device_id(share)]
        if share in asked.must:
            reason = "must be included"
        elif is_all:
            reason = "all that are available are needed"
        else:
            reason = _reason(stock, used, affinity, is_first=stock.id not in seen)
        seen.add(stock.id)
        device = devices.get(stock.id)
        picks.append(
            Pick(
                id=share,
                numa_nodes=device.numa_nodes if device else (),
                parent=device.parent if device else None,
                affinity=affinity.value(sum(affinity.row(stock.id).get(other.id, 0) for other in used)),
                reason=reason,
            )
        )
    return tuple(picks)


def _reason(stock: Stock, used: Sequence[Stock], affinity: Affinity, *, is_first: bool) -> str:
    """Say what ties a device to the others in the answer most."""
    others = [other for other in used if other.id != stock.id]
    row = affinity.row(stock.id)
    closest = max(others, key=lambda other: row.get(other.id, 0), default=None)
    siblings = [other.id for other in others if other.parent == stock.parent]
    near = [other.id for other in others if set(other.nodes) & set(stock.nodes) - {UNKNOWN_NODE}]
    if not is_first:
        return f"one more share of {stock.id}, as the policy has it"
    if closest is not None and row.get(closest.id, 0) > 0:
        return f"affinity {affinity.score(stock.id, closest.id):g} with {closest.id}"
    if siblings:
        return f"of one parent, {stock.parent}, with {siblings[0]}"
    if near:
        return f"shares a NUMA node with {near[0]}"
    return "no other leaves more whole; the lowest id of equals" if not others else "nothing ties it to the others"
