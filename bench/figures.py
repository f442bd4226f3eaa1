"""A figure: samples of one budget, the statistic of them that is judged, and the limit it is held to. Pure."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Judged: TypeAlias = Literal["p50", "p95", "p99", "max"]

_QUARTILES = (0.25, 0.75)


def quantile(samples: Sequence[float], part: float) -> float:
    """Return the sample below which this part of all samples is, between two of them in proportion.

    >>> quantile([1, 2, 3, 4, 5], 0.5), quantile([1, 2], 0.95)
    (3.0, 1.95)
    """
    ordered = sorted(samples)
    place = part * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return float(ordered[below] + (ordered[above] - ordered[below]) * (place - below))


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What was measured for one budget.

    Attributes:
        unit: of the samples and the limit; ``x`` for a ratio.
        limit: what the judged statistic may be at most.
        judged: which statistic the budget is about.
        samples: all that was measured; none where it cannot be measured here.
        beside: other figures of the same run that explain this one, by what they are, with their units in their names.
        remark: what a reader must know about it.
    """

    unit: str
    limit: float
    judged: Judged
    samples: tuple[float, ...]
    beside: Mapping[str, float] = field(default_factory=dict)
    remark: str = ""

    @property
    def value(self) -> float | None:
        """The statistic that is judged."""
        return self.spread.get(self.judged)

    @property
    def kept(self) -> bool | None:
        """Whether the budget is kept; None where nothing could be measured."""
        return None if self.value is None else self.value <= self.limit

    @property
    def spread(self) -> dict[str, float]:
        """The samples in five numbers; ``iqr`` is the distance of the quartiles."""
        if not self.samples:
            return {}
        low, high = (quantile(self.samples, part) for part in _QUARTILES)
        return {
            "p50": statistics.median(self.samples),
            "p95": quantile(self.samples, 0.95),
            "p99": quantile(self.samples, 0.99),
            "max": max(self.samples),
            "iqr": high - low,
        }
