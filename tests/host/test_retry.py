"""How long the pauses between two tries are."""

from itertools import accumulate, islice, takewhile

import pytest
import tenacity

from devbay.retry import BACKEND, IMMEDIATE, KUBELET, REGISTRATION, Pauses


def steady(policy: Pauses, number: int) -> list[float]:
    """Return a policy's first pauses without chance."""
    return list(islice(Pauses(policy.wait, jitter=0), number))


@pytest.mark.parametrize(
    ("policy", "first", "cap"),
    [
        pytest.param(REGISTRATION, 0.02, 20, id="registration"),
        pytest.param(KUBELET, 0.005, 5, id="kubelet"),
        pytest.param(BACKEND, 0.2, 60, id="backend"),
    ],
)
def test_pauses_grow_and_are_capped(policy: Pauses, first: float, cap: float) -> None:
    """P4: pauses begin short, never shrink, and stop growing at a cap, however often one tries."""
    pauses = steady(policy, 5000)

    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (first, cap)


def test_a_kubelet_that_comes_up_is_asked_often() -> None:
    """P5: a socket that does not answer yet is tried every 5 to 20 ms for two seconds."""
    pauses = steady(KUBELET, 1000)
    often = list(takewhile(lambda pause: 0.005 <= pause <= 0.02, pauses))

    assert list(accumulate(often))[-1] == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize("policy", [REGISTRATION, KUBELET, BACKEND])
def test_jitter(policy: Pauses) -> None:
    """P4: fifty resources do not knock at once: each pause is off by up to a fifth, at the cap too."""
    plain = steady(policy, 1000)
    ratios = [pause / base for pause, base in zip(policy, plain, strict=False)]

    assert 0.8 <= min(ratios) < 0.85
    assert 1.15 < max(ratios) <= 1.2
    assert len(set(ratios[-100:])) > 90


def test_every_series_begins_anew() -> None:
    """A policy is a value: two that use it do not lengthen each other's pauses."""
    policy = Pauses(tenacity.wait_exponential(multiplier=1), jitter=0)
    first = iter(policy)

    assert list(islice(first, 3)) == [1, 2, 4]
    assert list(islice(policy, 3)) == [1, 2, 4]


def test_immediate() -> None:
    """The policy for tests waits for nothing."""
    assert list(islice(IMMEDIATE, 100)) == [0] * 100
