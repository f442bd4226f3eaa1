"""Against NVIDIA's published allocators on the machines they were written for (P15).

Theirs looks for the best partition of all that is free into groups of the size that is asked for, and gives a group of
it: a later pod of the same size is worth as much to it as the one that asks. Ours gives the pod that asks the best
there is, and then leaves the best. So ours is never worse inside, and where it is no better inside, its partition
is as good as theirs; where it is better inside, the partition may be worth less. Ours also keeps to fewer NUMA nodes
before it looks at links: of two GPUs with one link on one CPU and two with two links across, theirs gives the latter.
"""

import random
from collections import Counter
from collections.abc import Iterable

import pytest

from devbay.model import Device
from devbay.preference import Affinity, Policy, prefer
from devbay.sharing import device_id, replica_ids
from tests.host.preference import nvidia

BOXES = {
    "dgx-1": (nvidia.dgx1(), 8),
    "eight on switches of two": (nvidia.pcie(8, 2, 2), 8),
    "eight on switches of four": (nvidia.pcie(8, 2, 4), 8),
    "four on one cpu": (nvidia.pcie(4, 1, 2), 4),
    "four on two cpus": (nvidia.pcie(4, 2, 2), 4),
    "eight fully linked": (nvidia.fully_linked(8, 6), 8),
}
DGX2 = nvidia.fully_linked(16, 6)


def boxes(count: int, cpus: int) -> dict[str, Device]:
    """Return GPUs, evenly on NUMA nodes; with no CPU told, their nodes are not known."""
    return {
        name: Device(id=name, resource="r", numa_nodes=(at * cpus // count,) if cpus else ())
        for at, name in enumerate(nvidia.gpus(count))
    }


def nodes(devices: dict[str, Device], ids: Iterable[str | None]) -> int:
    """Return how many NUMA nodes GPUs are on."""
    return len({devices[one].numa_nodes for one in ids if one is not None})


@pytest.mark.parametrize("cpus", [0, 2])
@pytest.mark.parametrize("box", BOXES)
def test_never_worse_than_the_aligned_allocator(box: str, cpus: int) -> None:
    """P15: what a pod gets is as close as what theirs gives, and if no closer, leaves their measure as high."""
    scores, count = BOXES[box]
    devices, affinity = boxes(count, cpus), Affinity.of(scores)
    chance = random.Random(box)  # noqa: S311 - the same requests each time
    worse = []
    for _ in range(120):
        available = chance.sample(nvidia.gpus(count), chance.randint(1, count))
        size = chance.randint(1, len(available))
        required = chance.sample(available, chance.choice([0, 0, 0, min(1, size), min(2, size)]))
        theirs, theirs_measure = nvidia.aligned(sorted(available), required, size, scores)
        ours = prefer(devices, available, required, size, affinity=affinity)
        if nodes(devices, ours) < nodes(devices, theirs):
            continue  # ours keeps to fewer NUMA nodes first, which theirs does not know of
        gained = nvidia.inside(ours, scores) - nvidia.inside(theirs, scores)
        if gained < 0 or (gained == 0 and nvidia.measure(ours, sorted(available), scores) < theirs_measure):
            worse.append((available, required, ours, theirs))

    assert worse == []


@pytest.mark.parametrize("size", [8, 9, 10, 16])
def test_never_worse_on_sixteen_fully_linked(size: int) -> None:
    """P15: on a node of sixteen, where their search loses the best partition it has seen, ours loses nothing."""
    theirs, measure = nvidia.aligned(nvidia.gpus(16), [], size, DGX2)
    ours = prefer(boxes(16, 2), nvidia.gpus(16), [], size, affinity=Affinity.of(DGX2))

    assert nvidia.inside(ours, DGX2) == nvidia.inside(theirs, DGX2)
    assert nvidia.measure(ours, nvidia.gpus(16), DGX2) == measure


def test_one_gpu_at_a_time_breaks_as_little_as_can_be() -> None:
    """P15: pods of one GPU fill one switch after the other, where theirs takes whichever GPU is named first."""
    available, order = nvidia.gpus(8), []
    while available:
        (chosen,) = prefer(boxes(8, 2), available, [], 1, affinity=Affinity.of(nvidia.pcie(8, 2, 2)))
        available.remove(chosen)
        order.append(chosen)

    assert order == nvidia.gpus(8)


@pytest.mark.parametrize(
    ("devices", "replicas", "size", "most"),
    [(2, 4, 2, [1, 1]), (3, 2, 3, [1, 1, 1]), (1, 4, 1, [1]), (3, 2, 5, [2, 2, 1])],
)
def test_shares_are_distributed_as_theirs_are(devices: int, replicas: int, size: int, most: list[int]) -> None:
    """P15, P16: as their `distributed` gives shares of whole GPUs, so do `distinct`, `spread` and their default."""
    names = [f"g{n}" for n in range(devices)]
    shares = [share for name in names for share in replica_ids(name, replicas)]
    theirs = Counter(map(device_id, nvidia.greedy("distributed", dict.fromkeys(names, replicas), shares, [], size)))

    for policy in (None, Policy.DISTINCT, Policy.SPREAD):
        ours = Counter(map(device_id, prefer({}, shares, [], size, policy=policy)))
        assert sorted(ours.values(), reverse=True) == sorted(theirs.values(), reverse=True) == most


@pytest.mark.parametrize(
    ("devices", "replicas", "size", "most"), [(2, 4, 2, [2]), (3, 2, 3, [2, 1]), (2, 4, 3, [3]), (3, 2, 5, [2, 2, 1])]
)
def test_shares_are_packed_as_theirs_are(devices: int, replicas: int, size: int, most: list[int]) -> None:
    """P15, P16: as their `packed` gives shares, so does `pack`."""
    names = [f"g{n}" for n in range(devices)]
    shares = [share for name in names for share in replica_ids(name, replicas)]
    theirs = Counter(map(device_id, nvidia.greedy("packed", dict.fromkeys(names, replicas), shares, [], size)))
    ours = Counter(map(device_id, prefer({}, shares, [], size, policy=Policy.PACK)))

    assert sorted(ours.values(), reverse=True) == sorted(theirs.values(), reverse=True) == most


@pytest.mark.parametrize(
    ("policy", "chosen"), [(Policy.DISTINCT, "idle"), (Policy.SPREAD, "idle"), (Policy.PACK, "busy")]
)
def test_a_busy_gpu_comes_last_or_first(policy: Policy, chosen: str) -> None:
    """P15, P16: of one GPU with three of four shares free and one with one, each policy takes its own, as theirs do."""
    available = ["idle::1", "idle::2", "idle::3", "busy::3"]

    assert [device_id(share) for share in prefer({}, available, [], 1, policy=policy)] == [chosen]


def test_slices_know_their_gpu() -> None:
    """P15: the slices of a GPU are kept together, packed or spread by their parent, which theirs never looks at."""
    slices = {
        f"{gpu}-{n}": Device(id=f"{gpu}-{n}", resource="r", parent=gpu) for gpu in ("g0", "g1", "g2") for n in range(4)
    }
    available = [name for name in slices if name not in {"g1-0", "g1-1"}]

    parents = {
        policy: {slices[name].parent for name in prefer(slices, available, [], 2, policy=policy)} for policy in Policy
    }

    assert parents[Policy.TOPOLOGY] == parents[Policy.DISTINCT] == parents[Policy.PACK] == {"g1"}
    assert parents[Policy.SPREAD] == {"g0", "g2"}
