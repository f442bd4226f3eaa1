"""How long to wait before trying again: named policies over tenacity, which is imported here alone.

A policy is a value that makes pauses; who waits, and for what, is the caller's business. Pauses grow, are capped, and
are jittered so that fifty resources do not knock at the same moment.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import tenacity
from tenacity.wait import wait_base


@dataclass(frozen=True, slots=True)
class Pauses:
    """A policy: iterate it for the pauses, in seconds, after the first, second, ... failure in a row.

    Attributes:
        wait: tenacity's strategy, which says how they grow and where they stop growing.
        jitter: the share by which each is lengthened or shortened at random, also at the cap.
    """

    wait: wait_base
    jitter: float = 0.2

    def __iter__(self) -> Iterator[float]:
        state = tenacity.RetryCallState(tenacity.AsyncRetrying(wait=self.wait), None, (), {})
        for attempt in count(1):
            state.attempt_number = attempt
            yield self.wait(state) * random.uniform(1 - self.jitter, 1 + self.jitter)  # noqa: S311 - not a secret


REGISTRATION = Pauses(tenacity.wait_exponential(multiplier=0.02, exp_base=2, max=20))
"""A resource that could not be registered: from 20 ms to 20 s. A new kubelet.sock is acted on at once besides."""

KUBELET = Pauses(tenacity.wait_exponential(multiplier=0.005, exp_base=1.0075, max=5))
"""A kubelet.sock that is there and does not answer: every 5 to 20 ms for the first two seconds, then up to 5 s."""

BACKEND = Pauses(tenacity.wait_exponential(multiplier=0.2, exp_base=2, max=60))
"""A backend whose call failed, or whose event source ended: from 0.2 s to a minute."""

IMMEDIATE = Pauses(tenacity.wait_none())
"""No pause at all, for tests."""
