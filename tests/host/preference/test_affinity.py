"""What a backend's scores become (P15)."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbay.model import Device
from devbay.preference import Affinity, prefer


def test_scores_are_symmetric_and_exact() -> None:
    """P15: a pair has its score in either order, as it was given; what was not given is 0."""
    links = Affinity.of({("a", "b"): 0.1, ("c", "b"): -3, ("c", "d"): 0.0})

    assert (links.score("a", "b"), links.score("b", "a")) == (0.1, 0.1)
    assert (links.score("b", "c"), links.score("c", "d"), links.score("x", "y")) == (-3.0, 0.0, 0.0)


def test_of_two_scores_the_lower_counts() -> None:
    """P15: a backend that scores a pair differently in its two orders is not believed more than it must be."""
    assert Affinity.of({("a", "b"): 2.0, ("b", "a"): 1.0}) == Affinity.of({("a", "b"): 1.0})


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf, 0.0])
def test_what_is_no_number_is_not_close(score: float) -> None:
    """P15: a score that is not finite costs that pair its closeness, and nothing else."""
    assert Affinity.of({("a", "b"): score, ("a", "a"): 5.0, ("b", "c"): 1.0}) == Affinity.of({("c", "b"): 1.0})


@given(st.dictionaries(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd")), st.floats()), st.integers(0, 4))
def test_no_score_breaks_anything(pairs: dict[tuple[str, str], float], size: int) -> None:
    """P15: whatever the scores are, there is an answer."""
    devices = {name: Device(id=name, resource="r") for name in "abcd"}

    assert len(prefer(devices, "abcd", [], size, affinity=Affinity.of(pairs))) == size


def test_those_that_stand_alike_are_found() -> None:
    """P15: devices with the same scores to all others stand in for each other; others do not."""
    linked = Affinity.of({(a, b): 6.0 for a in "abcd" for b in "abcd" if a < b} | {("d", "e"): 6.0})

    assert {linked.alike[one] for one in "abc"} == {"a"}
    assert linked.alike["d"] == "d"
    assert linked.alike["e"] == "e"
