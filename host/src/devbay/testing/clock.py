"""A clock that stands still until a test moves it."""


class ManualClock:
    """Seconds that pass when they are told to. Call it for the time; give it to a kubelet or a host as its `clock`."""

    def __init__(self, now: float = 1000.0) -> None:
        self._now = now

    def __call__(self) -> float:
        """Return the time, in seconds."""
        return self._now

    def advance(self, seconds: float) -> float:
        """Let `seconds` pass; return the time after them. A clock that went back would be no clock."""
        if seconds < 0:
            raise ValueError(f"a clock does not go back, by {-seconds:g} s or at all")
        self._now += seconds
        return self._now
