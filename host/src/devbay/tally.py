"""What is counted where it happens, and read from elsewhere: durations, and events by kind.

Plain numbers on the event loop, which is the only one that writes them; what reads them gets a copy. They belong to
what they are about (a registration, a runner) and go with it, so that no count outlives its resource. Nothing here
knows how they are shown.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

QUICK = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5)
"""Bounds in seconds for what is answered from memory, up to a deadline of seconds."""

PATIENT = (0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 5.0, 15.0, 30.0)
"""Bounds in seconds for calls into hardware, up to the deadlines of such calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Durations:
    """How long something took, so far.

    Attributes:
        bounds: the upper bounds of the buckets in seconds; a last one, without a bound, follows.
        counts: how many durations fell into each bucket.
        total: the sum of all, in seconds.
        last: the latest, in seconds; None before the first.
    """

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float
    last: float | None

    @property
    def count(self) -> int:
        """How many there were."""
        return sum(self.counts)


class Stopwatch:
    """Collects durations."""

    __slots__ = ("_bounds", "_counts", "_last", "_total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._total = 0.0
        self._last: float | None = None

    def add(self, seconds: float) -> None:
        """Take in one duration."""
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._total += seconds
        self._last = seconds

    def read(self) -> Durations:
        """Return what was collected."""
        return Durations(bounds=self._bounds, counts=tuple(self._counts), total=self._total, last=self._last)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceCounts:
    """What happened to one resource since it was offered.

    Attributes:
        allocations: how long each Allocate that was answered took.
        containers: how many containers were given devices.
        failures: how many of the kubelet's calls could not be answered, by the name of the error.
        preferred: how often the kubelet asked which devices are best.
        registrations: how often the kubelet accepted the resource.
        refusals: how often it answered a registration with an error.
        restarts: how often its open stream was lost: it ended, the socket's file went, or a new kubelet came up.
    """

    allocations: Durations
    containers: int = 0
    failures: Mapping[str, int] = field(default_factory=dict, hash=False)
    preferred: int = 0
    registrations: int = 0
    refusals: int = 0
    restarts: int = 0


class ResourceTally:
    """Counts for one resource."""

    def __init__(self) -> None:
        self.allocations = Stopwatch(QUICK)
        self.containers = 0
        self.failures: Counter[str] = Counter()
        self.preferred = 0
        self.registrations = 0
        self.refusals = 0
        self.restarts = 0

    def read(self) -> ResourceCounts:
        """Return the counts of this moment."""
        return ResourceCounts(
            allocations=self.allocations.read(),
            containers=self.containers,
            failures=dict(self.failures),
            preferred=self.preferred,
            registrations=self.registrations,
            refusals=self.refusals,
            restarts=self.restarts,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CallCounts:
    """What one hook of a backend did so far.

    Attributes:
        seconds: how long its calls took, those that were given up included.
        failures: how many raised, answered nonsense or ran past their deadline.
    """

    seconds: Durations
    failures: int = 0


class CallTally:
    """Counts the calls of one backend, by hook. The hooks are few, so these are."""

    def __init__(self) -> None:
        self._seconds: dict[str, Stopwatch] = {}
        self._failures: Counter[str] = Counter()

    def took(self, hook: str, seconds: float) -> None:
        """Take in that a call ended, well or not."""
        if (watch := self._seconds.get(hook)) is None:
            watch = self._seconds[hook] = Stopwatch(PATIENT)
        watch.add(seconds)

    def failed(self, hook: str) -> None:
        """Take in that a call failed."""
        self._failures[hook] += 1

    def read(self) -> dict[str, CallCounts]:
        """Return the counts of this moment, by hook."""
        return {
            hook: CallCounts(seconds=watch.read(), failures=self._failures[hook])
            for hook, watch in self._seconds.items()
        }
