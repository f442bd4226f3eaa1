"""Which devices a container gets: the kubelet's choice, step by step (DM/manager.go:582-736, behaviours 34 to 36).

Pure but for one thing: asking the plugin what it prefers, which comes in as a function. Random where the kubelet's
choice is random, from a generator that comes in too.
"""

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from devbay.simulator.devices import DeviceSets

Prefer: TypeAlias = Callable[[Sequence[str], Sequence[str], int], Awaitable[Sequence[str]]]
"""Asks the plugin: (available, must include, size) to the ids it prefers; empty where it does not choose."""


class AllocationFailure(Exception):  # noqa: N818 - says what the kubelet says
    """The kubelet cannot give the container its devices; the text is the kubelet's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What one container asks of one resource.

    Attributes:
        pod_uid: the pod's uid.
        container: the container's name.
        resource: the resource.
        required: how many devices.
        held: the devices it holds already, or None where there is no record.
        reusable: devices that an ended init container of the pod held.
        keep_running: whether the container was running when the kubelet started, and pods are still coming in.
        numa_nodes: the NUMA nodes that the topology manager chose, or None where it has no opinion.
    """

    pod_uid: str
    container: str
    resource: str
    required: int
    held: frozenset[str] | None = None
    reusable: frozenset[str] = frozenset()
    keep_running: bool = False
    numa_nodes: frozenset[int] | None = None


@dataclass(frozen=True, slots=True)
class Affinity:
    """Available devices by how they lie to the chosen NUMA nodes (DM/manager.go:738-833)."""

    aligned: frozenset[str] = frozenset()
    unaligned: frozenset[str] = frozenset()
    indifferent: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Picking:
    """The devices picked so far; each is marked allocated as it is picked (DM/manager.go:661-663)."""

    devices: DeviceSets
    resource: str
    needed: int
    rng: random.Random
    picked: set[str] = field(default_factory=set)

    def take(self, candidates: frozenset[str] | set[str]) -> bool:
        """Pick at random from `candidates` (behaviour 35); return whether enough are picked now."""
        fresh = sorted(candidates - self.picked)
        chosen = self.rng.sample(fresh, min(self.needed, len(fresh)))
        # Looked up each time: a freeing meanwhile makes new sets.
        self.devices.allocated.setdefault(self.resource, set()).update(chosen)
        self.picked.update(chosen)
        self.needed -= len(chosen)
        # Go counts down one device at a time and stops at nought, so an empty set never completes a pick.
        return self.needed == 0 and bool(chosen)


async def choose(claim: Claim, devices: DeviceSets, prefer: Prefer, rng: random.Random) -> frozenset[str]:
    """Return the devices to call Allocate for; none where nothing is to be done. Raises `AllocationFailure`.

    Devices picked before a failure stay marked, until the next freeing: so does the kubelet.
    """
    needed = _needed(claim, devices)
    if not needed:
        return frozenset()
    picking = _Picking(devices, claim.resource, needed, rng)
    # An ended init container's devices come first (DM/manager.go:673).
    if picking.take(claim.reusable):
        return frozenset(picking.picked)
    available = frozenset(devices.healthy[claim.resource] - devices.allocated.get(claim.resource, set()))
    if len(available) < picking.needed:
        raise AllocationFailure(
            f"requested number of devices unavailable for {claim.resource}. "
            f"Requested: {picking.needed}, Available: {len(available)}"
        )
    await _pick_by_affinity(claim, picking, available, split(claim, devices, available), prefer)
    return frozenset(picking.picked)


def _needed(claim: Claim, devices: DeviceSets) -> int:
    """Return how many devices are to be picked, in the order of the kubelet's checks (DM/manager.go:590-645)."""
    held = claim.held or frozenset()
    needed = claim.required - len(held)
    if claim.held is not None and needed != 0:
        raise AllocationFailure(
            f'pod "{claim.pod_uid}" container "{claim.container}" changed request for resource "{claim.resource}" '
            f"from {len(held)} to {claim.required}"
        )
    if claim.keep_running:
        return 0
    healthy = devices.healthy.get(claim.resource)
    if healthy is None:
        raise AllocationFailure(f"cannot allocate unregistered device {claim.resource}")
    if not healthy:
        raise AllocationFailure(f"no healthy devices present; cannot allocate unhealthy devices {claim.resource}")
    if not healthy >= held:
        raise AllocationFailure(
            f"previously allocated devices are no longer healthy; cannot allocate unhealthy devices {claim.resource}"
        )
    return needed


async def _pick_by_affinity(
    claim: Claim, picking: _Picking, available: frozenset[str], affinity: Affinity, prefer: Prefer
) -> None:
    """Pick what is still needed, aligned devices first, the plugin's wish where there is a choice."""

    async def preferred(among: frozenset[str]) -> frozenset[str]:
        # What is picked already must be in the answer and counts in its size (DM/manager.go:692-703).
        ask = sorted(among | picking.picked)
        must = sorted(picking.picked)
        picking.rng.shuffle(ask)
        picking.rng.shuffle(must)
        return frozenset(await prefer(ask, must, claim.required)) & among

    if picking.needed < len(affinity.aligned):
        complete = picking.take(await preferred(affinity.aligned)) or picking.take(affinity.aligned)
    else:
        complete = (
            picking.take(affinity.aligned)
            or picking.take(await preferred(available))
            or picking.take(affinity.unaligned)
            or picking.take(affinity.indifferent)
        )
    if not complete:
        raise AllocationFailure(
            f"unexpectedly allocated less resources than required. "
            f"Requested: {claim.required}, Got: {claim.required - picking.needed}"
        )


def split(claim: Claim, devices: DeviceSets, available: frozenset[str]) -> Affinity:
    """Sort the available devices by NUMA affinity; without an opinion or without topology all are indifferent."""
    nodes = claim.numa_nodes
    if nodes is None or not devices.has_alignment(claim.resource):
        return Affinity(indifferent=available)
    known = devices.known[claim.resource]
    # A plugin's own node -1 is not told from none.
    indifferent = frozenset(device for device in available if not {*known[device].numa_nodes} - {-1})
    aligned = frozenset(device for device in available if nodes.intersection(known[device].numa_nodes))
    return Affinity(aligned, available - aligned - indifferent, indifferent)
