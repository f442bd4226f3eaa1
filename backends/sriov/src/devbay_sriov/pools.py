"""Which function is in which pool. Pure: functions, pools and what is in use go in, the division comes out.

Resources are asked in the order of the configuration, and their selectors in theirs; the first that means a function
has it, with what that selector adds. So no function is in two pools.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from devbay_sriov.functions import Function
from devbay_sriov.pooling import Resource, Selector
from devbay_sriov.selecting import NETWORKED, Lookup, refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A function in its pool."""

    function: Function
    resource: Resource
    selector: Selector


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the division needs to know beside functions and resources.

    Attributes:
        lookup: facts that cost a look.
        uses: what the node itself uses a function for; empty where it does not. Asked of what is selected alone.
        was_in: whether a function that is now out of sight was in a resource before.
    """

    lookup: Lookup
    uses: Callable[[Function], Sequence[str]] = lambda _: ()
    was_in: Callable[[Resource, Function], bool] = lambda *_: False


@dataclass(frozen=True, slots=True, kw_only=True)
class Division:
    """Functions in pools.

    Attributes:
        shares: each function that is offered, by its id.
        left_out: why a function that some selector means is not offered, by its id.
    """

    shares: Mapping[str, Share]
    left_out: Mapping[str, str]


def divide(resources: Sequence[Resource], functions: Iterable[Function], rules: Rules) -> Division:
    """Return which function is in which pool."""
    shares: dict[str, Share] = {}
    left_out: dict[str, str] = {}
    for function in functions:
        found = first(resources, function, rules)
        if found is None:
            continue
        resource, selector = found
        reason = obstacle(resource, function, rules)
        if reason:
            left_out[function.id] = f"{resource.full_name} selects it, but {reason}"
        else:
            shares[function.id] = Share(function=function, resource=resource, selector=selector)
    return Division(shares=shares, left_out=left_out)


def first(resources: Sequence[Resource], function: Function, rules: Rules) -> tuple[Resource, Selector] | None:
    """Return the first resource and selector that mean a function."""
    for resource in resources:
        for selector in resource.selectors:
            if means(resource, selector, function, rules):
                return resource, selector
    return None


def means(resource: Resource, selector: Selector, function: Function, rules: Rules) -> bool:
    """Return whether a selector means a function, or did while its interface and its physical function's were here."""
    why = refusal(resource, selector, function, rules.lookup)
    if why is None:
        return True
    is_hidden = function.is_away or (function.is_vf and not function.pf_netdevs)
    return is_hidden and why.key in NETWORKED and rules.was_in(resource, function)


def obstacle(resource: Resource, function: Function, rules: Rules) -> str:
    """Return why a function that is selected cannot be offered all the same; empty where it can."""
    if not function.driver:
        return "no driver is bound to it"
    if resource.device_type == "netDevice" and function.vfs > 0:
        return f"it is the physical function of {function.vfs} virtual functions"
    if resource.device_type == "auxNetDevice" and function.index < 0:
        return "its number (sfnum) cannot be read"
    if not resource.allow_in_use and (uses := rules.uses(function)):
        return f"{', '.join(uses)} (allowInUse offers it all the same)"
    return ""


def story(resources: Sequence[Resource], function: Function, rules: Rules) -> list[str]:
    """Return, selector by selector, why a function is or is not in each pool."""
    lines: list[str] = []
    owner = ""
    for resource in resources:
        for number, selector in enumerate(resource.selectors):
            where = f"{resource.full_name}, selector {number}"
            why = refusal(resource, selector, function, rules.lookup)
            if not means(resource, selector, function, rules):
                lines.append(f"{where}: no: {why}")
            elif owner:
                lines.append(f"{where}: would, but {owner} comes first")
            else:
                owner = where
                reason = obstacle(resource, function, rules)
                lines.append(f"{where}: selects it, but {reason}" if reason else f"{where}: yes")
    return lines
