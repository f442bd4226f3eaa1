"""The list of budgets: what is measured for each, in the order of the table."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from bench import answering, listing, living, restarting
from bench.figures import Figure


class Measure(Protocol):
    """A measurement; its docstring says what is measured and how. Quick: a few samples, worth nothing but a trial."""

    def __call__(self, *, quick: bool) -> Awaitable[Figure]:
        """Measure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """One budget.

    Attributes:
        name: what it is chosen by.
        title: what it is, for people.
        measure: what measures it.
    """

    name: str
    title: str
    measure: Measure

    @property
    def how(self) -> str:
        """What is measured and how."""
        return " ".join((self.measure.__doc__ or "").split())


def _budget(name: str, title: str, measure: Callable[..., Awaitable[Figure]]) -> Budget:
    return Budget(name=name, title=title, measure=measure)


BUDGETS = (
    _budget("start", "process start to registered", living.start),
    _budget("stop", "SIGTERM to exit (P22)", living.stop),
    _budget("memory", "resident memory", living.memory),
    _budget("idle", "idle CPU", living.idle),
    _budget("allocate", "Allocate, known answer (P14)", answering.memoised),
    _budget("allocate-first", "Allocate, first answer (P14)", answering.first),
    _budget("list", "10,000 ids listed", listing.long_list),
    _budget("list-change", "10,000 ids, one changed", listing.long_change),
    _budget("change", "a change on the wire (P11)", listing.change),
    _budget("prefer", "preferred allocation, 16 linked (P15)", answering.preferred_linked),
    _budget("prefer-shares", "preferred allocation, 1,280 shares (P15)", answering.preferred_shares),
    _budget("restart", "kubelet restart, 1 resource (P5)", restarting.restart_one),
    _budget("restart-50", "kubelet restart, 50 resources (P5)", restarting.restart_many),
    _budget("reload", "configuration reload (P20)", restarting.reload),
)
