"""XIDs, the numbers of the driver's error reports: which are heeded, and what each means for a GPU.

Pure. The lists that NVIDIA's plugin reads from ``DP_DISABLE_HEALTHCHECKS`` and ``DP_ENABLE_HEALTHCHECKS`` are
understood as it documents them (their ``internal/rm/health.go``): one list cannot undo the other by accident.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Meaning: TypeAlias = Literal["ignore", "device", "reset", "node"]
"""What follows an XID: nothing; the GPU rests until it has been quiet; it needs a reset; all GPUs of the node do."""

APPLICATION = frozenset({13, 31, 43, 45, 68, 109})
"""What a faulty program causes, and the next one does not suffer from (their list)."""

RESET = frozenset({48, 62, 64, 74, 79, 95, 119, 120, 140, 143})
"""What NVIDIA's catalogue of XIDs says is over only after the GPU, or the node, was reset."""

_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Listed:
    """What such a variable lists.

    Attributes:
        numbers: the XIDs.
        everything: whether it says ``all`` (or ``xids``).
    """

    numbers: frozenset[int] = frozenset()
    everything: bool = False

    def __contains__(self, xid: int) -> bool:
        return self.everything or xid in self.numbers


def parse(text: str) -> Listed:
    """Return what a variable lists; items that are no XID are skipped.

    >>> sorted(parse("68, not-an-int,67").numbers), parse("xids").everything
    ([67, 68], True)
    """
    items = [item.strip().lower() for item in text.split(",")]
    return Listed(
        numbers=frozenset(int(item) for item in items if _NUMBER.fullmatch(item)),
        everything=not {"all", "xids"}.isdisjoint(items),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What each XID means.

    Attributes:
        disabled: those that an operator wants ignored.
        enabled: those that an operator wants heeded, whatever else says not.
        meanings: what an operator says of single ones; that counts first.
    """

    disabled: Listed = field(default_factory=Listed)
    enabled: Listed = field(default_factory=Listed)
    meanings: Mapping[int, Meaning] = field(default_factory=dict)

    def meaning(self, xid: int) -> Meaning:
        """Return what an XID means."""
        if xid in self.meanings:
            return self.meanings[xid]
        if xid not in self.enabled and (xid in self.disabled or xid in APPLICATION):
            return "ignore"
        return "reset" if xid in RESET else "device"
