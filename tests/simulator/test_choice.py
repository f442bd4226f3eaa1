"""The pure parts: merging answers, splitting by NUMA affinity, the checks before a choice, admission's own check."""

import random
from collections.abc import Sequence

import pytest

from devbay.errors import ConfigError
from devbay.model import DeviceNode, Mount
from devbay.simulator import Behaviour, Container, Pod
from devbay.simulator.admission import shortage
from devbay.simulator.allocation import Affinity, AllocationFailure, Claim, choose, split
from devbay.simulator.answers import Answer, merge
from devbay.simulator.devices import Device, DeviceSets
from devbay.simulator.records import by_node

R = "example.com/widget"


def dice() -> random.Random:
    """Return a generator that always throws the same."""
    return random.Random(0)  # noqa: S311 - reproducible on purpose, and no secret


def sets(**nodes: tuple[int, ...]) -> DeviceSets:
    """Return the sets of one resource with these healthy devices."""
    made = DeviceSets()
    made.replace(R, [Device(name, "Healthy", places) for name, places in nodes.items()])
    return made


async def nothing(_available: Sequence[str], _must: Sequence[str], _size: int) -> Sequence[str]:
    """Prefer nothing."""
    return ()


def claim(required: int, held: set[str] | None = None, *, keep: bool = False, nodes: set[int] | None = None) -> Claim:
    """Return a claim of one container."""
    return Claim(
        pod_uid="u",
        container="c",
        resource=R,
        required=required,
        held=None if held is None else frozenset(held),
        keep_running=keep,
        numa_nodes=None if nodes is None else frozenset(nodes),
    )


def test_43_the_first_answer_wins_everywhere() -> None:
    """Behaviour 43: by name, container path and key; a difference is told except for CDI names, order is kept."""
    one = Answer(
        env={"A": "1", "B": "1"},
        mounts=(Mount(container_path="/m", host_path="/1"),),
        device_nodes=(DeviceNode(path="/d", host_path="/1"),),
        annotations={"k": "1"},
        cdi_names=("v/c=1", "v/c=2"),
    )
    two = Answer(
        env={"A": "2", "B": "1"},
        mounts=(Mount(container_path="/m", host_path="/2"), Mount(container_path="/n", host_path="/2")),
        device_nodes=(DeviceNode(path="/d", host_path="/2"),),
        annotations={"k": "2"},
        cdi_names=("v/c=2", "v/c=3"),
    )
    merged = merge([one, two])

    assert merged.answer == Answer(
        env={"A": "1", "B": "1"},
        mounts=(Mount(container_path="/m", host_path="/1"), Mount(container_path="/n", host_path="/2")),
        device_nodes=(DeviceNode(path="/d", host_path="/1"),),
        annotations={"k": "1"},
        cdi_names=("v/c=1", "v/c=2", "v/c=3"),
    )
    assert [conflict.partition(":")[0] for conflict in merged.conflicts] == [
        "Environment variable has conflicting setting",
        "Container device has conflicting mapping host devices",
        "Container mount has conflicting mapping host mounts",
        "Annotation has conflicting setting",
    ]


def test_43_a_different_permission_is_no_conflict() -> None:
    """Behaviour 43: only host paths are compared; the first answer's permissions stay."""
    merged = merge(
        [
            Answer(device_nodes=(DeviceNode(path="/d", host_path="/h", permissions="r"),)),
            Answer(device_nodes=(DeviceNode(path="/d", host_path="/h", permissions="rwm"),)),
        ]
    )

    assert merged.conflicts == ()
    assert merged.answer.device_nodes[0].permissions == "r"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (claim(2, {"a"}), 'pod "u" container "c" changed request for resource "example.com/widget" from 1 to 2'),
        (claim(1, {"z"}), f"previously allocated devices are no longer healthy; cannot allocate unhealthy devices {R}"),
        (claim(3), f"requested number of devices unavailable for {R}. Requested: 3, Available: 2"),
    ],
    ids=["step 1", "step 5", "step 8"],
)
async def test_34_each_check_has_its_words(asked: Claim, message: str) -> None:
    """Behaviour 34: the checks before a choice fail in their order, in the kubelet's words."""
    with pytest.raises(AllocationFailure) as caught:
        await choose(asked, sets(a=(), b=()), nothing, dice())

    assert str(caught.value) == message


async def test_34_an_unregistered_resource_with_records_is_an_error() -> None:
    """Behaviour 34, step 3: known from records only, a resource cannot be allocated."""
    with pytest.raises(AllocationFailure, match=f"^cannot allocate unregistered device {R}$"):
        await choose(claim(1), DeviceSets(), nothing, dice())


async def test_34_what_is_held_already_needs_nothing() -> None:
    """Behaviour 34, steps 2 and 6: a running container at the kubelet's start is left alone before all other checks."""
    assert await choose(claim(1, {"a"}), sets(a=(), b=()), nothing, dice()) == set()
    assert await choose(claim(1, keep=True), DeviceSets(), nothing, dice()) == set()


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        (None, Affinity(indifferent=frozenset("abcn"))),
        ({0}, Affinity(frozenset("ac"), frozenset("b"), frozenset("n"))),
        ({0, 1}, Affinity(frozenset("abc"), frozenset(), frozenset("n"))),
    ],
)
def test_34_devices_are_split_by_the_chosen_nodes(nodes: set[int] | None, expected: Affinity) -> None:
    """Behaviour 34, step 9: aligned, on other nodes, on none; without an opinion all are alike."""
    devices = sets(a=(0,), b=(1,), c=(0, 1), n=())

    assert split(claim(1, nodes=nodes), devices, frozenset("abcn")) == expected


async def test_34_aligned_devices_come_first_then_the_preference() -> None:
    """Behaviour 34, steps 10 and 11: the plugin chooses among aligned ones, or what is missing beyond them."""
    asked: list[tuple[list[str], list[str], int]] = []

    async def prefer(available: Sequence[str], must: Sequence[str], size: int) -> Sequence[str]:
        asked.append((sorted(available), sorted(must), size))
        return ("c", "d")

    devices = {"a": (0,), "b": (0,), "c": (1,), "d": (1,)}
    few = await choose(claim(1, nodes={1}), sets(**devices), prefer, dice())
    many = await choose(claim(3, nodes={0}), sets(**devices), prefer, dice())

    assert few <= {"c", "d"}
    assert {"a", "b"} < many
    assert asked == [(["c", "d"], [], 1), (["a", "b", "c", "d"], ["a", "b"], 3)]


def test_36_devices_are_recorded_under_each_of_their_nodes() -> None:
    """A device on two nodes is under both, one without a node under -1, and so is one that is gone."""
    known = sets(a=(0, 1), b=()).known[R]

    assert by_node(["a", "b", "gone"], known) == {0: ("a",), 1: ("a",), -1: ("b", "gone")}


def test_the_nodes_own_check_counts_what_others_asked_for() -> None:
    """A pod is short of what others leave; init containers count by their greediest, sidecars with the rest."""
    one, two = {R: 1}, {R: 2}
    other = Pod(name="o", containers=(Container(name="c", limits=one),))
    greedy = Pod(
        name="p",
        init_containers=(Container(name="i", limits=two), Container(name="s", limits=one, restartable=True)),
        containers=(Container(name="c", limits=one),),
    )

    assert shortage(greedy, [], {R: 2}, {}) is None
    assert shortage(greedy, [other], {R: 3}, {}) is None
    assert shortage(greedy, [other], {}, {}) is None
    assert shortage(greedy, [other], {R: 0}, {R: 3}) is None
    short = shortage(greedy, [other], {R: 2}, {})
    assert short is not None
    assert short.reason == f"OutOf{R}"


@pytest.mark.parametrize(
    ("version", "overlap", "cleanup"),
    [("1.32", "legacy", "files"), ("v1.36.2", "legacy", "sockets"), ("1.37", "keyed", "sockets")],
)
def test_releases_differ_where_they_do(version: str, overlap: str, cleanup: str) -> None:
    """A version chooses the behaviours of its release."""
    behaviour = Behaviour.of(version)

    assert (behaviour.overlap, behaviour.cleanup) == (overlap, cleanup)


@pytest.mark.parametrize("version", ["", "1", "latest", "1.36 ", "1.x"])
def test_what_is_no_version_is_refused(version: str) -> None:
    """A version that does not read as one is the operator's error."""
    with pytest.raises(ConfigError):
        Behaviour.of(version)
