"""The section of the configuration."""

import re
from pathlib import Path

import msgspec
import pytest

from devbay import conversion
from devbay_sriov import Settings

README = Path(__file__).parents[3] / "backends/sriov/README.md"


def test_every_key_is_documented() -> None:
    """The README's table has one row per key, in order: name, default and the words of the type."""
    _, _, chapter = README.read_text(encoding="utf-8").partition("## Settings")
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+) \|$", chapter, re.MULTILINE)

    described = msgspec.json.schema(Settings)["$defs"]["Settings"]["properties"]
    assert [(name, meaning) for name, _, meaning in rows] == [
        (name, field["description"]) for name, field in described.items()
    ]
    defaults = {name: default.strip("`") for name, default, _ in rows}
    assert defaults == {
        name: {None: "none", True: "true", False: "false"}.get(field["default"], field["default"])
        for name, field in described.items()
    }


@pytest.mark.parametrize(
    ("section", "complaint"),
    [
        ({"config_file": "config.json"}, "matching regex"),
        ({"device_info_dir": "devinfo"}, "matching regex"),
        ({"resource_prefix": "Intel.com"}, "matching regex"),
        ({"pf_link": "yes"}, "Expected `bool`"),
        ({"resourcelist": []}, "unknown field `resourcelist`"),
        ({"resourceList": {}}, "Expected `array | null`"),
        ({"resourceList": [{"resourceName": "a.b", "selectors": {}}]}, "'a.b' is no name"),
    ],
)
def test_what_does_not_fit_is_refused(section: dict[str, object], complaint: str) -> None:
    """A value out of its bounds is the operator's error, found before anything runs."""
    with pytest.raises(msgspec.ValidationError, match=complaint):
        msgspec.convert(section, Settings)


def test_a_mistake_is_told_by_its_place_and_no_secret_with_it() -> None:
    """P20: the host shows the one value that is wrong; what containers alone may know stands in no message."""
    own = {"resourceName": "a", "selectors": {"vendors": "8086"}, "additionalInfo": {"*": {"token": "hunter2"}}}
    document = {"resourceList": [own, {**own, "resourceName": "b.c"}]}

    told = [f"{each.keys}: {each.problem} {each.value}" for each in conversion.misfits(document, Settings)]

    assert "hunter2" not in "".join(told)
    assert {each.partition(": ")[0] for each in told} == {
        "('resourceList', '0', 'selectors', 'vendors')",
        "('resourceList', '1', 'resourceName')",
        "('resourceList', '1', 'selectors', 'vendors')",
    }


def test_a_secret_of_the_wrong_type_is_not_told() -> None:
    """Nor is it where it is what is wrong."""
    own = {"resourceName": "a", "selectors": {"vendors": ["8086"]}, "additionalInfo": {"*": "hunter2"}}

    told = list(conversion.misfits({"resourceList": [own]}, Settings))

    assert "hunter2" not in str(told)
    assert "additionalInfo beside it: it must read" in str(told)


def test_nothing_is_written_where_it_is_switched_off() -> None:
    """An empty directory is none."""
    assert not msgspec.convert({"device_info_dir": ""}, Settings).device_info_dir
