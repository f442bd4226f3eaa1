"""AMD's and Intel's names, and AMD's rules for names of one's own."""

import re

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devbay.testing import DIRECTORY
from devbay_fpga import Settings, naming
from devbay_fpga.customising import FIELDS, customised, parse
from tests.backends.fpga import trees
from tests.backends.fpga.conftest import Ask
from tests.backends.fpga.trees import Card

PATIENT = settings(deadline=None)
"""A busy machine may take its time."""

HEX = st.text("0123456789abcdef", min_size=32, max_size=32)
LEGAL = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9_-])?")
UUIDS = f"{Card().user}/logic_uuids"


@pytest.mark.parametrize(
    ("interface", "afu", "name"),
    [
        (
            "69528db6eb31577a8c3668f9faa081f6",
            "d8424dc4a4a3c413f89e433683f9040b",
            "af-695.d84.aVKNtusxV3qMNmj5-qCB9thCTcSko8QT-J5DNoP5BAs",
        ),
        (
            "ce48969398f05f33946d560708be108a",
            "d8424dc4a4a3c413f89e433683f9040b",
            "af-ce4.d84.zkiWk5jwXzOUbVYHCL4QithCTcSko8QT-J5DNoP5BAs",
        ),
    ],
)
def test_functions_are_named_as_intels_plugin_names_them(interface: str, afu: str, name: str) -> None:
    """A function in a region has the name that Intel's device plugin gives it, to the byte."""
    assert naming.af_name(interface, afu) == name


@PATIENT
@given(HEX, HEX)
def test_every_function_has_a_name_that_can_be_asked_for(interface: str, afu: str) -> None:
    """Whatever the ids, the name has 54 characters, and two functions never share one."""
    name = naming.af_name(interface, afu)

    assert len(name) == 54
    assert LEGAL.fullmatch(name)
    assert naming.af_name(interface, afu[::-1]) != name or afu == afu[::-1]


@pytest.mark.parametrize(
    ("customize", "name"),
    [
        ({"u200-xilinx_u200_xdma_201830_1-1542252769": "deviceType+'-fast'"}, "u200-fast"),
        ({"U200-*-*": "deviceType"}, "u200"),
        ({"*-*-a1b2c3": "'shell-'+uuid"}, "shell-a1b2c3"),
        ({"*-*-*": "index+'.'+deviceID+'.'+SN+'.'+timestamp"}, "0.0x5001.213047802.1542252769"),
        ({"u50-*-*": "'no'", "u200-*-*": "'first'", "*-*-*": "'second'"}, "first"),
        ({"u50-*-*": "'no'"}, "xilinx_u200_xdma_201830_1-1542252769"),
        ({"*-*-*": "shellVer+shellVer+shellVer"}, "xilinx_u200_xdma_201830_1-1542252769"),
    ],
    ids=["all-parts", "case", "uuid", "fields", "first", "none-fits", "too-long"],
)
def test_names_of_ones_own(ask: Ask, customize: dict[str, str], name: str) -> None:
    """`customize` is read as AMD's plugin reads its NameCustomize.json; among several that fit the first counts."""
    tree = Card().tree | {UUIDS: "c0ffee00000000000000000000a1b2c3\n"}

    assert ask(tree, customize=customize).names() == {"0000:04:00.1": f"amd.com/{name}"}


def test_common_names_are_never_customised(ask: Ask) -> None:
    """A U30 by its common name stays that; by its exact one it is customised like any card."""
    tree, rule = Card(vbnv="xilinx_u30_gen3x4_base_2", timestamp="0").tree, {"*-*-*": "'mine'"}

    assert ask(tree, customize=rule).names() == {"0000:04:00.1": "amd.com/ama_u30"}
    assert ask(tree, customize=rule, u30_names="exact").names() == {"0000:04:00.1": "amd.com/mine"}


def test_a_shell_without_partitions(ask: Ask) -> None:
    """Where logic_uuids cannot be read, or is short, the card is named as it would be, and is well."""
    for uuids in ("", "a1\n", DIRECTORY):
        asked = ask(Card().tree | {UUIDS: uuids})

        assert asked.names() == {"0000:04:00.1": trees.U200}
        assert asked.health() == {"0000:04:00.1": ""}


@pytest.mark.parametrize(
    ("customize", "complaint"),
    [
        ({"u200": "deviceType"}, "in three parts"),
        ({"u200-a-b-c": "deviceType"}, "in three parts"),
        ({"u200-*-*": "devicetype"}, "neither a 'quoted word' nor one of index, shellVer"),
        ({"u200-*-*": "'"}, "neither a 'quoted word'"),
        ({"u200-*-*": ""}, "neither a 'quoted word'"),
    ],
)
def test_what_would_end_amds_plugin_is_refused(customize: dict[str, str], complaint: str) -> None:
    """A key or a field that AMD's plugin would make an invalid name of is the operator's error, when it is read."""
    with pytest.raises(msgspec.ValidationError, match=complaint):
        msgspec.convert({"customize": customize}, Settings)


@PATIENT
@given(
    st.lists(st.sampled_from([*FIELDS, "'-'", "'x.y'"]), min_size=1, max_size=5),
    st.fixed_dictionaries({name: st.text("abc019_", max_size=12) for name in FIELDS}),
)
def test_an_expression_is_its_words(words: list[str], fields: dict[str, str]) -> None:
    """An expression's name is its words in a row, and nothing when that has more than 60 characters."""
    wanted = "".join(word.strip("'") if word.startswith("'") else fields[word] for word in words)

    assert customised([parse("*-*-*", "+".join(words))], fields) == (wanted if len(wanted) <= 60 else "")
