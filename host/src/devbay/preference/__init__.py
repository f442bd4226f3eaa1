"""Which devices a pod had best get, of those that are free.

Pure and never refusing: what the kubelet says must be included is included and comes first, the answer has the size
that was asked for wherever that many are available, and the same question gets the same answer in whatever order the
ids come. `prefer` answers; `explain` answers and says why.

**The best answer.** An answer takes, of each device, so many shares; an unshared device is one share. A device of which
it has any is *used*; one with an available share of which it has none is *left whole*. Of two answers that hold the
must-includes and have the size, the better one is that which is better in the first of its policy's wishes in which
they differ:

=========== ==========================================================================================================
`topology`  fewest places · fewest doublings · closest inside · idlest · closest outside · lowest ids
`distinct`  fewest doublings · fewest places · closest inside · idlest · closest outside · lowest ids
`spread`    fewest of one parent · fewest doublings · idlest parents · idlest · closest inside · closest outside ·
            lowest ids
`pack`      fewest parents · least room in them · fewest devices · least room in those · closest inside ·
            closest outside · lowest ids
=========== ==========================================================================================================

* *places*: how few NUMA nodes there can be so that each used device is near one of them. All that are not known are
  one more place.
* *doublings*: pairs of shares of one device in the answer. *Of one parent*: pairs of shares whose devices have one
  parent; a device without a parent is its own, and a parent that is a device is its own too.
* *closest*: the sum, over all pairs of different devices, of their affinity; if equal, of the pairs with one parent; if
  equal, of the pairs that share a NUMA node. *Inside* is over the used devices, *outside* over those left whole: groups
  that hold together stay whole for later requests, and what is left of broken ones is taken first.
* *idlest*: the sum, over the shares that are taken besides the must-includes, of how many of its device (of its
  parent's devices) were available when it was taken. All unshared devices are equally idle.
* *room*: the available shares, must-includes not counted, of the parents of used devices; of the devices that are used
  without being must-includes. Least room is the fullest first.
* *lowest ids*: the ids besides the must-includes, sorted, compared one by one.

So two shares of a device are given under `topology` only where another device's would need one NUMA node more, and
under `distinct` only where no other device has one. Where no policy is set it is `distinct` if there are shares, and
`topology` otherwise.

**Exact or bounded.** Places, doublings, parents and devices are counted out, one by one only where there are
thousands of sets of them. What is left, a choice by closeness, is found by looking at
all possibilities while these are few or much alike: 16 devices that differ in every score, and far more where
many stand alike to the others. Otherwise it is built up greedily and bettered by exchanges; `Explanation.exact` says
which it was. Among more than 192 different kinds of devices, pairs are not compared, and devices go by NUMA node and
parent; ids beyond that many decide by their places in the list added up.
"""

from collections.abc import Mapping, Sequence

from devbay.model import Device
from devbay.preference import explanation
from devbay.preference.affinity import NO_AFFINITY, Affinity
from devbay.preference.choice import choose
from devbay.preference.explanation import Explanation, Pick
from devbay.preference.groups import Group
from devbay.preference.policy import Policy, usual
from devbay.preference.question import question

__all__ = ["NO_AFFINITY", "Affinity", "Explanation", "Group", "Pick", "Policy", "explain", "prefer", "usual"]


def prefer(  # noqa: PLR0913 - the kubelet's four, and how they are weighed
    devices: Mapping[str, Device],
    available: Sequence[str],
    must_include: Sequence[str],
    size: int,
    *,
    policy: Policy | None = None,
    affinity: Affinity = NO_AFFINITY,
) -> tuple[str, ...]:
    """Return `size` of the `available` ids, `must_include` first; fewer only where fewer are available.

    Args:
        devices: what is known of the devices, by device id; an id that is not in it has no NUMA node and no parent.
        available: ids to choose from; shares count one each.
        must_include: ids that the answer must contain.
        size: how many ids are wanted, those of `must_include` counted.
        policy: what matters first; None means `usual` for these ids.
        affinity: how close the devices are to each other.
    """
    asked = question(devices, available, must_include, size)
    choice = choose(asked, policy or usual((*asked.must, *available)), affinity)
    return (*asked.must, *asked.shares(choice.given))


def explain(  # noqa: PLR0913 - as prefer
    devices: Mapping[str, Device],
    available: Sequence[str],
    must_include: Sequence[str],
    size: int,
    *,
    policy: Policy | None = None,
    affinity: Affinity = NO_AFFINITY,
) -> Explanation:
    """Return what `prefer` returns for the same request, and why."""
    asked = question(devices, available, must_include, size)
    policy = policy or usual((*asked.must, *available))
    choice = choose(asked, policy, affinity)
    return explanation.of(asked, choice, policy, affinity, devices)
