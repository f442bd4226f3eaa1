"""A token bucket: so many calls a second, and so many at once. Pure but for the clock's readings."""

from dataclasses import dataclass


@dataclass(slots=True)
class Limiter:
    """Says whether a call may happen now, as golang.org/x/time/rate does.

    Attributes:
        per_second: how many tokens come back in a second.
        burst: how many tokens there are at most, and at first.
    """

    per_second: float
    burst: int
    _tokens: float = -1.0
    _last: float = 0.0

    def allow(self, now: float) -> bool:
        """Take a token if there is one."""
        back = self.burst if self._tokens < 0 else (now - self._last) * self.per_second
        self._tokens = min(self.burst, max(self._tokens, 0.0) + back)
        self._last = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
