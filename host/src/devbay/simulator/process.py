"""What the parts of one kubelet process share: its place, its release, its clock, its randomness. Values only."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from devbay.simulator.journal import Journal
from devbay.simulator.metrics import Metrics
from devbay.simulator.runtime import Runtime
from devbay.simulator.topology import Topology
from devbay.simulator.versions import Behaviour, Timing


@dataclass(slots=True, kw_only=True)
class Process:
    """What one kubelet process is made of, handed to its parts.

    Attributes:
        directory: the kubelet's directory.
        behaviour: what its release does.
        timing: how long it waits.
        journal: where it tells what happens.
        rng: its randomness.
        metrics: its counters.
        topology: how its topology manager is configured.
        runtime: the container runtime beside it.
        plugins_registry: where it looks for plugins' sockets, or None for nowhere.
        pod_resources_socket: where it serves the pod-resources API, or None for not at all.
        rate_clock: by which that API's calls are limited.
    """

    directory: Path
    behaviour: Behaviour
    timing: Timing
    journal: Journal
    rng: random.Random
    metrics: Metrics
    topology: Topology
    runtime: Runtime
    pod_resources_socket: Path | None = None
    plugins_registry: Path | None = None
    rate_clock: Callable[[], float] = time.monotonic

    @property
    def now(self) -> float:
        """The clock's time, in seconds."""
        return self.journal.clock()
