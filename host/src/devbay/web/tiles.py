"""The devices of one resource on the page: a tile each, its health in words and shape as well as in colour."""

from collections import Counter
from collections.abc import Sequence

from devbay.holders import Container
from devbay.model import Attribute
from devbay.offers import Share
from devbay.status import DeviceView, ResourceStatus, Status
from devbay.web.markup import mark, text

LIMIT = 64
"""Tiles of one resource; with more devices, those that ask for attention come first."""

_FOLDED = 12
"""Devices of one resource from which on their attributes are folded away."""

_SQUARES = 40
"""Shares of one device that are drawn one by one."""

_NAMED = 4
"""Holders of one device that are named."""

_UNITS = ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))


def grid(status: Status, resource: ResourceStatus, limit: int) -> str:
    """Return the tiles of a resource, no more than `limit`, and what is left out."""
    shares: Sequence[Share] = resource.offer.shares
    held = status.held_ids(resource)
    if len(shares) > limit:
        shares = sorted(shares, key=lambda share: (share.status.health.healthy, held.isdisjoint(share.ids)))
    shown, left = shares[:limit], shares[limit:]
    folded = len(shown) > _FOLDED
    tiles = "".join(_tile(resource, status.view(resource, share), folded=folded) for share in shown)
    more = f'<p class="more">{_left_out(left, held)}</p>' if left else ""
    return f'<ul class="tiles">{tiles}</ul>{more}' if shown else more


def _left_out(left: Sequence[Share], held: frozenset[str]) -> str:
    ill = sum(not share.status.health for share in left)
    used = sum(not held.isdisjoint(share.ids) for share in left)
    return f"and {len(left):,} more: {len(left) - ill:,} healthy, {ill:,} unhealthy, {used:,} in use"


def _tile(resource: ResourceStatus, view: DeviceView, *, folded: bool) -> str:
    device = view.device
    kind, sign, tone, word = ("tile", "●", "good", "healthy") if view.health else ("tile ill", "▲", "bad", "unhealthy")
    why = "" if view.health else f'<p class="why">{text(view.health.reason)}</p>'
    facts = {}
    if device.numa_nodes:
        facts["NUMA node" if len(device.numa_nodes) == 1 else "NUMA nodes"] = ", ".join(map(str, device.numa_nodes))
    if device.parent:
        facts["part of"] = device.parent
    attributes = {name.replace("_", " "): _value(name, value) for name, value in device.attributes.items()}
    more = ""
    if folded:
        more = _fold(f"{resource.name}/{device.id}", attributes)
    else:
        facts |= attributes
    return (
        f'<li class="{kind}"><p class="name">{mark(sign, tone)}'
        f'<b>{text(device.id)}</b><small class="{tone}">{word}</small></p>'
        f"{why}{_facts(facts)}{more}{_shares(view)}{_holders(view)}</li>"
    )


def _facts(facts: dict[str, str]) -> str:
    rows = "".join(f"<dt>{text(name)}</dt><dd>{text(value)}</dd>" for name, value in facts.items())
    return f"<dl>{rows}</dl>" if rows else ""


def _fold(key: str, attributes: dict[str, str]) -> str:
    if not attributes:
        return ""
    return f'<details data-key="{text(key)}"><summary>attributes</summary>{_facts(attributes)}</details>'


def _shares(view: DeviceView) -> str:
    count = len(view.shares)
    if count == 1:
        return ""
    squares = "".join("■" if share.holder else "□" for share in view.shares[:_SQUARES])
    drawn = f'<span aria-hidden="true">{squares}</span><br>' if count <= _SQUARES else ""
    return f'<p class="shares">{drawn}{view.held} of {count} shares in use</p>'


def _holders(view: DeviceView) -> str:
    holders = Counter(share.holder for share in view.shares if share.holder is not None)
    named = [_holder(who, count) for who, count in sorted(holders.items())[:_NAMED]]
    if len(holders) > _NAMED:
        named.append(f"and {len(holders) - _NAMED} more")
    return "".join(f'<p class="who">{line}</p>' for line in named)


def _holder(who: Container, count: int) -> str:
    times = f", {count} shares" if count > 1 else ""
    return text(f"▸ {who.namespace}/{who.pod} · {who.name}{times}")


def _value(name: str, value: Attribute) -> str:
    """Return an attribute as people read it: bytes in their unit."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and ("memory" in name or name.endswith("bytes")):
        for size, unit in _UNITS:
            if value >= size:
                return f"{value / size:.4g} {unit}"
    return str(value)
