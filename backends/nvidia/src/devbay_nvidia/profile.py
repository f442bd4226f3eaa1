"""MIG profiles: their names, from what the driver says of a MIG device, and the names of resources made from them.

Pure. The name is computed as NVIDIA's own library does (go-nvlib ``pkg/nvlib/device/mig_profile.go``), since pods ask
for it.
"""

import math
import re

_NAMED = re.compile(r" MIG \S*?gb(?P<attributes>[+-]\S+)?$")
_EIGHTHS = 8
_GIB = 1024**3


def profile(*, gi_slices: int, ci_slices: int, memory: int, total: int, product: str = "") -> str:
    """Return a profile's name.

    Args:
        gi_slices: compute slices of the GPU instance.
        ci_slices: compute slices of the compute instance.
        memory: the instance's memory, in bytes.
        total: the GPU's memory, in bytes; where it is unknown, 0, `product` tells all.
        product: the MIG device's product name, whose end tells attributes such as ``+me``.

    >>> profile(gi_slices=1, ci_slices=1, memory=4864 << 20, total=42505273344)
    '1g.5gb'
    >>> profile(gi_slices=2, ci_slices=1, memory=9856 << 20, total=42505273344)
    '1c.2g.10gb'
    """
    slices = f"{gi_slices}g" if ci_slices == gi_slices else f"{ci_slices}c.{gi_slices}g"
    named = _NAMED.search(product)
    if not total:
        return named[0].rpartition(" ")[2] if named else f"{slices}.{math.ceil(memory / _GIB)}gb"
    fraction = math.ceil(memory / total * _EIGHTHS) / _EIGHTHS
    gigabytes = math.floor(fraction * math.ceil(total / _GIB) + 0.5)
    return f"{slices}.{gigabytes}gb{(named and named['attributes']) or ''}"


def type_of(name: str) -> str:
    """Return the part of a resource's name that a profile gives; ``+`` is not allowed in one.

    >>> type_of("1g.10gb+me")
    'mig-1g.10gb.me'
    """
    return f"mig-{name.replace('+', '.')}"
