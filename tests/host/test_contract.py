"""What of a backend's answer can be used: each kind of nonsense is named, and costs no neighbour (P13)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbay import contract
from devbay.contract import ContractViolation, Rejection
from devbay.model import HEALTHY, ContainerEdits, Device, DeviceNode, Health, Hook, Mount, unhealthy

RESOURCE = "example.com/widget"
GOOD = Device(id="good", resource=RESOURCE)


class Unshowable:
    """An object that raises whatever it is asked."""

    def __repr__(self) -> str:
        raise RuntimeError("no")

    __str__ = __repr__
    __bool__ = __repr__


class Unreadable(dict[str, str]):
    """A mapping that cannot be read to its end."""

    def __iter__(self) -> Iterator[str]:
        yield "first"
        raise OSError("the second register does not answer")

    keys = __iter__  # type: ignore[assignment]  # wrong on purpose


@dataclass(frozen=True, kw_only=True)
class Cuckoo:
    """What looks like a device and is none."""

    id: str = "cuckoo"
    resource: str = RESOURCE


def device(**fields: Any) -> Device:
    """Return a device with anything in it."""
    return Device(**{"id": "odd", "resource": RESOURCE} | fields)


# Resource names.


@pytest.mark.parametrize(
    "name",
    [
        RESOURCE,
        "nvidia.com/gpu.shared",
        "a/b",
        "localhost/X_y-Z.9",
        f"{'a' * 244}/x",
        f"example.com/{'x' * 63}",
        "4.2/0",
        "requests/x",
        "my-kubernetes.io.example/x",
    ],
)
def test_legal_resource_names(name: str) -> None:
    """P13: whatever Kubernetes takes as an extended resource is taken."""
    assert contract.resource_name_problem(name) is None


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        pytest.param("", "one slash", id="empty"),
        pytest.param("widget", "one slash", id="no-domain"),
        pytest.param("example.com/widget/more", "one slash", id="two-slashes"),
        pytest.param("/widget", "before the slash", id="empty-domain"),
        pytest.param("Example.com/widget", "before the slash", id="upper-case-domain"),
        pytest.param("example..com/widget", "before the slash", id="empty-label"),
        pytest.param("-example.com/widget", "before the slash", id="label-begins-with-dash"),
        pytest.param("example-.com/widget", "before the slash", id="label-ends-with-dash"),
        pytest.param("example_x.com/widget", "before the slash", id="underscore-in-domain"),
        pytest.param(f"{'a' * 245}/x", "at most 244", id="domain-too-long"),
        pytest.param("example.com\n/widget", "before the slash", id="newline-in-domain"),
        pytest.param("example.com/", "after the slash", id="empty-type"),
        pytest.param("example.com/-widget", "after the slash", id="type-begins-with-dash"),
        pytest.param("example.com/widget.", "after the slash", id="type-ends-with-dot"),
        pytest.param("example.com/wid get", "after the slash", id="space"),
        pytest.param("example.com/widget\n", "after the slash", id="newline-at-the-end"),
        pytest.param("example.com/größe", "after the slash", id="not-ascii"),
        pytest.param("example.com/widget٣", "after the slash", id="other-digits"),
        pytest.param(f"example.com/{'x' * 64}", "at most 63", id="type-too-long"),
        pytest.param("kubernetes.io/widget", "keeps names", id="kubernetes-own"),
        pytest.param("x.kubernetes.io/widget", "keeps names", id="kubernetes-subdomain"),
        pytest.param("requests.example.com/widget", "keeps names", id="requests"),
        pytest.param(None, "must be a str, not NoneType None", id="none"),
        pytest.param(b"a/b", "must be a str, not bytes b'a/b'", id="bytes"),
    ],
)
def test_illegal_resource_names(name: object, problem: str) -> None:
    """P13: a name that the kubelet would refuse is refused here, and the reason says which part of it is wrong."""
    assert problem in (contract.resource_name_problem(name) or "")


# Devices.


def test_good_devices() -> None:
    """P9: devices come out sorted, as they were said to be."""
    other = Device(id="b", resource=RESOURCE, paths=("/dev/b",), attributes={"memory": 1, "ecc": True, "name": "B"})

    assert contract.accept_devices(iter([GOOD, other])) == ((other, GOOD), ())


def test_tidied() -> None:
    """P17: NUMA nodes come out sorted, once each and without the kernel's -1; sequences as tuples."""
    (found,), _ = contract.accept_devices([device(numa_nodes=[2, -1, 0, 2], paths=["/dev/b", "/dev/a"])])

    assert found == device(numa_nodes=(0, 2), paths=("/dev/b", "/dev/a"))
    assert hash(found)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (None, "discover returned None instead of devices; return an empty list where there are none"),
        (42, "discover returned int 42 instead of devices"),
        ("w0", "discover returned str 'w0' instead of devices"),
        ({"w0": GOOD}, "discover returned dict {'w0': Device("),
        (GOOD, "discover returned Device Device("),
        (Unshowable(), "discover returned Unshowable that cannot be shown instead of devices"),
    ],
    ids=["none", "number", "text", "mapping", "bare-device", "unshowable"],
)
def test_no_answer_at_all(answer: object, problem: str) -> None:
    """P3: an answer that is none at all is a violation that says what came and what was expected."""
    with pytest.raises(ContractViolation) as caught:
        contract.accept_devices(answer)

    assert str(caught.value).startswith(problem)


def test_an_answer_that_breaks_off_is_no_answer() -> None:
    """P3: a generator that raises midway has not said what is here: what it raises is the reason, as for any other."""

    def broken_off() -> Iterator[Device]:
        yield GOOD
        raise OSError("the second register does not answer")

    with pytest.raises(OSError, match="second register"):
        contract.accept_devices(broken_off())


@pytest.mark.parametrize(
    ("item", "name", "problem"),
    [
        pytest.param("w0", "item 0", "is str 'w0', not a devbay.api.Device", id="text"),
        pytest.param(Cuckoo(), "item 0", "not a devbay.api.Device", id="look-alike"),
        pytest.param(Device, "item 0", "not a devbay.api.Device", id="class"),
        pytest.param(Unshowable(), "item 0", "is Unshowable that cannot be shown, not a devbay", id="unshowable"),
        pytest.param(device(id=7), "item 0", "its id is int 7, not a non-empty str", id="number-as-id"),
        pytest.param(device(id=""), "item 0", "its id is str '', not a non-empty str", id="empty-id"),
        pytest.param(device(id=Unshowable()), "item 0", "its id is Unshowable that cannot", id="unshowable-id"),
        pytest.param(device(id="two words"), "two words", "illegal device id 'two words'", id="space"),
        pytest.param(device(id="a,b"), "a,b", "illegal device id", id="comma"),
        pytest.param(device(id="a::0"), "a::0", "illegal device id", id="replica"),
        pytest.param(device(id="w0\n"), "w0\n", "illegal device id 'w0\\n'", id="newline-at-the-end"),
        pytest.param(device(id="größe"), "größe", "printable ASCII", id="not-ascii"),
        pytest.param(device(id="x" * 64), "x" * 64, "at most 63", id="long-id"),
        pytest.param(device(resource="widget"), "odd", "illegal resource name 'widget'", id="resource"),
        pytest.param(device(numa_nodes=("0",)), "odd", "its numa_nodes are tuple ('0',), not integers", id="numa-text"),
        pytest.param(device(numa_nodes=(True,)), "odd", "not integers", id="numa-bool"),
        pytest.param(device(numa_nodes=1), "odd", "its numa_nodes are int 1, not integers", id="numa-bare"),
        pytest.param(device(numa_nodes=(2**63,)), "odd", "not integers that number NUMA nodes", id="numa-huge"),
        pytest.param(device(paths="/dev/x"), "odd", "its paths are str '/dev/x', not absolute", id="paths-text"),
        pytest.param(device(paths=("dev/x",)), "odd", "not absolute paths", id="relative-path"),
        pytest.param(device(paths=(None,)), "odd", "not absolute paths", id="path-none"),
        pytest.param(device(paths={"/dev/x"}), "odd", "not absolute paths", id="paths-set"),
        pytest.param(device(parent=7), "odd", "its parent is int 7, not an id", id="parent"),
        pytest.param(device(attributes=["memory"]), "odd", "not a mapping", id="attributes-list"),
        pytest.param(device(attributes={"a": 1.5}), "odd", "'a' is float 1.5, not a str, int or bool", id="float"),
        pytest.param(device(attributes={"a": None}), "odd", "attribute 'a' is NoneType None", id="attribute-none"),
        pytest.param(device(attributes={7: "a"}), "odd", "attribute 7 is str 'a'", id="attribute-name"),
        pytest.param(device(attributes=Unreadable(first="a")), "odd", "cannot be read: OSError", id="unreadable"),
        pytest.param(device(attributes={"a": Unshowable()}), "odd", "Unshowable that cannot be shown", id="showless"),
    ],
)
def test_one_odd_device_costs_itself(item: object, name: str, problem: str) -> None:
    """P13: what cannot be used is named with its reason, and the good device beside it is used."""
    accepted, ((item_name, reason),) = contract.accept_devices([item, GOOD])

    assert accepted == (GOOD,)
    assert item_name == name
    assert problem in reason


def test_two_devices_with_one_id() -> None:
    """P13: of two devices with one id the first is used, and the second is named."""
    first, second = device(paths=("/dev/null",)), device(paths=("/dev/zero",))

    assert contract.accept_devices([first, GOOD, second]) == (
        (GOOD, first),
        (Rejection("odd", "a second device with this id; the first one is used"),),
    )


def test_long_values_are_cut_in_messages() -> None:
    """P24: a reason stays a line that a person reads, whatever was returned."""
    _, ((_, reason),) = contract.accept_devices(["x" * 100_000])

    assert len(reason) < 200


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(st.lists(ANYTHING | st.builds(device, id=ANYTHING, numa_nodes=ANYTHING, paths=ANYTHING, attributes=ANYTHING)))
def test_no_list_of_anything_hides_a_good_device(items: list[object]) -> None:
    """P13: beside whatever else, the good device comes through, and everything is accepted or rejected."""
    accepted, rejected = contract.accept_devices([GOOD, *items])

    assert GOOD in accepted
    assert len(accepted) + len(rejected) == len(items) + 1


# Health.


@pytest.mark.parametrize(
    ("said", "health"),
    [
        pytest.param(HEALTHY, HEALTHY, id="healthy"),
        pytest.param(Health(healthy=True, reason="fine"), HEALTHY, id="healthy-with-a-reason"),
        pytest.param(unhealthy("hot"), unhealthy("hot"), id="unhealthy"),
        pytest.param(Health(healthy=False), unhealthy("no reason given"), id="no-reason"),
        pytest.param(
            Health(healthy=False, reason=Unshowable()),  # type: ignore[arg-type]  # wrong on purpose
            unhealthy("a Unshowable that cannot be shown"),
            id="unshowable-reason",
        ),
        pytest.param(Health(healthy="yes"), unhealthy("no reason given"), id="not-a-bool"),  # type: ignore[arg-type]  # wrong on purpose
        pytest.param(None, unhealthy("not reported by the backend's check"), id="none"),
        pytest.param(True, unhealthy("check returned bool True instead of devbay.api.Health"), id="bool"),
        pytest.param("ok", unhealthy("check returned str 'ok' instead of devbay.api.Health"), id="text"),
    ],
)
def test_health(said: object, health: Health) -> None:
    """P12, P13: what is not clearly healthy is unhealthy with a reason, and the device beside it is unharmed."""
    answer = contract.accept_health({"odd": said, "good": HEALTHY}, [device(), GOOD])

    assert answer == {"odd": health, "good": HEALTHY}


def test_what_check_does_not_name_is_unhealthy() -> None:
    """P12: silence about a device is no health; words about unknown ones mean nothing."""
    assert contract.accept_health({"other": HEALTHY}, [GOOD]) == {
        "good": unhealthy("not reported by the backend's check")
    }


@pytest.mark.parametrize("answer", [None, [HEALTHY], HEALTHY, 42])
def test_no_mapping_of_health(answer: object) -> None:
    """P3: an answer of `check` that is no mapping is a violation."""
    with pytest.raises(ContractViolation, match=r"check returned .* instead of a mapping of device id to health"):
        contract.accept_health(answer, [GOOD])


# Container edits.


def edits(**fields: Any) -> ContainerEdits:
    """Return container edits with anything in them."""
    return ContainerEdits(**fields)


def test_good_edits_are_filled_in() -> None:
    """P14: where only the container's path was given the node's is the same; sequences come out as tuples."""
    said = edits(
        env={"A": "", "B": "ä\n"},
        device_nodes=[DeviceNode(path="/dev/a", permissions="mr")],
        mounts=[Mount(container_path="/lib/a"), Mount(container_path="/b", host_path="/c", read_only=False)],
        annotations={"example.com/a": "1"},
        hooks=[Hook(hook_name="poststop", path="/bin/h", args=["h"], env=["A=1"], timeout=5)],  # type: ignore[arg-type]  # as authors write it
    )

    assert contract.accept_edits(said) == ContainerEdits(
        env={"A": "", "B": "ä\n"},
        device_nodes=(DeviceNode(path="/dev/a", host_path="/dev/a", permissions="rm"),),
        mounts=(
            Mount(container_path="/lib/a", host_path="/lib/a"),
            Mount(container_path="/b", host_path="/c", read_only=False),
        ),
        annotations={"example.com/a": "1"},
        hooks=(Hook(hook_name="poststop", path="/bin/h", args=("h",), env=("A=1",), timeout=5),),
    )


def node(**fields: Any) -> ContainerEdits:
    """Return edits with one device node."""
    return edits(device_nodes=[DeviceNode(**{"path": "/dev/a"} | fields)])


def hook(**fields: Any) -> ContainerEdits:
    """Return edits with one hook."""
    return edits(hooks=[Hook(**{"hook_name": "poststop", "path": "/bin/h"} | fields)])


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        pytest.param(None, "edit returned NoneType None instead of devbay.api.ContainerEdits", id="none"),
        pytest.param({"env": {}}, "instead of devbay.api.ContainerEdits", id="mapping"),
        pytest.param(edits(env=[("A", "1")]), "env that are list [('A', '1')] instead of a mapping", id="env-pairs"),
        pytest.param(edits(env={"A": 1}), "env in which A is int 1, not a str", id="env-number"),
        pytest.param(edits(env={"A": None}), "env in which A is NoneType None", id="env-none"),
        pytest.param(edits(env={"": "1"}), "env with the illegal name str ''", id="env-empty-name"),
        pytest.param(edits(env={"A=B": "1"}), "env with the illegal name str 'A=B'", id="env-equals"),
        pytest.param(edits(env={1: "1"}), "env with the illegal name int 1", id="env-number-as-name"),
        pytest.param(edits(env={"A": "a\0b"}), "env in which A is", id="env-nul"),
        pytest.param(edits(env={"A": "\ud800"}), "env in which A is", id="env-surrogate"),
        pytest.param(edits(env={"\udcff": "1"}), "env with the illegal name", id="env-surrogate-name"),
        pytest.param(edits(annotations={"a": 1}), "annotations in which a is int 1", id="annotation"),
        pytest.param(edits(device_nodes=["/dev/a"]), "instead of devbay.api.DeviceNode", id="node-text"),
        pytest.param(edits(device_nodes="/dev/a"), "device_nodes that are str '/dev/a'", id="nodes-text"),
        pytest.param(edits(device_nodes=None), "device_nodes that are NoneType None", id="nodes-none"),
        pytest.param(edits(mounts=[DeviceNode(path="/a")]), "instead of devbay.api.Mount", id="node-as-mount"),
        pytest.param(node(path="dev/a"), "device node with the path str 'dev/a', which is not absolute", id="relative"),
        pytest.param(node(path=""), "device node with the path str ''", id="empty-path"),
        pytest.param(node(path=None), "device node with the path NoneType None", id="path-none"),
        pytest.param(node(path="/dev/\0"), "which is not absolute", id="path-nul"),
        pytest.param(node(path="/dev/\udcff"), "which is not absolute", id="path-surrogate"),
        pytest.param(node(host_path="dev/a"), "device node with the path str 'dev/a'", id="relative-host-path"),
        pytest.param(node(permissions=""), "permissions str ''", id="no-permissions"),
        pytest.param(node(permissions="rwx"), "permissions str 'rwx'", id="unknown-permission"),
        pytest.param(node(permissions="rr"), "permissions str 'rr'", id="permission-twice"),
        pytest.param(node(permissions=["r"]), "permissions list ['r']; use 'r', 'w' and 'm'", id="permission-list"),
        pytest.param(node(permissions=None), "permissions NoneType None", id="permission-none"),
        pytest.param(edits(mounts=[Mount(container_path="a")]), "a mount with the path str 'a'", id="relative-mount"),
        pytest.param(
            edits(mounts=[Mount(container_path="/a", read_only="no")]),  # type: ignore[arg-type]  # wrong on purpose
            "mounts /a with read_only str 'no', not a bool",
            id="mount-read-only",
        ),
        pytest.param(hook(path="h"), "a hook with the path str 'h'", id="relative-hook"),
        pytest.param(hook(hook_name="before"), "hook_name str 'before'; use one of prestart", id="unknown-hook"),
        pytest.param(hook(hook_name=["x"]), "hook_name list ['x']", id="hook-name-list"),
        pytest.param(hook(args="-v"), "args or env are no sequences of str", id="hook-args"),
        pytest.param(hook(env={"A": "1"}), "args or env are no sequences of str", id="hook-env"),
        pytest.param(hook(timeout="5"), "timeout str '5', not whole seconds", id="hook-timeout"),
        pytest.param(hook(timeout=0), "timeout int 0", id="hook-timeout-zero"),
        pytest.param(edits(env={"A": Unshowable()}), "A is Unshowable that cannot be shown", id="unshowable"),
    ],
)
def test_edits_that_no_container_can_be_given(answer: object, problem: str) -> None:
    """P14: edits that cannot be delivered as a whole are refused, and the text names the part and what it held."""
    with pytest.raises(ContractViolation) as caught:
        contract.accept_edits(answer)

    assert problem in str(caught.value)
