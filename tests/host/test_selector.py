"""Selectors: which devices a person means, and what cannot be meant."""

import pytest

from devbay.model import Attribute, Device
from devbay.selector import EVERYTHING, Wanted, parse, unknown_names, values_of

GI = 1024**3
NEITHER = (
    "is no comparison and no quantity; write one of >=, <=, >, <, ==, != before a number in one word, such as '>= 40Gi'"
)
GPU = Device(
    id="GPU-1f",
    resource="nvidia.com/gpu",
    numa_nodes=(0, 1),
    parent="0000:3b:00.0",
    paths=("/dev/nvidia0",),
    attributes={"index": 0, "product": "NVIDIA A100-SXM4-40GB", "memory": 40 * GI, "mig": False, "size": "40Gi"},
)


@pytest.mark.parametrize(
    "wanted",
    [
        {"id": "GPU-1f"},
        {"id": "GPU-*"},
        {"id": ["GPU-2f", "GPU-1?"]},
        {"parent": "0000:3b:*"},
        {"path": "/dev/nvidia[0-3]"},
        {"numa_node": 1},
        {"numa_node": "< 2"},
        {"index": 0},
        {"index": "0"},
        {"index": [3, 0]},
        {"index": "<= 0"},
        {"product": "*A100*"},
        {"memory": ">= 40Gi"},
        {"memory": ">39.5Gi"},
        {"memory": "< 43G"},
        {"memory": "!= 80Gi"},
        {"memory": 40 * GI},
        {"size": "== 40Gi"},
        {"size": "40Gi"},
        {"memory": "40Gi"},
        {"memory": "40960Mi"},
        {"memory": ["80Gi", "40.0Gi"]},
        {"mig": False},
        {"mig": "false"},
        {"product": "*A100*", "memory": ">= 40Gi", "index": [0, 1]},
    ],
)
def test_meant(wanted: dict[str, Wanted]) -> None:
    """P16: globs, lists, numbers and quantities select by every field and attribute; all keys must hold."""
    assert parse(wanted).matches(GPU)


@pytest.mark.parametrize(
    "wanted",
    [
        {"id": "gpu-1f"},
        {"id": "GPU-1"},
        {"parent": "0000:3c:*"},
        {"numa_node": 2},
        {"index": 1},
        {"index": False},
        {"product": "A100"},
        {"memory": "> 40Gi"},
        {"memory": "40G"},
        {"size": "40960Mi"},
        {"memory": ">= 41G", "index": 1},
        {"product": "> 3"},
        {"mig": True},
        {"colour": "*"},
        {"colour": "!= 3"},
    ],
)
def test_not_meant(wanted: dict[str, Wanted]) -> None:
    """P16: what differs in one thing, or lacks what is looked at, is not selected."""
    assert not parse(wanted).matches(GPU)


def test_everything() -> None:
    """Without conditions all devices are meant."""
    assert EVERYTHING.matches(GPU)


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        ({}, "a selector needs at least one key, such as id, index or product"),
        ({"index": []}, "index: an empty list selects no device"),
        ({"id": ""}, "id: an empty text selects no device"),
        ({"memory": ">= 40Gx"}, "memory: '>= 40Gx' compares with '40Gx', which is no number such as 40Gi"),
        ({"memory": "=> 1Gi"}, f"memory: '=> 1Gi' {NEITHER}"),
        ({"memory": ">=1 Gi"}, f"memory: '>=1 Gi' {NEITHER}"),
        ({"memory": "= 1Gi"}, f"memory: '= 1Gi' {NEITHER}"),
        ({"memory": " !1Gi"}, f"memory: ' !1Gi' {NEITHER}"),
        ({"memory": ">"}, f"memory: '>' {NEITHER}"),
        ({"memory": ["40 Gi"]}, f"memory: '40 Gi' {NEITHER}"),
        ({"memory": ">= many"}, "memory: '>= many' compares with 'many', which is no number such as 40Gi"),
    ],
)
def test_what_cannot_be_meant(wanted: dict[str, Wanted], problem: str) -> None:
    """P20: a selector that could match nothing is an error that names key and remedy, not an empty pool."""
    with pytest.raises(ValueError, match=r".") as error:
        parse(wanted)
    assert str(error.value) == problem


def test_a_mistyped_attribute_is_noticed() -> None:
    """P20: a name that no device has is most likely a slip; one that any of them has is none."""
    other = Device(id="a", resource="r", attributes={"colour": "red"})
    selectors = [parse({"prodcut": "*", "id": "*"}), parse({"colour": "*", "memory": "> 1"})]

    assert unknown_names(selectors, [GPU, other]) == ("prodcut",)


def test_a_field_comes_before_an_attribute_of_its_name() -> None:
    """What is called id in a selector is the device's id, whatever the backend calls so."""
    device = Device(id="a", resource="r", attributes={"id": "b"})
    values: list[tuple[Attribute, ...]] = [values_of(device, name) for name in ("id", "parent", "other")]

    assert values == [("a",), (), ()]
