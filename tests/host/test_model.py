"""The values that everything speaks in: what they can be asked, and what makes two of them equal."""

from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from devbay.model import HEALTHY, ContainerEdits, Device, Health, Node, unhealthy

MOVED = Node(name="n", sys=Path("/host/sys"), dev=Path("/host/dev"), proc=Path("/host/proc"))


@pytest.mark.parametrize(
    ("path", "found"),
    [
        pytest.param("/dev/null", "/host/dev/null", id="dev"),
        pytest.param("/dev/vfio/12", "/host/dev/vfio/12", id="deeper"),
        pytest.param("/dev", "/host/dev", id="root-itself"),
        pytest.param("/sys/class/net", "/host/sys/class/net", id="sys"),
        pytest.param("/proc/driver", "/host/proc/driver", id="proc"),
        pytest.param("/devices/null", "/devices/null", id="only-begins-alike"),
        pytest.param("/opt/dev/null", "/opt/dev/null", id="dev-further-down"),
    ],
)
def test_locate(path: str, found: str) -> None:
    """Where this process finds a node's file follows the node's three roots, and nothing else does."""
    assert MOVED.locate(path) == Path(found)


def test_locate_without_moved_roots() -> None:
    """On the node itself every path is its own place."""
    assert Node(name="n").locate("/dev/null") == Path("/dev/null")


def test_health_always_has_a_reason() -> None:
    """P12: whoever is unhealthy has a reason, even where none was given."""
    assert unhealthy("no link") == Health(healthy=False, reason="no link")
    assert unhealthy("").reason == "no reason given"


def test_health_reads_as_a_truth() -> None:
    """Code that asks ``if health`` asks whether the device may be given away."""
    assert bool(HEALTHY) is True
    assert bool(unhealthy("no link")) is False


def test_attributes_make_a_difference_and_can_be_hashed() -> None:
    """Two devices that differ in an attribute alone differ, and both can still be keys of what is remembered."""
    small = Device(id="a", resource="example.com/widget", attributes={"memory": 1})
    large = Device(id="a", resource="example.com/widget", attributes={"memory": 2})

    assert small != large
    assert len({small, large}) == 2


@pytest.mark.parametrize("value", [Node(name="n"), Device(id="a", resource="r"), HEALTHY, ContainerEdits()])
def test_values_are_frozen(value: object) -> None:
    """A value that was handed on stays as it was."""
    name = next(iter(type(value).__annotations__))

    with pytest.raises(FrozenInstanceError):
        value.__setattr__(name, "other")
