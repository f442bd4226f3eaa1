"""What the kubelet says of who holds what: its answer as values, by container and by advertised id.

Pure. What follows from answers is decided in `devbay.custody`.
"""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")
S = TypeVar("S")


class Container(NamedTuple):
    """A container of a pod of this node. One that is made anew under its old name is the same to the kubelet's API."""

    namespace: str
    pod: str
    name: str


class Replica(NamedTuple):
    """One advertised id of a resource."""

    resource: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Holders:
    """Which container holds which advertised ids, as the kubelet said at one moment.

    Attributes:
        containers: every container that was listed, those that hold nothing too.
        by_replica: the container that holds an id; the first by name, should the kubelet give it to two.
    """

    containers: Mapping[Container, frozenset[Replica]] = field(default_factory=dict, hash=False)
    by_replica: Mapping[Replica, Container] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        last_first = sorted(self.containers, reverse=True)
        by_replica = {replica: container for container in last_first for replica in self.containers[container]}
        object.__setattr__(self, "by_replica", by_replica)

    def held_by(self, container: Container) -> frozenset[Replica]:
        """Return what a container holds; nothing where it is not listed."""
        return self.containers.get(container, frozenset())

    def holder(self, resource: str, advertised_id: str) -> Container | None:
        """Return who holds an id."""
        return self.by_replica.get(Replica(resource, advertised_id))


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """An answer of the kubelet.

    Attributes:
        holders: what it said.
        kubelet: which kubelet process said it: whatever differs after a restart.
        asked: when it was asked, in seconds.
    """

    holders: Holders
    kubelet: Hashable
    asked: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Occupancy(Generic[T]):
    """What is known of what is in use.

    Attributes:
        held: what a container is taken to use: it is let go by nobody's silence.
        complete: whether all else is free. Where not, the kubelet is silent, and only time frees it ...
        spoken_at: ... counted from here: when the kubelet last said all that is held.
    """

    held: frozenset[T] = frozenset()
    complete: bool = False
    spoken_at: float = float("-inf")

    def of(self, held: Iterable[S]) -> "Occupancy[S]":
        """Return the same of the same things by another name."""
        return Occupancy(held=frozenset(held), complete=self.complete, spoken_at=self.spoken_at)
