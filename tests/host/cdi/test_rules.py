"""Documents and their rules, held against an independent reader: what we call legal loads, what we refuse does not."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbay.cdi import document, rules
from devbay.cdi.document import NOTHING, Device, DeviceNode, Edits, Hook, IntelRdt, Mount, NetDevice, NotASpecification
from devbay.simulator import cdi as reader

NODE = DeviceNode(path="/dev/null")


def specification(*devices: Device, common: Edits = NOTHING, kind: str = "a.b/cc") -> document.Specification:
    """Return a specification of the newest version."""
    return document.Specification(cdi_version="1.1.0", kind=kind, devices=devices, container_edits=common)


def one(edits: Edits, name: str = "d") -> document.Specification:
    """Return a specification of one device."""
    return specification(Device(name=name, container_edits=edits))


def loads(text: str) -> bool:
    """Whether the independent reader loads a file with this text."""
    try:
        reader.check_file(reader.parse_file(text))
    except (reader.Malformed, reader.Invalid):
        return False
    return True


NEEDS = [
    pytest.param(one(Edits(device_nodes=(NODE,))), "0.3.0", id="a-node"),
    pytest.param(one(Edits(device_nodes=(DeviceNode(path="/d", permissions="r", uid=1),))), "0.3.0", id="its-details"),
    pytest.param(
        one(Edits(env=("A=",), hooks=(Hook(hook_name="poststop", path="/h", timeout=1),))), "0.3.0", id="hook"
    ),
    pytest.param(
        one(Edits(mounts=(Mount(host_path="/a", container_path="/a", options=("ro",)),))), "0.3.0", id="mount"
    ),
    pytest.param(
        one(Edits(mounts=(Mount(host_path="/a", container_path="/a", type="bind"),))), "0.4.0", id="mount-type"
    ),
    pytest.param(one(Edits(device_nodes=(DeviceNode(path="/d", host_path="/e"),))), "0.5.0", id="host-path"),
    pytest.param(one(Edits(device_nodes=(NODE,)), name="0000:3b:00.0"), "0.5.0", id="digit"),
    pytest.param(
        specification(Device(name="d", container_edits=Edits(env=("A=",))), kind="a.b/c.d"), "0.6.0", id="dot"
    ),
    pytest.param(
        specification(Device(name="d", annotations={"a": "b"}, container_edits=Edits(env=("A=",)))),
        "0.6.0",
        id="annotations",
    ),
    pytest.param(one(Edits(additional_gids=(5,))), "0.7.0", id="gids"),
    pytest.param(one(Edits(intel_rdt=IntelRdt(clos_id="c"))), "0.7.0", id="rdt"),
    pytest.param(one(Edits(intel_rdt=IntelRdt(schemata=("L3:0=f",)))), "1.1.0", id="schemata"),
    pytest.param(one(Edits(net_devices=(NetDevice(host_interface_name="e", name="f"),))), "1.1.0", id="interface"),
    pytest.param(
        specification(Device(name="d", container_edits=Edits(env=("A=",))), common=Edits(additional_gids=(5,))),
        "0.7.0",
        id="common",
    ),
]


@pytest.mark.parametrize(("made", "version"), NEEDS)
def test_the_lowest_version_loads_and_the_one_below_does_not(made: document.Specification, version: str) -> None:
    """P19: a specification is of the oldest version that has what it uses: old runtimes load it."""
    assert rules.lowest_version(made) == version
    assert list(rules.problems(msgspec.structs.replace(made, cdi_version=version))) == []
    below = rules.VERSIONS[rules.VERSIONS.index(version) - 1]
    old = msgspec.structs.replace(made, cdi_version=below)

    assert loads(document.encode(msgspec.structs.replace(made, cdi_version=version)))
    assert not loads(document.encode(old))
    if below > "0.2.0":
        assert [f"needs {version}" in problem for problem in rules.problems(old)] == [True]


WRONG = [
    (specification(), "devices: there are none"),
    (specification(Device(name="d")), r"devices[0] (d): containerEdits are empty; a device must edit something"),
    (specification(*[Device(name="d", container_edits=Edits(env=("A=",)))] * 2), "devices: 2 are called 'd'"),
    (specification(Device(name="a/b", container_edits=Edits(env=("A=",)))), "devices[0]: name 'a/b' must be letters"),
    (one(Edits(env=("A",))), "devices[0] (d): containerEdits.env[0]: 'A' must read NAME=value"),
    (one(Edits(device_nodes=(DeviceNode(path=""),))), "containerEdits.deviceNodes[0]: path is empty"),
    (one(Edits(device_nodes=(DeviceNode(path="/d", type="x"),))), "deviceNodes[0]: type 'x' must be one of"),
    (one(Edits(device_nodes=(DeviceNode(path="/d", permissions="rx"),))), "permissions 'rx' must be of the letters"),
    (one(Edits(mounts=(Mount(host_path="", container_path="/a"),))), "containerEdits.mounts[0]: hostPath is empty"),
    (one(Edits(mounts=(Mount(host_path="/a", container_path=""),))), "mounts[0]: containerPath is empty"),
    (one(Edits(hooks=(Hook(hook_name="onStart", path="/h"),))), "hooks[0]: hookName 'onStart' must be one of prestart"),
    (one(Edits(hooks=(Hook(hook_name="poststop", path=""),))), "hooks[0]: path is empty"),
    (one(Edits(hooks=(Hook(hook_name="poststop", path="/h", env=("A",)),))), "hooks[0].env[0]: 'A' must read"),
    (one(Edits(intel_rdt=IntelRdt(clos_id=".."))), "intelRdt: closID '..' must be a directory's name"),
    (one(Edits(net_devices=(NetDevice(host_interface_name="e", name=""),))), "netDevices: the name '' is empty"),
    (
        one(Edits(net_devices=tuple(NetDevice(host_interface_name="e", name=n) for n in "ab"))),
        "the host interface name 'e' is empty or used 2 times",
    ),
    (
        specification(Device(name="d", container_edits=Edits(env=("A=",))), kind="ab"),
        "kind 'ab' must read vendor/class",
    ),
    (
        specification(Device(name="d", container_edits=Edits(env=("A=",))), kind="a.b/c"),
        "kind: the class 'c' must have two characters or more",
    ),
    (
        specification(Device(name="d", container_edits=Edits(env=("A=",))), common=Edits(env=("=",))),
        "containerEdits.env[0]: '=' must read",
    ),
    (
        document.Specification(cdi_version="0.9.0", kind="a.b/cc", devices=one(Edits(env=("A=",))).devices),
        "cdiVersion '0.9.0' is none; known: 0.1.0, 0.2.0",
    ),
]


@pytest.mark.parametrize(("made", "said"), WRONG, ids=[said for _, said in WRONG])
def test_a_broken_rule_is_named_with_its_place(made: document.Specification, said: str) -> None:
    """P19: what runtimes would pass over is told in a line with the place, and they do pass over it."""
    found = list(rules.problems(made))

    assert [said in problem for problem in found] == [True], found
    assert not loads(document.encode(made)) or "two characters" in said  # one makes the library panic


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected `object`, got `null`"),
        ("[]", "expected `object`, got `array`"),
        ("{'a'", "line 1, column 5"),
        ("a: 1\na: 2\n", "line 2, column 1: the key 'a' stands here twice"),
        ('{"cdiVersion": "0.3.0", "cdiVersion": "0.3.0"}', "the key 'cdiVersion' stands here twice"),
        ('{"cdiVersion": "0.3.0", "kind": "a/b", "colour": 1}', "unknown field `colour`"),
        ('{"cdiVersion": [], "kind": "a/b"}', "expected `str`, got `array` - at `$.cdiVersion`"),
        ('{"kind": "a/b"}', "missing required field `cdiVersion`"),
        ('{"kind":\n"a\\/b"}', r"line 2: '\\/' is JSON and not YAML"),
        ('{"kind": "\x7f"}', r"line 1: '\x7f' is JSON and not YAML"),
        (
            '{"cdiVersion": "0.3.0", "kind": "a/b", "devices": [{"name": "a", "containerEdits": {"mounts": [{}]}}]}',
            "at `$.devices[0].containerEdits.mounts[0]`",
        ),
        (
            '{"cdiVersion": "0.3.0", "kind": "a/b", "containerEdits": {"deviceNodes": [{"path": "/d", "uid": -1}]}}',
            "expected `int` >= 0 - at `$.containerEdits.deviceNodes[0].uid`",
        ),
        (
            '{"cdiVersion": "0.3.0", "kind": "a/b", "containerEdits": {"additionalGids": [4294967296]}}',
            "expected `int` <= 4294967295 - at `$.containerEdits.additionalGids[0]`",
        ),
        ("a: !!int #", "string index out of range"),
        ("a: !!bool x", "'x'"),
    ],
)
def test_what_is_no_specification_is_told_with_its_place(text: str, said: str) -> None:
    """P19: one unknown field spoils a file for every runtime, so it is an error here too, with its place."""
    with pytest.raises(NotASpecification) as caught:
        document.decode(text)

    assert said in str(caught.value)
    assert not loads(text)


LOOSE = """\
cdiVersion: 0.5.0
KIND: a.b/cc
annotations: null
devices:
- name: 0
  annotations: {a: 1}
  containerEdits:
    env: [A=1]
    devicenodes: [{path: /a, hostPath: /dev/41:00.0, fileMode: 0644, uid: 5}]
---
nothing looks here
"""


def test_what_runtimes_take_is_taken() -> None:
    """P19: other people's files are read as runtimes read them: YAML, null, bare numbers, and names in any case."""
    node = DeviceNode(path="/a", host_path="/dev/41:00.0", file_mode=0o644, uid=5)
    device = Device(name="0", annotations={"a": "1"}, container_edits=Edits(env=("A=1",), device_nodes=(node,)))

    assert document.decode(LOOSE) == document.Specification(cdi_version="0.5.0", kind="a.b/cc", devices=(device,))
    assert loads(LOOSE.replace("0.5.0", "0.6.0"))


TEXTS = st.text(max_size=5)
NODES = st.builds(
    DeviceNode,
    path=TEXTS,
    host_path=TEXTS,
    type=st.sampled_from(["", "b", "c", "u", "p", "x"]),
    permissions=st.text("rwmx", max_size=3),
    file_mode=st.none() | st.integers(0, 0o777),
)
EDITS = st.builds(
    Edits,
    env=st.lists(st.sampled_from(["A=", "A", "=", "A=1=2"]), max_size=2).map(tuple),
    device_nodes=st.lists(NODES, max_size=2).map(tuple),
    mounts=st.lists(st.builds(Mount, host_path=TEXTS, container_path=TEXTS, type=TEXTS), max_size=2).map(tuple),
    hooks=st.lists(st.builds(Hook, hook_name=st.sampled_from([*rules.HOOKS, "no"]), path=TEXTS), max_size=2).map(tuple),
    additional_gids=st.lists(st.integers(0, 9), max_size=1).map(tuple),
)
SPECIFICATIONS = st.builds(
    document.Specification,
    cdi_version=st.sampled_from([*rules.VERSIONS[2:], "2"]),
    kind=st.sampled_from(["a.b/cc", "ab/c.d", "a-/cc", "ab"]),
    devices=st.lists(
        st.builds(Device, name=st.sampled_from(["a", "b", "0", "-"]), container_edits=EDITS), max_size=2
    ).map(tuple),
)


@given(SPECIFICATIONS)
def test_we_and_an_independent_reader_agree(made: document.Specification) -> None:
    """P19: what has no problem here is loaded by a runtime's rules, and nothing else is."""
    text = document.encode(made)

    assert document.decode(text) == made
    assert (not list(rules.problems(made))) == loads(text), list(rules.problems(made))


@given(SPECIFICATIONS)
def test_the_lowest_version_is_minimal(made: document.Specification) -> None:
    """P19: whatever a specification holds, its version is enough for it and no newer than it must be."""
    assert rules.lowest_version(made) == reader.minimum_version(reader.parse_file(document.encode(made)))


def test_empty_fields_are_not_written() -> None:
    """P19: what is not said is not in the file, so that runtimes that do not know a field still load it."""
    written: dict[str, Any] = json.loads(document.encode(one(Edits(device_nodes=(NODE,)))))

    assert written == {
        "cdiVersion": "1.1.0",
        "kind": "a.b/cc",
        "devices": [{"name": "d", "containerEdits": {"deviceNodes": [{"path": "/dev/null"}]}}],
    }
