"""Which resources are offered, with which devices, in how many shares: from what was found and what was configured.

Pure. A backend says which resource a device belongs to: its *source*. Sharing may offer a source's devices in several
shares, under the same name or another. A device is in one offer only, whole or shared, so that nothing can be given
away twice; two sources never make one offer, since their devices may bear the same ids.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Literal, NamedTuple, TypeAlias

from devbay.contract import resource_name_problem
from devbay.holders import Replica
from devbay.inventory import DeviceStatus, Key
from devbay.model import unhealthy
from devbay.sharing import UNSHARED, Sharing, is_share, replica_ids

Delivery: TypeAlias = Literal["direct", "cdi", "cdi-annotations"]
"""How container edits reach the container: in the answer itself, as CDI device names, or as those in annotations."""

Policy: TypeAlias = Literal["topology", "distinct", "spread", "pack"]
"""Which devices a pod had best get; see `devbay.preference`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What was configured for the resources that a name or pattern means; None is what was not said.

    Attributes:
        pattern: a resource's name, or a glob over such names.
        sharing: how its devices are shared.
        delivery: how edits reach the container.
        policy: which devices a pod had best get.
    """

    pattern: str
    sharing: Sharing | None = None
    delivery: Delivery | None = None
    policy: Policy | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """What was configured, in order. For each setting an exact name counts before patterns, and an earlier one first.

    Attributes:
        rules: as they were written.
    """

    rules: tuple[Rule, ...] = ()

    @property
    def delivers_through_cdi(self) -> bool:
        """Whether edits of any resource may reach containers through CDI."""
        return any(rule.delivery not in (None, "direct") for rule in self.rules)

    def sharing(self, source: str) -> Sharing:
        """Return how the devices of a backend's resource are shared."""
        return next((rule.sharing for rule in self.of(source) if rule.sharing is not None), UNSHARED)

    def delivery(self, resource: str, source: str) -> Delivery:
        """Return how the edits of an offered resource reach a container."""
        rules = (*self.of(resource), *self.of(source))
        return next((rule.delivery for rule in rules if rule.delivery is not None), "direct")

    def policy(self, resource: str, source: str) -> Policy | None:
        """Return which devices of an offered resource a pod had best get; None where it was not said."""
        rules = (*self.of(resource), *self.of(source))
        return next((rule.policy for rule in rules if rule.policy is not None), None)

    def unmatched(self, resources: Iterable[str]) -> tuple[str, ...]:
        """Return the names and patterns that mean none of `resources`."""
        known = list(resources)
        return tuple(r.pattern for r in self.rules if not any(fnmatchcase(name, r.pattern) for name in known))

    def of(self, resource: str) -> list[Rule]:
        """Return the rules that mean a resource, the strongest first."""
        meant = [rule for rule in self.rules if rule.pattern == resource or fnmatchcase(resource, rule.pattern)]
        return sorted(meant, key=lambda rule: rule.pattern != resource)  # stable: the order of writing stays


class Share(NamedTuple):
    """One device of an offer, and the ids that it is advertised under."""

    status: DeviceStatus
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One resource as the kubelet is told of it.

    Attributes:
        resource: its name.
        source: the backend's name for it, which `edit` and its like are called with.
        shares: its devices, sorted by id.
        one_per_request: whether a container may have one share only.
        delivery: how edits reach the container.
        policy: which devices a pod had best get; None means what suits them.
    """

    resource: str
    source: str
    shares: tuple[Share, ...]
    one_per_request: bool = False
    delivery: Delivery = "direct"
    policy: Policy | None = None

    @property
    def backend(self) -> str:
        """Whose devices they are."""
        return self.shares[0].status.backend

    @property
    def devices(self) -> dict[str, DeviceStatus]:
        """Its devices by id."""
        return {share.status.device.id: share.status for share in self.shares}


class Refusal(NamedTuple):
    """Devices that cannot be offered as was configured: the `resource` they would have been, and why."""

    resource: str
    reason: str


def offers(found: Mapping[str, Sequence[DeviceStatus]], rules: Rules) -> tuple[dict[str, Offer], tuple[Refusal, ...]]:
    """Return what is offered of the devices `found` by source, by the name it is offered as, and what cannot be."""
    made: dict[str, Offer] = {}
    refused = []
    named = [offer for source, devices in found.items() for offer in _of_source(source, devices, rules)]
    for offer in sorted(named, key=lambda offer: (offer.resource != offer.source, offer.source)):
        problem = resource_name_problem(offer.resource)
        if (other := made.get(offer.resource)) is not None:
            problem = (
                f"the shared devices of {offer.source} cannot be offered as {offer.resource}: "
                f"that is a resource of its own, with the devices of {other.source}; give them another name"
            )
        if problem:
            refused.append(Refusal(offer.resource, problem))
        else:
            made[offer.resource] = offer
    return made, tuple(refused)


def mixed(made: Iterable[Offer], held: Iterable[tuple[Key, Replica]]) -> dict[Key, Replica]:
    """Return which devices are held whole and offered in shares now, or the other way round, and as what."""
    by_form = {(key, is_share(replica.id)): replica for key, replica in sorted(held)}
    found = {}
    for offer in made:
        for share in offer.shares:
            key = Key(offer.source, share.status.device.id)
            if (other := by_form.get((key, not is_share(share.ids[0])))) is not None:
                found[key] = other
    return found


def withheld(offer: Offer, mixed: Mapping[Key, Replica]) -> Offer:
    """Return an offer whose devices that are `mixed` are unhealthy: to give them would be to give them twice."""
    return replace(offer, shares=tuple(_withheld(share, mixed, offer.source) for share in offer.shares))


def _withheld(share: Share, mixed: Mapping[Key, Replica], source: str) -> Share:
    held = mixed.get(Key(source, share.status.device.id))
    if held is None or not share.status.health:
        return share
    reason = f"a pod from before its sharing was changed holds it, as {held.id} of {held.resource}"
    return share._replace(status=replace(share.status, health=unhealthy(reason)))


def _of_source(source: str, devices: Sequence[DeviceStatus], rules: Rules) -> Iterable[Offer]:
    """Make the offers of one source: its own name for what stays whole, and perhaps another for what is shared."""
    sharing = rules.sharing(source)
    shared = sharing.shared([status.device for status in devices])
    by_name: dict[str, list[Share]] = {}
    for status in devices:
        rule = shared.get(status.device.id)
        name = rule.resource(source) if rule else source
        ids = replica_ids(status.device.id, rule.replicas if rule else None)
        by_name.setdefault(name, []).append(Share(status, ids))
    for name, shares in by_name.items():
        yield Offer(
            resource=name,
            source=source,
            shares=tuple(shares),
            one_per_request=sharing.one_per_request,
            delivery=rules.delivery(name, source),
            policy=rules.policy(name, source),
        )
