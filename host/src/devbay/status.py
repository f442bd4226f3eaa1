"""What the host knows at one moment, as one frozen value for those who show it: probes, metrics, the page, programs.

Pure. A `Status` is made on the event loop in a few steps, whatever the number of devices: it refers to values that are
frozen anyway. What follows from them is worked out here, by whoever reads it, off the loop.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from devbay.chronicle import Entry
from devbay.holders import Container, Holders
from devbay.model import Device, Health
from devbay.offers import Offer, Share
from devbay.session import State
from devbay.tally import CallCounts, ResourceCounts

BACKEND_STATES = ("starting", "ready", "unavailable", "failing", "hung", "rejected")
"""How a backend can be doing; those of `devbay.runner.State`, and what could not be loaded."""

_ANSWERED = frozenset({"ready", "unavailable"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationStatus:
    """How the configuration is.

    Attributes:
        good: whether what is written down is what runs.
        problem: why not; empty while it is.
        loaded_at: when what runs was read, in seconds since the epoch.
        waiting: keys that count from the next start.
    """

    good: bool = True
    problem: str = ""
    loaded_at: float = 0.0
    waiting: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendStatus:
    """How one backend that is enabled on this node is doing.

    Attributes:
        name: what the configuration calls it.
        distribution: the package that brings it.
        version: that package's version.
        state: one of `BACKEND_STATES`.
        reason: why it is not ready; empty if it is.
        looked_at: when its last look ended, in seconds since the epoch; None before the first.
        stuck: calls that ran past their deadline and have not returned, in words.
        abandoned: how many calls ran past their deadline so far.
        calls: what its hooks did, by hook.
    """

    name: str
    distribution: str
    version: str
    state: str
    reason: str = ""
    looked_at: float | None = None
    stuck: tuple[str, ...] = ()
    abandoned: int = 0
    calls: Mapping[str, CallCounts] = field(default_factory=dict, hash=False)

    @property
    def answered(self) -> bool:
        """Whether its last look was answered, be it that there is nothing here."""
        return self.state in _ANSWERED


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareStatus:
    """One advertised id: a device, or one share of it. `holder` is the container that has it, as far as is known."""

    id: str
    holder: Container | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceView:
    """One device of a resource, with what is advertised of it and who has that."""

    device: Device
    health: Health
    shares: tuple[ShareStatus, ...]

    @property
    def held(self) -> int:
        """How many of its shares a container is known to have."""
        return sum(share.holder is not None for share in self.shares)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceStatus:
    """One resource as it is offered.

    Attributes:
        offer: what is offered, with each device's health.
        state: where its registration stands.
        reason: why that is not further; empty while nothing is wrong.
        streams: how many streams of the kubelet are open.
        socket: the name of its socket; empty while nothing is served.
        counts: what happened to it.
    """

    offer: Offer
    state: State
    reason: str
    streams: int
    socket: str
    counts: ResourceCounts

    @property
    def name(self) -> str:
        """Its name."""
        return self.offer.resource

    @property
    def advertised(self) -> int:
        """How many ids the kubelet is told of."""
        return sum(len(share.ids) for share in self.offer.shares)

    @property
    def healthy(self) -> int:
        """How many of its devices are healthy."""
        return sum(bool(share.status.health) for share in self.offer.shares)


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Everything known at one moment.

    Attributes:
        at: which moment, in seconds since the epoch.
        node: the node's name.
        version: devbay's.
        started_at: when the host started, in seconds since the epoch.
        loading: names of enabled backends that are still being loaded.
        configuration: how that is.
        backends: those enabled on this node, by name; the rejected ones too.
        resources: what is offered, by name.
        holders: who holds what; None where nobody says.
        holders_reason: why nobody does; empty while somebody does.
        rivals: how often another host's socket was found for a resource of ours.
        cdi_failures: how often a CDI specification could not be written.
        lines_dropped: lines of the log that were lost since nobody read them.
        loop_lag: the longest that the loop kept anything waiting during the last minute, in seconds.
        events: the last events, the latest first.
    """

    at: float
    node: str
    version: str
    started_at: float
    loading: tuple[str, ...] = ()
    configuration: ConfigurationStatus = ConfigurationStatus()
    backends: tuple[BackendStatus, ...] = ()
    resources: tuple[ResourceStatus, ...] = ()
    holders: Holders | None = None
    holders_reason: str = ""
    rivals: int = 0
    cdi_failures: int = 0
    lines_dropped: int = 0
    loop_lag: float = 0.0
    events: tuple[Entry, ...] = ()

    def devices(self, resource: ResourceStatus) -> Iterator[DeviceView]:
        """Return the devices of one resource, sorted by id, with who holds them."""
        return (self.view(resource, share) for share in resource.offer.shares)

    def view(self, resource: ResourceStatus, share: Share) -> DeviceView:
        """Return one device of a resource, with who holds it."""
        holders = self.holders or Holders()
        ids = tuple(ShareStatus(id=one, holder=holders.holder(resource.name, one)) for one in share.ids)
        return DeviceView(device=share.status.device, health=share.status.health, shares=ids)

    def held_ids(self, resource: ResourceStatus) -> frozenset[str]:
        """Return the ids of a resource that containers are known to have."""
        by_replica = self.holders.by_replica if self.holders else ()
        return frozenset(replica.id for replica in by_replica if replica.resource == resource.name)

    def held(self, resource: ResourceStatus) -> int | None:
        """Return how many devices of a resource containers have; None where nobody says."""
        if self.holders is None:
            return None
        held = self.held_ids(resource)
        return sum(not held.isdisjoint(share.ids) for share in resource.offer.shares) if held else 0

    def by_container(self) -> Mapping[tuple[Container, str], int]:
        """Return how many advertised ids each container has of each resource of ours."""
        ours = {resource.name for resource in self.resources}
        held = self.holders.containers.items() if self.holders else ()
        return Counter((who, replica.resource) for who, has in held for replica in has if replica.resource in ours)

    def missing(self) -> tuple[str, ...]:
        """Return what keeps this host from being ready, a sentence each; nothing if it is."""
        lacking = [f"backend {name} is still being loaded" for name in self.loading]
        for backend in self.backends:
            if not backend.answered:
                reason = f": {backend.reason}" if backend.reason else ""
                lacking.append(f"backend {backend.name} is {backend.state}{reason}")
        for resource in self.resources:
            if resource.offer.shares and resource.state is not State.STREAMING:
                reason = f": {resource.reason}" if resource.reason else ""
                lacking.append(f"resource {resource.name} is {resource.state.value}{reason}")
        return tuple(lacking)

    def notes(self) -> tuple[str, ...]:
        """Return what somebody should look at though this host is ready: pods are served all the same."""
        if self.configuration.good:
            return ()
        return (f"the configuration on disk is not what runs: {self.configuration.problem}",)
