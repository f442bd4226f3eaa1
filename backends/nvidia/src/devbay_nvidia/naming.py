"""Which resource a GPU or a MIG device is offered as: the names that pods ask for today, or those of a configuration.

Pure. Patterns are those of NVIDIA's own configuration: ``*`` is the only wildcard, everything else is literal, the
whole text must match, and the first rule that matches counts (their ``api/config/v1/resources.go``).
"""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

from devbay.api import Attribute
from devbay_nvidia.profile import type_of

VENDOR = "nvidia.com/"
MAX_LENGTH = 63
"""Of a whole name, as their plugin has it."""

Wanted: TypeAlias = str | int | tuple[str | int, ...]
"""What an attribute must be: text with ``*``, a number, a comparison such as ``>= 40Gi``, or any of a list of them."""

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_COMPARISON = re.compile(r"(?P<sign>>=|<=|>|<) *(?P<number>\d+)(?P<unit>[KMGT]i)?")
_UNITS = {None: 1, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Devices that are offered under a name of their own."""

    name: str
    pattern: str = "*"
    select: dict[str, Wanted] = {}

    def __post_init__(self) -> None:
        """Refuse a name that no resource can have."""
        full = resource(self.name)
        if len(full) > MAX_LENGTH or not full.startswith(VENDOR) or not _NAME.fullmatch(full.removeprefix(VENDOR)):
            raise ValueError(
                f"name {self.name!r} is no resource of {VENDOR.rstrip('/')}: at most {MAX_LENGTH} characters with the "
                "domain, in lower-case letters, digits, '-' and '.'"
            )

    def means(self, text: str, attributes: Mapping[str, Attribute]) -> bool:
        """Whether a device with this product or profile, and these attributes, is meant."""
        return matches(self.pattern, text) and all(
            name in attributes and _is(wanted, attributes[name]) for name, wanted in self.select.items()
        )


class Naming(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rules: ``pattern`` is matched with the product of GPUs, and with the profile of MIG devices."""

    gpus: Annotated[tuple[Rule, ...], Meta(description="Rules for whole GPUs.")] = ()
    mig: Annotated[tuple[Rule, ...], Meta(description="Rules for MIG devices.")] = ()


def resource(name: str) -> str:
    """Return the whole name of a resource, with the domain that may be left out.

    >>> resource("gpu"), resource("nvidia.com/gpu")
    ('nvidia.com/gpu', 'nvidia.com/gpu')
    """
    return name if "/" in name else f"{VENDOR}{name}"


def of_gpu(rules: Iterable[Rule], product: str, attributes: Mapping[str, Attribute]) -> str:
    """Return the resource of a whole GPU."""
    return next((resource(rule.name) for rule in rules if rule.means(product, attributes)), f"{VENDOR}gpu")


def of_mig(rules: Iterable[Rule], profile: str, attributes: Mapping[str, Attribute], *, single: bool) -> str:
    """Return the resource of a MIG device; with the strategy `single` they are offered as GPUs are."""
    found = next((resource(rule.name) for rule in rules if rule.means(profile, attributes)), None)
    return found or f"{VENDOR}{'gpu' if single else type_of(profile)}"


def matches(pattern: str, text: str) -> bool:
    """Whether the whole of `text` matches.

    >>> matches("1g.*", "1g.24gb"), matches("1g.24gb", "1g.24gb+gfx")
    (True, False)
    """
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL) is not None


def _is(wanted: Wanted, value: Attribute) -> bool:
    if isinstance(wanted, tuple):
        return any(_is(each, value) for each in wanted)
    if isinstance(wanted, str) and isinstance(value, int) and (found := _COMPARISON.fullmatch(wanted)):
        number = int(found["number"]) * _UNITS[found["unit"]]
        return {">=": value >= number, "<=": value <= number, ">": value > number, "<": value < number}[found["sign"]]
    return matches(wanted, str(value)) if isinstance(wanted, str) else wanted == value
