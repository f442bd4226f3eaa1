"""The answer is the best there is, as a brute force that tries them all finds it (P15)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devbay.preference import Affinity, Policy, prefer
from tests.host.preference import brute
from tests.host.preference.requests import Request, small


@pytest.mark.parametrize("policy", Policy)
@settings(max_examples=400)
@given(request=st.booleans().flatmap(lambda shared: small(shared=shared)))
def test_small_requests_get_the_best_answer(policy: Policy, request: Request) -> None:
    """P15: where all answers can be tried, the one that is given is the best by the policy's own order of wishes."""
    judge = brute.Judge(request.devices, request.available, request.must, request.pairs)
    answer = prefer(
        request.devices,
        request.available,
        request.must,
        request.size,
        policy=policy,
        affinity=Affinity.of(request.pairs),
    )

    assert set(answer) == brute.best(policy.value, judge, request.size)
