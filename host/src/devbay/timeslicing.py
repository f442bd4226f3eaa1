"""The ``sharing`` section as NVIDIA's device plugin reads it, for those who bring their configuration along.

Pure. ``sharing.timeSlicing`` is accepted as it is written for that plugin, key by key, and becomes the same rules as
our own ``resources.<name>.sharing``. What that plugin parses and then drops works here: ``rename``, and ``devices`` as
a number of devices, or a list of indices (``0``, of a MIG device ``0:1``) and UUIDs. Words in camel case are theirs
(their ``api/config/v1/replicas.go``).
"""

import re
from typing import Annotated

import msgspec

from devbay import offers, sharing
from devbay.contract import resource_name_problem
from devbay.selector import Selector, parse

_VENDOR = "nvidia.com/"
"""What their plugin puts before a name that has no domain."""

_INDEX = re.compile(r"\d+(:\d+)?")
_HEX = "[0-9a-fA-F]"
_UUID = rf"{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}"
_UUIDS = re.compile(rf"(GPU|MIG)-{_UUID}|MIG-GPU-{_UUID}/\d+/\d+")


class ReplicatedResource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of ``sharing.timeSlicing.resources``."""

    name: str
    """The resource; ``nvidia.com/`` is put before a name without a domain."""
    replicas: Annotated[int, msgspec.Meta(ge=2, le=sharing.MOST_REPLICAS)]
    """How many containers may use one device at once."""
    rename: str = ""
    """The name that shares are offered as; its domain as in `name`."""
    devices: str | int | list[str | int] = "all"
    """Which devices: ``all``, how many, or a list of indices and UUIDs."""

    def __post_init__(self) -> None:
        for name in (self.name, *([self.rename] if self.rename else [])):
            if problem := resource_name_problem(_full(name)):
                raise ValueError(problem)
        _selectors(self.devices)

    def rule(self, *, rename_by_default: bool) -> sharing.Rule:
        """Return which devices have how many replicas, and what they are offered as."""
        return sharing.Rule(
            selectors=_selectors(self.devices),
            replicas=self.replicas,
            count=self.devices if isinstance(self.devices, int) else None,
            rename=_full(self.rename) if self.rename else rename_by_default,
        )


class TimeSlicingSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """``sharing.timeSlicing``, as NVIDIA's device plugin defines it."""

    rename_by_default: bool = False
    """Offer shares as ``<name>.shared`` where an entry has no `rename`."""
    fail_requests_greater_than_one: bool = False
    """Refuse a container that asks for several shares."""
    resources: Annotated[list[ReplicatedResource], msgspec.Meta(min_length=1)]
    """What is shared; several entries of one name are tried in their order."""


class SharingSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Sharing in the words of NVIDIA's device plugin; ``resources.<name>.sharing`` is the form for every backend."""

    time_slicing: TimeSlicingSection | None = None
    """Their section, unchanged."""


def rules(section: SharingSection) -> tuple[offers.Rule, ...]:
    """Return what the section means, a rule for each resource it names."""
    slicing = section.time_slicing
    if slicing is None:
        return ()
    by_name: dict[str, list[ReplicatedResource]] = {}
    for entry in slicing.resources:
        by_name.setdefault(_full(entry.name), []).append(entry)
    return tuple(offers.Rule(pattern=name, sharing=_sharing(slicing, entries)) for name, entries in by_name.items())


def _sharing(slicing: TimeSlicingSection, entries: list[ReplicatedResource]) -> sharing.Sharing:
    return sharing.Sharing(
        rules=tuple(entry.rule(rename_by_default=slicing.rename_by_default) for entry in entries),
        one_per_request=slicing.fail_requests_greater_than_one,
    )


def _full(name: str) -> str:
    return name if "/" in name else f"{_VENDOR}{name}"


def _selectors(devices: str | int | list[str | int]) -> tuple[Selector, ...]:
    if isinstance(devices, str):
        if devices != "all":
            raise ValueError(f"devices = {devices!r}: the only text that is understood here is 'all'")
        return (Selector(),)
    if isinstance(devices, int):
        if isinstance(devices, bool) or devices < 1:
            raise ValueError(f"devices = {devices!r}: as a number of devices it must be 1 or more")
        return (Selector(),)
    if not devices:
        raise ValueError("devices is an empty list; write 'all', a number, or indices and UUIDs")
    return tuple(_selector(item) for item in devices)


def _selector(item: str | int) -> Selector:
    text = str(item)
    if _UUIDS.fullmatch(text):
        return parse({"id": text})
    if _INDEX.fullmatch(text):
        return parse({"index": text if ":" in text else int(text)})
    raise ValueError(f"devices: {item!r} is no index such as 0 or 0:1, and no UUID such as GPU-... or MIG-...")
