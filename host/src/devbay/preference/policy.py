"""The policies: after which order of wishes a set of devices is chosen. The package's docstring defines each."""

from collections.abc import Iterable
from enum import Enum

from devbay.sharing import SEPARATOR


class Policy(Enum):
    """What matters first where several sets of devices could be given."""

    TOPOLOGY = "topology"
    """Fewest NUMA nodes, then distinct devices, then the closest together."""
    DISTINCT = "distinct"
    """Never two shares of a device while another device has a free one; then as topology."""
    SPREAD = "spread"
    """Evenly over parents, then over devices, the idlest first."""
    PACK = "pack"
    """Fewest parents, then fewest devices, the fullest first."""


def usual(ids: Iterable[str]) -> Policy:
    """Return the policy where none is set: `distinct` if any of the advertised ids is a share, else `topology`.

    >>> usual(["gpu-0"]).value, usual(["gpu-0::1"]).value
    ('topology', 'distinct')
    """
    return Policy.DISTINCT if any(SEPARATOR in one for one in ids) else Policy.TOPOLOGY
