"""The topology manager's policies: hints become one set of NUMA nodes, and a yes or no. Pure (behaviour 49).

TM/policy.go, TM/policy_single_numa_node.go. A kubelet goes through every combination of hints and keeps the best so
far; what it ends with does not depend on their order, and that is what is computed here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from devbay.errors import ConfigError

Policy: TypeAlias = Literal["none", "best-effort", "restricted", "single-numa-node"]
Scope: TypeAlias = Literal["container", "pod"]

MOST_NODES = 8
"""NUMA nodes with which a kubelet starts, unless its policy is none (TM/topology_manager.go:41,188)."""


@dataclass(frozen=True, slots=True)
class Topology:
    """How a node's topology manager is configured, and which NUMA nodes the machine has."""

    policy: Policy = "none"
    scope: Scope = "container"
    numa_nodes: tuple[int, ...] = (0, 1)

    def __post_init__(self) -> None:
        """Refuse what a kubelet refuses to start with."""
        if self.policy not in get_args(Policy):
            raise ConfigError(f'unknown policy: "{self.policy}"')
        if self.scope not in get_args(Scope):
            raise ConfigError(f'unknown scope: "{self.scope}"')
        if self.policy != "none" and len(self.numa_nodes) > MOST_NODES:
            raise ConfigError(f"unsupported on machines with more than {MOST_NODES} NUMA Nodes")


@dataclass(frozen=True, slots=True)
class Hint:
    """A set of NUMA nodes on which a request could be met.

    Attributes:
        nodes: the nodes, or None for no opinion.
        preferred: whether no smaller set would do.
    """

    nodes: frozenset[int] | None
    preferred: bool


Hints: TypeAlias = Mapping[str, Sequence[Hint] | None]
"""Hints by resource: None says that the resource does not care, no hint that its request cannot be met."""


def merge(topology: Topology, hints: Hints) -> tuple[Hint, bool]:
    """Return the hint that the policy makes of all hints, and whether it admits it."""
    machine = frozenset(topology.numa_nodes)
    groups = [_filled(group) for group in hints.values()]
    single = topology.policy == "single-numa-node"
    if single:
        # Only hints of one node, and no opinions, that are preferred (TM/policy_single_numa_node.go:46-61).
        groups = [[h for h in group if h.preferred and (h.nodes is None or len(h.nodes) == 1)] for group in groups]
    best = _best(machine, groups)
    if single and best.nodes == machine:
        best = Hint(None, best.preferred)
    return best, best.preferred or topology.policy == "best-effort"


def _filled(group: Sequence[Hint] | None) -> Sequence[Hint]:
    """Put a hint where a resource gave none (TM/policy.go:71-102)."""
    return group or [Hint(None, preferred=group is None)]


@dataclass(frozen=True, slots=True)
class _Merged:
    """Some hints merged: the nodes they share, and while all are preferred and equal, the nodes of each."""

    shared: frozenset[int]
    each: frozenset[int] | None = None
    preferred: bool = True

    def with_hint(self, hint: Hint) -> "_Merged":
        """Merge one more: the bitwise AND; preferred if all are and all are equal (TM/policy.go:41-69)."""
        nodes = hint.nodes
        agrees = nodes is None or self.each in (None, nodes)
        preferred = self.preferred and hint.preferred and agrees
        each = (self.each if nodes is None else nodes) if preferred else None
        return _Merged(self.shared if nodes is None else self.shared & nodes, each, preferred)


def _best(machine: frozenset[int], groups: Iterable[Sequence[Hint]]) -> Hint:
    """Return the best merge of one hint from each group (TM/policy.go:104-322).

    A preferred one goes before all others, and the narrowest before wider ones. Among those not preferred it is the
    widest that is no wider than what the neediest group asks for, or else the narrowest.
    """
    merged = {_Merged(machine)}
    neediest = 0
    for group in groups:
        merged = {state.with_hint(hint) for state in merged for hint in group}
        neediest = max(neediest, min((len(hint.nodes) for hint in group if hint.nodes is not None), default=0))
    possible = [state for state in merged if state.shared]
    if not possible:
        return Hint(machine, preferred=False)
    preferred = [state.shared for state in possible if state.preferred]
    if preferred:
        return Hint(min(preferred, key=_width), preferred=True)
    fitting = [state.shared for state in possible if len(state.shared) <= neediest]
    widest = max(map(len, fitting), default=0)
    candidates = [nodes for nodes in fitting if len(nodes) == widest] or [state.shared for state in possible]
    return Hint(min(candidates, key=_width), preferred=False)


def _width(nodes: frozenset[int]) -> tuple[int, int]:
    """Order sets of nodes as bit masks: fewer bits, then the smaller number (TM/bitmask/bitmask.go)."""
    return len(nodes), sum(1 << node for node in nodes)
