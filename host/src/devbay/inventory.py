"""Everything known about the devices of this node, and what follows from it.

Pure: time is an argument (seconds of a clock that never goes back), and each function returns a new `Inventory`. Here
is decided whether a device that failed may come back yet, how long one that vanished is still listed, and whose a
resource is when two backends offer it. What others read is the `Snapshot` of a moment, and the difference of two.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from devbay.contract import Rejection
from devbay.holders import Occupancy
from devbay.model import HEALTHY, Device, Health, unhealthy

MOST_RESOURCES = 256
"""Resources of one backend: each has a socket and a server of its own, and names without end are a mistake."""


class Key(NamedTuple):
    """What a device is known by: the same id under another resource is another device to the kubelet."""

    resource: str
    id: str


_GONE = "gone: the last look did not find it; listed while a pod may hold it"

NOTHING_KNOWN: Occupancy[Key] = Occupancy()
"""What is in use where nobody was ever asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthPolicy:
    """When a device may come back, and when it may be dropped. All in seconds, but for `flap_limit`.

    Attributes:
        flap_limit: a device that failed this often within `flap_window` ...
        flap_window: ... is held unhealthy until ...
        recovery_hold: ... it has been healthy for this long. Others recover at once.
        keep_lost: how long a vanished device is still listed, unhealthy, while nobody can say who holds it.
        keep_allocated: how long it is listed after an allocation that named it, whatever anybody says.
        looks: how many looks in a row must have missed it before it is dropped.
    """

    flap_limit: int = 3
    flap_window: float = 300.0
    recovery_hold: float = 30.0
    keep_lost: float = 600.0
    keep_allocated: float = 60.0
    looks: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracked:
    """One device and its past, as far as decisions need it.

    Attributes:
        device: what its backend last said it is.
        backend: whose it is.
        health: what is reported.
        failures: when it turned from healthy to unhealthy, oldest first; as many as the policy counts.
        fallen: how often it turned from healthy to unhealthy in all.
        healthy_since: since when its backend has called it healthy without a break.
        missed: looks in a row that did not find it.
        lost_at: when the first of those was.
    """

    device: Device
    backend: str
    health: Health
    failures: tuple[float, ...] = ()
    fallen: int = 0
    healthy_since: float | None = None
    missed: int = 0
    lost_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceStatus:
    """One device of a snapshot: what it is, whose it is, how it is, and how often it has failed so far."""

    device: Device
    backend: str
    health: Health
    failures: int = field(default=0, compare=False)  # a past makes no other device


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything known at one moment.

    Attributes:
        number: grows by one with each change of content.
        resources: by resource name, its devices sorted by id. A resource without devices is not in it.
    """

    number: int = 0
    resources: Mapping[str, tuple[DeviceStatus, ...]] = field(default_factory=dict, hash=False)

    def __iter__(self) -> Iterator[DeviceStatus]:
        for devices in self.resources.values():
            yield from devices


class Change(NamedTuple):
    """How one device differs between two snapshots: `before` is None for a new one, `after` for a dropped one."""

    before: DeviceStatus | None
    after: DeviceStatus | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """The state that the functions of this module turn into the next.

    Attributes:
        policy: the rules of time.
        tracked: every device that is listed.
        allocated_at: when an allocation last named a device.
        snapshot: the current content, numbered.
    """

    policy: HealthPolicy = HealthPolicy()
    tracked: Mapping[Key, Tracked] = field(default_factory=dict, hash=False)
    allocated_at: Mapping[Key, float] = field(default_factory=dict, hash=False)
    snapshot: Snapshot = Snapshot()


def observe(
    inventory: Inventory,
    backend: str,
    found: Iterable[tuple[Device, Health]],
    now: float,
    occupancy: Occupancy[Key] = NOTHING_KNOWN,
) -> tuple[Inventory, tuple[Rejection, ...]]:
    """Take in what a look at the hardware found, for one backend.

    A device that was there and is not found turns unhealthy, and is dropped once nobody can hold it. A resource that
    another backend has devices of is not shared with it: the newcomer's devices are returned as rejections.
    """
    owners = {key.resource: tracked.backend for key, tracked in inventory.tracked.items()}
    tracked = {key: value for key, value in inventory.tracked.items() if value.backend != backend}
    mine = {key: value for key, value in inventory.tracked.items() if value.backend == backend}
    resources = {key.resource for key in mine}
    rejected = []
    for device, health in found:
        key = Key(device.resource, device.id)
        owner = owners.get(device.resource, backend)
        if owner != backend:
            reason = (
                f"resource {device.resource} is offered by backend {owner!r} already; give one of them another name"
            )
            rejected.append(Rejection(device.id, reason))
        elif device.resource not in resources and len(resources) >= MOST_RESOURCES:
            reason = f"resource {device.resource} is one more than the {MOST_RESOURCES} that a backend may have"
            rejected.append(Rejection(device.id, reason))
        else:
            resources.add(device.resource)
            seen = Tracked(device=device, backend=backend, health=health)
            tracked[key] = _seen(mine.pop(key, None), seen, now, inventory.policy)
    for key, past in mine.items():
        lost = _missed(past, now, inventory.policy)
        if not _may_drop(lost, key, inventory, occupancy, now):
            tracked[key] = lost
    return _next(inventory, tracked), tuple(rejected)


def fail(inventory: Inventory, backend: str, reason: str, now: float) -> Inventory:
    """Turn every device of a backend unhealthy, because the backend cannot be asked how they are."""
    tracked = {
        key: value if value.backend != backend else _failed(value, reason, now, inventory.policy)
        for key, value in inventory.tracked.items()
    }
    return _next(inventory, tracked)


def forget(inventory: Inventory, backend: str) -> Inventory:
    """Drop every device of a backend that runs here no longer, because the operator said so."""
    return _next(inventory, {key: value for key, value in inventory.tracked.items() if value.backend != backend})


def recall(inventory: Inventory, held: Iterable[Key], now: float) -> Inventory:
    """List what containers hold and no look has found, as gone: it vanished while nobody watched.

    Of a resource that no backend has devices of, nobody knows whose it is: another device plugin's, perhaps.
    """
    owners = {key.resource: tracked.backend for key, tracked in inventory.tracked.items()}
    lost = [key for key in held if key not in inventory.tracked and key.resource in owners]
    if not lost:
        return inventory
    gone = unhealthy(_GONE)
    recalled = {
        key: Tracked(
            device=Device(id=key.id, resource=key.resource), backend=owners[key.resource], health=gone, lost_at=now
        )
        for key in lost
    }
    return _next(inventory, {**inventory.tracked, **recalled})


def allocated(inventory: Inventory, resource: str, ids: Iterable[str], now: float) -> Inventory:
    """Remember that devices are being given to a pod, or may be: they are not dropped for a while."""
    recent = {key: at for key, at in inventory.allocated_at.items() if now - at < inventory.policy.keep_allocated}
    recent |= {Key(resource, device_id): now for device_id in ids}
    return replace(inventory, allocated_at=recent)


def difference(before: Snapshot, after: Snapshot) -> tuple[Change, ...]:
    """Return what is new, dropped or different in `after`, sorted by resource and id."""
    old, new = _by_key(before), _by_key(after)
    different = [key for key in old | new if old.get(key) != new.get(key)]
    return tuple(Change(old.get(key), new.get(key)) for key in sorted(different))


def _seen(past: Tracked | None, found: Tracked, now: float, policy: HealthPolicy) -> Tracked:
    """Judge a device that was found: `found` is what was seen, without a past."""
    if past is None:
        return replace(found, healthy_since=now if found.health.healthy else None)
    if not found.health.healthy:
        return replace(_failed(past, found.health.reason, now, policy), device=found.device, missed=0, lost_at=None)
    if past.health.healthy and past.device == found.device and not past.failures and not past.missed:
        return past  # of thousands that are as they were, none is made anew
    since = now if past.healthy_since is None else past.healthy_since
    recent = tuple(at for at in past.failures if now - at < policy.flap_window)
    steady = past.health.healthy or len(recent) < policy.flap_limit or now - since >= policy.recovery_hold
    health = HEALTHY if steady else _held_back(len(recent), policy)
    return replace(found, health=health, failures=recent, fallen=past.fallen, healthy_since=since)


def _held_back(failures: int, policy: HealthPolicy) -> Health:
    return unhealthy(
        f"recovering: failed {failures} times in {policy.flap_window:g} s, "
        f"so it must stay healthy for {policy.recovery_hold:g} s first"
    )


def _failed(past: Tracked, reason: str, now: float, policy: HealthPolicy) -> Tracked:
    fell = past.healthy_since is not None
    failures = (*past.failures, now)[-policy.flap_limit :] if fell and policy.flap_limit else past.failures
    return replace(past, health=unhealthy(reason), failures=failures, fallen=past.fallen + fell, healthy_since=None)


def _missed(past: Tracked, now: float, policy: HealthPolicy) -> Tracked:
    lost_at = now if past.lost_at is None else past.lost_at
    return replace(_failed(past, _GONE, now, policy), missed=past.missed + 1, lost_at=lost_at)


def _may_drop(lost: Tracked, key: Key, inventory: Inventory, occupancy: Occupancy[Key], now: float) -> bool:
    policy = inventory.policy
    allocated_at = inventory.allocated_at.get(key)
    if lost.missed < policy.looks or key in occupancy.held:
        return False
    if allocated_at is not None and now - allocated_at < policy.keep_allocated:
        return False
    if occupancy.complete:  # the kubelet's word counts at once ...
        return True
    since = max(lost.lost_at or 0.0, occupancy.spoken_at)  # ... without it only time does, from its last word on
    return now - since >= policy.keep_lost


def _next(inventory: Inventory, tracked: Mapping[Key, Tracked]) -> Inventory:
    resources: dict[str, list[DeviceStatus]] = {}
    for key in sorted(tracked):
        entry = tracked[key]
        status = DeviceStatus(device=entry.device, backend=entry.backend, health=entry.health, failures=entry.fallen)
        resources.setdefault(key.resource, []).append(status)
    content = {resource: tuple(devices) for resource, devices in resources.items()}
    snapshot = inventory.snapshot
    if content != snapshot.resources:
        snapshot = Snapshot(number=snapshot.number + 1, resources=content)
    return replace(inventory, tracked=tracked, snapshot=snapshot)


def _by_key(snapshot: Snapshot) -> dict[Key, DeviceStatus]:
    return {Key(status.device.resource, status.device.id): status for status in snapshot}
