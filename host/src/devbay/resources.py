"""The ``resources`` section: how each resource is shared, delivered and chosen from.

Pure. Its keys are resource names or globs over them; the values become `devbay.offers.Rules`. What cannot be meant is
a `ValueError` here, which `devbay.sources` turns into an error that names the place.
"""

from collections.abc import Mapping
from typing import Annotated, TypeAlias

import msgspec

from devbay import offers, selector, sharing
from devbay.contract import resource_name_problem

Replicas: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=sharing.MOST_REPLICAS)]
Scalar: TypeAlias = str | int | bool


class ShareSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often some devices of a resource are shared."""

    select: dict[str, Scalar | list[Scalar]]
    """Which devices; see `devbay.selector`: ``{product: "*A100*", memory: ">= 40Gi"}``, ``{index: [0, 1]}``."""
    replicas: Replicas
    """How many containers may use each of them at once; 1 keeps them whole."""
    rename: bool | str | None = None
    """The name that their shares are offered as, where it differs from the others'."""

    def __post_init__(self) -> None:
        selector.parse(self.select)
        _check_rename(self.rename)


class SharedSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the devices of a resource are shared among containers.

    Nothing isolates those that share a device from each other; devbay only counts them.
    """

    replicas: Replicas = 1
    """How many containers may use one device at once, where `devices` says nothing of it; 1 keeps it whole."""
    devices: list[ShareSection] = []
    """Other numbers for some of the devices; the first entry that means a device counts."""
    rename: bool | str = False
    """The name that shares are offered as: true adds ``.shared``, so that nobody takes a share for a whole device."""
    one_per_request: bool = False
    """Refuse a container that asks for several shares: two shares of a device are no more of it than one."""

    def __post_init__(self) -> None:
        if self.replicas == 1 and not any(share.replicas > 1 for share in self.devices):
            raise ValueError("nothing is shared here: replicas, or that of an entry of devices, must be 2 or more")
        _check_rename(self.rename)

    def sharing(self) -> sharing.Sharing:
        """Return what this means."""
        selected = [
            sharing.Rule(
                selectors=(selector.parse(share.select),),
                replicas=share.replicas,
                rename=self.rename if share.rename is None else share.rename,
            )
            for share in self.devices
        ]
        others = sharing.Rule(replicas=self.replicas, rename=self.rename)
        return sharing.Sharing(rules=(*selected, others), one_per_request=self.one_per_request)


class ResourceSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What holds for the resources that a name or a glob means; what is left out is decided by another entry."""

    sharing: SharedSection | None = None
    """Offer its devices in several shares."""
    delivery: offers.Delivery | None = None
    """How devices, mounts and hooks reach a container: ``direct`` in the answer to the kubelet, as names of ``cdi``
    devices, or as such names in annotations (``cdi-annotations``) for runtimes that read only those."""
    policy: offers.Policy | None = None
    """Which devices a pod had best get: close ones (``topology``), never two shares of a device while another is free
    (``distinct``), over as many physical things as there are (``spread``), or as few (``pack``)."""


def rules(sections: Mapping[str, ResourceSection]) -> tuple[offers.Rule, ...]:
    """Return what the section means, in the order in which it is written."""
    return tuple(
        offers.Rule(
            pattern=pattern,
            sharing=section.sharing.sharing() if section.sharing else None,
            delivery=section.delivery,
            policy=section.policy,
        )
        for pattern, section in sections.items()
    )


def name_problem(name: str) -> str | None:
    """Return why a key of the section is neither a resource's name nor a glob over such names; None if it is one."""
    return None if set(name) & set("*?[") else resource_name_problem(name)


def _check_rename(rename: object) -> None:
    if isinstance(rename, str) and (problem := resource_name_problem(rename)):
        raise ValueError(f"rename: {problem}")
