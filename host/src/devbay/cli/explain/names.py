"""Names that a person typed: what is meant, or what is nearest."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

from devbay.cli.glance import Glance
from devbay.offers import Offer

SHOWN = 12
"""Names of one kind that are listed."""


def near(name: str, known: Iterable[str]) -> str:
    """Return what may have been meant, or what there is."""
    names = sorted(set(known))
    if found := get_close_matches(name, names, n=1):
        return f"did you mean {found[0]!r}?"
    return f"there are {listed(names)}" if names else "there are none here; 'devbay devices' lists what there is"


def listed(names: Sequence[str]) -> str:
    """Return names for people: not more of them than one reads."""
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def renamed(name: str, seen: Glance) -> str:
    """Return a hint for who asked for a backend's resource that is offered under other names only."""
    offered = sorted(offer.resource for offer in seen.offers.values() if offer.source == name)
    return f"its devices are offered as {', '.join(offered)}" if offered else ""


def offers_of(name: str, offers: Mapping[str, Offer]) -> list[Offer]:
    """Return the offers that a resource's name means: that of this name, and those of its devices under another."""
    return [offer for offer in offers.values() if name in (offer.resource, offer.source)]
