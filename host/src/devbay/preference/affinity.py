"""How close devices are to each other, as their backend says: pairs of device ids with a score each.

Made once per snapshot, before anyone asks, so that what costs time is done then: scores become whole numbers, whose
sums do not depend on the order in which they are added, and devices that stand alike to all others are found.
"""

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from types import MappingProxyType

_NONE: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Affinity:
    """Scores of pairs of devices; symmetric, higher is closer, a pair that is not in it has 0. Made by `Affinity.of`.

    Attributes:
        rows: whole-number scores by device id and other device's id.
        unit: what 1 in `rows` is in the backend's own scores.
        alike: a device's stand-in, by device id: two with one stand-in have the same scores to all others.
    """

    rows: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    unit: Fraction = Fraction(1)
    alike: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, pairs: Mapping[tuple[str, str], float]) -> "Affinity":
        """Return the affinity with these scores by pair of device ids, each pair in either order or both.

        Where both orders are given and differ, the lower counts. A device's score with itself, and one that is not
        finite, is as if it were not there.

        >>> links = Affinity.of({("a", "b"): 2.5, ("c", "b"): 10})
        >>> links.score("b", "a"), links.score("b", "c"), links.score("a", "c")
        (2.5, 10.0, 0.0)
        """
        scores: dict[tuple[str, str], float] = {}
        for (a, b), score in pairs.items():
            if a != b and math.isfinite(score):
                key = (a, b) if a < b else (b, a)
                scores[key] = min(score, scores.get(key, score))
        ratios = {key: score.as_integer_ratio() for key, score in scores.items() if score}
        if not ratios:
            return cls()
        denominator = max(below for _, below in ratios.values())  # powers of 2: the largest is a multiple of all
        whole = {key: above * (denominator // below) for key, (above, below) in ratios.items()}
        divisor = math.gcd(*whole.values())
        rows: dict[str, dict[str, int]] = defaultdict(dict)
        for (a, b), score in whole.items():
            rows[a][b] = rows[b][a] = score // divisor
        return cls(rows=dict(rows), unit=Fraction(divisor, denominator), alike=_alike(rows))

    def row(self, device_id: str) -> Mapping[str, int]:
        """Return the whole-number scores of one device, by the other's id; without those that are 0."""
        return self.rows.get(device_id, _NONE)

    def score(self, a: str, b: str) -> float:
        """Return the score of a pair as the backend gave it."""
        return self.value(self.row(a).get(b, 0))

    def value(self, whole: int) -> float:
        """Return a sum of whole-number scores in the backend's own measure; the largest number where it is larger."""
        try:
            return float(whole * self.unit)
        except OverflowError:
            return math.copysign(float.fromhex("0x1.fffffffffffffp+1023"), whole)


NO_AFFINITY = Affinity()
"""Of devices whose backend says nothing about how close they are."""


def _alike(rows: Mapping[str, Mapping[str, int]]) -> dict[str, str]:
    """Return each device's stand-in: the first of those with the same scores to all others and one among themselves.

    Two are alike if their rows are equal once each is added to its own row with the score between the two: rows are
    found by a sum of hashes, to which that entry is added, and then compared.
    """
    sums = {one: sum(map(hash, row.items())) for one, row in rows.items()}
    seen: dict[tuple[int, int], str] = {}
    alike: dict[str, str] = {}
    for one in sorted(rows):
        between = sorted({0, *rows[one].values()})
        keys = [(score, sums[one] + (hash((one, score)) if score else 0)) for score in between]
        found = (seen[key] for key in keys if key in seen)
        alike[one] = next((other for other in found if _stand_alike(rows, one, other)), one)
        if alike[one] == one:
            for key in keys:
                seen.setdefault(key, one)
    return alike


def _stand_alike(rows: Mapping[str, Mapping[str, int]], a: str, b: str) -> bool:
    if len(rows[a]) != len(rows[b]):
        return False
    return all(other == b or rows[b].get(other) == score for other, score in rows[a].items())
