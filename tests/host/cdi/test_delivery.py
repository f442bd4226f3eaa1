"""Dividing what a container gets between CDI and the kubelet's answer: all of it arrives, and nothing twice (P18)."""

import json
from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbay.cdi import delivery, document, names, rules
from devbay.contract import ContractViolation
from devbay.model import ContainerEdits, DeviceNode, Hook, Mount
from devbay.simulator import cdi as reader
from tests.host.cdi.parts import IDS, PARTS, RESOURCE, RESOURCES, edits, hook, mount, node, parts

KIND = names.kind_of(RESOURCE)


def specification(singles: Mapping[str, ContainerEdits]) -> document.Specification:
    """Return the specification that has an entry for each device that can have one."""
    entries = [delivery.entry(id_, one, lambda path: path) for id_, one in singles.items()]
    return delivery.specification(KIND, filter(None, entries))


def split(whole: ContainerEdits, **singles: ContainerEdits) -> tuple[list[str], ContainerEdits]:
    """Return the names and the rest of a request."""
    done = delivery.split(RESOURCE, whole, singles)
    return [name.removeprefix(f"{KIND}=") for name in done.names], done.rest


def test_what_each_device_brings_comes_through_its_entry() -> None:
    """P18: nodes, mounts and hooks through CDI in the request's order; environment and annotations in the answer."""
    a, b = edits(node("/dev/a"), mount("/lib/a"), A="a"), edits(node("/dev/b"), hook("/bin/b"), A="b")
    whole = ContainerEdits(
        env={"A": "a,b"},
        annotations={"x": "y"},
        device_nodes=(node("/dev/b"), node("/dev/a")),
        mounts=(mount("/lib/a"),),
        hooks=(hook("/bin/b"),),
    )

    given_names, rest = split(whole, b=b, a=a)

    assert given_names == ["b", "a"]
    assert rest == ContainerEdits(env={"A": "a,b"}, annotations={"x": "y"})


def test_what_belongs_to_the_set_stays_direct() -> None:
    """P18: a node that only the set has, and the nodes of a device that looks different in it, are given directly."""
    whole = edits(node("/dev/a"), node("/dev/fabric"), node("/dev/slot1", "/dev/b"))

    given_names, rest = split(whole, a=edits(node("/dev/a")), b=edits(node("/dev/slot0", "/dev/b")))

    assert given_names == ["a"]
    assert rest == edits(node("/dev/fabric"), node("/dev/slot1", "/dev/b"))


def test_other_permissions_are_other_content() -> None:
    """P18: an entry that gives more than the request is not used."""
    assert split(edits(node("/dev/a", permissions="r")), a=edits(node("/dev/a"))) == (
        [],
        edits(node("/dev/a", permissions="r")),
    )


def test_a_device_that_brings_nothing_has_no_entry() -> None:
    """P18: CDI has no device without edits, so environment alone is given in the answer alone."""
    assert delivery.entry("a", edits(A="1"), str) is None
    assert split(edits(A="1"), a=edits(A="1")) == ([], edits(A="1"))


def test_a_hook_in_common_runs_once() -> None:
    """P18: of two devices with one hook in common, one comes by its entry; the other's own hook has an entry too."""
    common, h1, h2 = hook("/bin/ldconfig"), hook("/bin/1"), hook("/bin/2")
    a, b = edits(node("/dev/a"), common, h1), edits(node("/dev/b"), common, h2)

    (first, second), rest = split(edits(node("/dev/a"), node("/dev/b"), common, h1, h2), a=a, b=b)

    assert first == "a"
    assert rest == edits(node("/dev/b"))
    entries = {device.name: device.container_edits for device in specification({"a": a, "b": b}).devices}
    assert [h.path for h in entries[second].hooks] == ["/bin/2"]
    assert second.startswith(names.HOOK)


def test_a_hook_of_the_set_alone_is_refused() -> None:
    """P18: what can be delivered by no way is an error that names it and says what to do."""
    with pytest.raises(ContractViolation) as caught:
        split(edits(node("/dev/a"), hook("/bin/set")), a=edits(node("/dev/a")))

    assert str(caught.value) == (
        "edit asks for the hook createContainer /bin/set for devices of example.com/widget together and for none of "
        "them alone (a), so it cannot be delivered; return it for each device as well"
    )


def test_annotations_name_the_devices() -> None:
    """P18: by annotation, the names are one value under a key of the resource's own; no devices, no annotation."""
    assert delivery.annotations(RESOURCE, ("k/c=a", "k/c=b")) == {"cdi.k8s.io/devbay_example.com_widget": "k/c=a,k/c=b"}
    assert delivery.annotations(RESOURCE, ()) == {}


def test_an_entry_says_what_the_answer_would_say() -> None:
    """P18: the same nodes, permissions, mount options and hooks as by the kubelet, links followed, no environment."""
    one = edits(
        node("/dev/a", "/dev/by-id/a", "r"),
        node("/dev/b"),
        mount("/lib/a", "/opt/a"),
        mount("/var/a", read_only=False),
        Hook(hook_name="poststop", path="/bin/h", args=("h", "1"), env=("A=1",), timeout=3),
        A="1",
    )
    where = {"/dev/by-id/a": "/dev/real"}

    made = delivery.entry("0", one, lambda path: where.get(path, path))

    assert made is not None
    assert json.loads(document.encode(delivery.specification(KIND, [made]))) == {
        "cdiVersion": "0.5.0",
        "kind": KIND,
        "devices": [
            {
                "name": "0",
                "containerEdits": {
                    "deviceNodes": [
                        {"path": "/dev/a", "hostPath": "/dev/real", "permissions": "r"},
                        {"path": "/dev/b", "permissions": "rw"},
                    ],
                    "hooks": [
                        {
                            "hookName": "poststop",
                            "path": "/bin/h",
                            "args": ["h", "1"],
                            "env": ["A=1"],
                            "timeout": 3,
                        }
                    ],
                    "mounts": [
                        {"hostPath": "/opt/a", "containerPath": "/lib/a", "options": ["ro", "rbind", "rprivate"]},
                        {"hostPath": "/var/a", "containerPath": "/var/a", "options": ["rw", "rbind", "rprivate"]},
                    ],
                },
            },
            *json.loads(document.encode(delivery.specification(KIND, [made])))["devices"][1:],
        ],
    }


def test_a_generated_entry_has_the_environment_too() -> None:
    """P18: where no kubelet's answer is, the environment comes with the entry."""
    made = delivery.entry("a", edits(A="1", B="x=y"), str, with_env=True)

    assert made is not None
    assert made.container_edits == document.Edits(env=("A=1", "B=x=y"))


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (edits(Hook(hook_name="poststop", path="/h", env=("A",))), "hooks[0].env[0]: 'A' must read NAME=value"),
        (edits(Hook(hook_name="poststop", path="/h", args=("\ud800",))), "hold text that is no Unicode"),
    ],
)
def test_an_entry_that_would_spoil_the_file_is_known(one: ContainerEdits, said: str) -> None:
    """P19: one device's bad edits cost that device its entry, and not its neighbours theirs."""
    made = delivery.entry("a", one, str)

    assert made is not None
    assert said in str(delivery.entry_problem(made))


SINGLES = st.dictionaries(IDS, st.lists(PARTS, max_size=4, unique=True), max_size=4)


@given(SINGLES, st.lists(PARTS, max_size=4, unique=True), st.sets(st.integers(0, 15)))
def test_all_of_it_arrives_and_nothing_twice(
    singles: dict[str, list[DeviceNode | Mount | Hook]], extra: list[DeviceNode | Mount | Hook], left_out: set[int]
) -> None:
    """P18: entries and answer together give what was asked for, each node and mount by one way, each hook once."""
    alone = {id_: edits(*some, A=id_) for id_, some in singles.items()}
    together = list(dict.fromkeys([*(part for some in singles.values() for part in some), *extra]))
    whole = edits(*(part for n, part in enumerate(together) if n not in left_out), A="all")
    try:
        done = delivery.split(RESOURCE, whole, alone)
    except ContractViolation:
        assert any(isinstance(p, Hook) and all(p not in some for some in singles.values()) for p in parts(whole))
        return

    made = specification(alone)
    by_name = {f"{KIND}={device.name}": device.container_edits for device in made.devices}
    given_by_cdi = [by_name[name] for name in done.names]
    wanted = delivery.entry("any", whole, str)
    wanted_edits = wanted.container_edits if wanted else document.Edits()
    rest = delivery.entry("any", done.rest, str)
    rest_edits = rest.container_edits if rest else document.Edits()
    by_cdi = {path.path for one in given_by_cdi for path in one.device_nodes}
    mounted = {path.container_path for one in given_by_cdi for path in one.mounts}

    assert made.devices == () or list(rules.problems(made)) == []
    assert {*rest_edits.device_nodes, *(n for one in given_by_cdi for n in one.device_nodes)} == {
        *wanted_edits.device_nodes
    }
    assert {*rest_edits.mounts, *(m for one in given_by_cdi for m in one.mounts)} == {*wanted_edits.mounts}
    assert Counter(h for one in given_by_cdi for h in one.hooks) == Counter(wanted_edits.hooks)
    assert not by_cdi & {one.path for one in rest_edits.device_nodes}
    assert not mounted & {one.container_path for one in rest_edits.mounts}
    assert (done.rest.env, done.rest.annotations, done.rest.hooks) == (whole.env, whole.annotations, ())


@given(RESOURCES, st.dictionaries(IDS, st.lists(PARTS, min_size=1, unique=True), min_size=1, max_size=4))
def test_every_specification_is_legal_and_minimal(
    resource: str, singles: dict[str, list[DeviceNode | Mount | Hook]]
) -> None:
    """P19: whatever backends give, the specification loads, in the oldest version that can hold it."""
    entries = [delivery.entry(id_, edits(*some), str) for id_, some in singles.items()]
    made = delivery.specification(names.kind_of(resource), filter(None, entries))
    read = reader.parse_file(document.encode(made))

    reader.check_file(read)
    assert made.cdi_version == reader.minimum_version(read)
    assert {device.name for device in read.devices} >= {names.device_name(id_) for id_ in singles}
