"""Who holds what: which advertised ids a container may be using, and whose devices are to be released.

Pure: time is an argument, and each function returns a new `Custody` with the releases that are due. It learns from
two sources: the kubelet's answers (`look`), and its calls of Allocate to us (`allocated`). What an answer shows is
believed at once. What it does not show is believed only of a kubelet that has settled: one that restarted lists no
pods until the API server told it of them, and then admits them one after the other. Its silence says nothing.

What no answer can tell, and what follows from it here:

- List leaves out ordinary init containers, and pods that were rejected after Allocate never appear. So an id that was
  allocated and not seen since may be in use for `keep_unseen` more; its end is not known. Of those from before our
  own start nothing tells.
- A pod that ended between two looks: an Allocate that names an id is the kubelet's word that whoever had it is gone,
  with all that the container held. Its release is due then, before the new container's use; also where no look had
  shown who that was.
- A kubelet that lost its checkpoint lists running containers without their devices. A container that is still listed,
  and has had none of the resource since the kubelet restarted, holds what it held.
"""

from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from devbay.holders import Container, Holders, Look, Occupancy, Replica
from devbay.inventory import Key
from devbay.sharing import device_id, is_share


@dataclass(frozen=True, slots=True, kw_only=True)
class CustodyPolicy:
    """When an answer is believed. All in seconds, but for `looks` and `node`.

    Attributes:
        looks: how many looks in a row must miss an id before its container is gone.
        settle: how long after the last pod that a restarted kubelet took back its answers are complete.
        keep_unseen: how long an allocated id that no look has shown may be in use.
        node: this node's name. Pods called ``…-<node>`` are static: a kubelet lists them before it has heard of others.
    """

    looks: int = 2
    settle: float = 60.0
    keep_unseen: float = 600.0
    node: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """One advertised id that may be in use.

    Attributes:
        container: who has it; None while only an Allocate has told of it.
        at: when a look last showed it, or the Allocate named it.
        missed: trusted looks in a row that did not show it.
    """

    container: Container | None
    at: float
    missed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Devices whose last holder is gone.

    Attributes:
        resource: the resource as advertised.
        devices: the ids of the devices, sorted: no share of them is in use any more, but for `taken_by`.
        container: who held them last; of several that ended together, the last by name. None where only an Allocate
            has told of it.
        taken_by: who was seen with them already, where no Allocate had told: what is done to them now is done to it.
    """

    resource: str
    devices: tuple[str, ...]
    container: Container | None
    taken_by: Container | None = None

    @property
    def pod(self) -> str:
        """The pod that held them last, for people."""
        return f"{self.container.namespace}/{self.container.pod}" if self.container else "one that no look has shown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Custody:
    """The state that the functions of this module turn into the next.

    Attributes:
        policy: the rules.
        holdings: every advertised id that may be in use.
        unseen: ids that were allocated, never seen, and are no longer taken to be in use.
        owed: devices of which a holder is gone and not released, since others held shares of them, or since the
            backend could not be told.
        kubelet: which kubelet process answered last; None after a restart that was told of.
        since: when that one was first asked.
        complete_since: since when it has listed pods of the API server and taken back no holder; None before.
        settled: whether what its answers leave out is believed.
        answered: whether the last look was answered.
        spoken_at: when what an answer left out was last believed.
        looked_at: when the last answer was asked for that was taken in.
        allocated_at: when the last Allocate was.
    """

    policy: CustodyPolicy = CustodyPolicy()
    holdings: Mapping[Replica, Holding] = field(default_factory=dict, hash=False)
    unseen: frozenset[Replica] = frozenset()
    owed: Mapping[Key, Container | None] = field(default_factory=dict, hash=False)
    kubelet: Hashable = None
    since: float = 0.0
    complete_since: float | None = None
    settled: bool = False
    answered: bool = False
    spoken_at: float = float("-inf")
    looked_at: float = float("-inf")
    allocated_at: float = float("-inf")

    @property
    def held(self) -> frozenset[Replica] | None:
        """Every advertised id that may be in use; None where that cannot be told."""
        return frozenset(self.holdings) if self.answered and self.settled else None

    @property
    def occupancy(self) -> Occupancy[Replica]:
        """What is in use, as far as it is known. Through a silence it is what a look has shown, and no end of since."""
        if (held := self.held) is not None:
            return Occupancy(held=held, complete=True, spoken_at=self.spoken_at)
        seen = frozenset(replica for replica, holding in self.holdings.items() if holding.container is not None)
        return Occupancy(held=seen, spoken_at=self.spoken_at)


def allocated(
    custody: Custody, resource: str, advertised_ids: Iterable[str], now: float
) -> tuple[Custody, tuple[Release, ...]]:
    """Take in that the kubelet gives ids to a container: whoever had one is gone. What is due is due before its use."""
    named = {Replica(resource, advertised_id) for advertised_id in advertised_ids}
    gone: dict[Replica, Container | None] = {r: None for r in named if _was_unseen(r, custody)}
    gone |= _gone_with(named & custody.holdings.keys(), custody.holdings)
    left = {replica: holding for replica, holding in custody.holdings.items() if replica not in gone}
    closed, releases = _close(custody, left, gone, {})
    given = {replica: Holding(container=None, at=now) for replica in named}
    return replace(closed, holdings=left | given, unseen=custody.unseen - named, allocated_at=now), releases


def postponed(custody: Custody, release: Release) -> Custody:
    """Take in that a backend could not be told: what is due then is due again as soon as nobody holds the devices."""
    owed = {Key(release.resource, device): release.container for device in release.devices}
    return replace(custody, owed=owed | dict(custody.owed))


def restarted(custody: Custody) -> Custody:
    """Take in that there is a new kubelet: what its answers leave out is not believed until it has settled."""
    return replace(custody, kubelet=None, complete_since=None, settled=False, answered=False)


def look(custody: Custody, answer: Look | None) -> tuple[Custody, tuple[Release, ...]]:
    """Take in an answer of the kubelet, None where there was none.

    One that an Allocate has overtaken changes nothing: it may show the id's old holder, or the new one, or neither.
    """
    if answer is None:
        return replace(custody, answered=False), ()
    if answer.asked < custody.allocated_at:
        return custody, ()
    if answer.kubelet != custody.kubelet:
        custody = replace(restarted(custody), kubelet=answer.kubelet, since=answer.asked)
    custody = _settle(replace(custody, answered=True, looked_at=answer.asked), answer)
    shown = answer.holders.by_replica
    before = custody.holdings
    taken = {r: c for r, c in shown.items() if r in before and before[r].container not in (None, c)}
    seen = {replica: Holding(container=container, at=answer.asked) for replica, container in shown.items()}
    missing = _missed(custody, answer)
    ended: dict[Replica, Container | None] = {}
    ended |= {r: h.container for r, h in missing.items() if h.container and h.missed >= custody.policy.looks}
    ended |= _gone_with(taken, {r: h for r, h in before.items() if shown.get(r) != h.container})
    outdated = {r for r, h in missing.items() if _outdated(h, answer.asked, custody.policy)}
    left = {r: h for r, h in missing.items() if r not in ended and r not in outdated}
    return _close(replace(custody, unseen=custody.unseen - shown.keys() | outdated), left | seen, ended, taken)


def _settle(custody: Custody, answer: Look) -> Custody:
    """Judge whether what an answer leaves out is to be believed."""
    if custody.settled:
        return replace(custody, spoken_at=answer.asked)
    before = custody.holdings
    taken_back = any(r not in before or before[r].at < custody.since for r in answer.holders.by_replica)
    complete_since = custody.complete_since
    if complete_since is None and not any(_is_remote(c, custody.policy) for c in answer.holders.containers):
        return custody
    if complete_since is None or taken_back:
        complete_since = answer.asked
    settled = answer.asked - complete_since >= custody.policy.settle
    spoken_at = answer.asked if settled else custody.spoken_at
    return replace(custody, complete_since=complete_since, settled=settled, spoken_at=spoken_at)


def _is_remote(container: Container, policy: CustodyPolicy) -> bool:
    """Whether the kubelet has a pod from the API server, and not from a file of its own."""
    return not (policy.node and container.pod.endswith(f"-{policy.node}"))


def _missed(custody: Custody, answer: Look) -> dict[Replica, Holding]:
    """Return what an answer does not show, each missed once more if the answer is to be believed of it."""
    missing = {r: h for r, h in custody.holdings.items() if r not in answer.holders.by_replica}
    if not custody.settled:
        return {replica: replace(holding, missed=0) for replica, holding in missing.items()}
    return {
        replica: holding
        if _forgotten(replica, holding, custody, answer.holders)
        else replace(holding, missed=holding.missed + 1)
        for replica, holding in missing.items()
    }


def _forgotten(replica: Replica, holding: Holding, custody: Custody, holders: Holders) -> bool:
    """Whether the kubelet has lost its record of a container that is still there."""
    container = holding.container
    if container is None or container not in holders.containers or holding.at >= custody.since:
        return False
    return all(other.resource != replica.resource for other in holders.held_by(container))


def _outdated(holding: Holding, now: float, policy: CustodyPolicy) -> bool:
    """Whether an id that was allocated, and never seen, is no longer taken to be in use."""
    return holding.container is None and holding.missed >= policy.looks and now - holding.at >= policy.keep_unseen


def _was_unseen(replica: Replica, custody: Custody) -> bool:
    """Whether an id had a holder that no look has shown, though there was one.

    Without a look in between an init container may have been given it, and the next one of its pod is now.
    """
    holding = custody.holdings.get(replica)
    if holding is None:
        return replica in custody.unseen
    return holding.container is None and holding.at < custody.looked_at


def _gone_with(replicas: Collection[Replica], holdings: Mapping[Replica, Holding]) -> dict[Replica, Container | None]:
    """Return all that is free when these ids are: what their containers held when they were last seen, or before.

    What a container of the same name was seen with later belongs to its successor.
    """
    ends: dict[Container, float] = {}
    for replica in replicas:
        holding = holdings[replica]
        if holding.container is not None:
            ends[holding.container] = max(holding.at, ends.get(holding.container, holding.at))
    if not ends:
        return {}
    return {
        replica: holding.container
        for replica, holding in holdings.items()
        if holding.container in ends and holding.at <= ends[holding.container]
    }


def _close(
    custody: Custody,
    holdings: Mapping[Replica, Holding],
    ended: Mapping[Replica, Container | None],
    taken: Mapping[Replica, Container],
) -> tuple[Custody, tuple[Release, ...]]:
    """Return what is left when some ids have ended, and the devices of which that was the last share in use."""
    if not ended and not custody.owed:
        return replace(custody, holdings=holdings), ()
    by_container = sorted(ended.items(), key=lambda end: (end[1] or (), end[0]))
    owed = dict(custody.owed) | {_device(replica): container for replica, container in by_container}
    due: dict[tuple[Container | None, str, Container | None], list[str]] = {}
    for replica in taken.keys() & ended.keys():
        if not is_share(replica.id):  # what the next container was seen with is all of the device
            due.setdefault((owed.pop(_device(replica)), replica.resource, taken[replica]), []).append(replica.id)
    for key in owed.keys() - {_device(replica) for replica in holdings}:
        due.setdefault((owed.pop(key), key.resource, None), []).append(key.id)
    releases = [
        Release(resource=resource, devices=tuple(sorted(devices)), container=container, taken_by=taken_by)
        for (container, resource, taken_by), devices in due.items()
    ]
    releases.sort(key=lambda release: (release.container or (), release.resource, release.devices))
    return replace(custody, holdings=holdings, owed=owed), tuple(releases)


def _device(replica: Replica) -> Key:
    return Key(replica.resource, device_id(replica.id))
