"""The section of the configuration, and the README's word on it."""

import re
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
import yaml

from devbay_fpga import Settings
from devbay_fpga.settings import Source
from tests.backends.fpga import trees
from tests.backends.fpga.conftest import Ask

ROOT = Path(__file__).parents[3]
README = ROOT / "backends/fpga/README.md"
EXAMPLES = ROOT / "deploy/examples/fpga"
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/config.yaml"))
TREES = {
    "alveo": trees.Card().tree | trees.U50_CARD.tree,
    "pac": trees.dfl() | trees.dfl(1, address="0000:5e:00.0"),
    "programmed": trees.dfl(),
    "zynq": trees.soc(),
}
"""Hardware for each example."""


@pytest.mark.parametrize(
    ("section", "complaint"),
    [
        ({"mode": "afu"}, "Invalid enum value 'afu'"),
        ({"naming": "short"}, "Invalid enum value"),
        ({"health": ["heat"]}, "Invalid enum value 'heat'"),
        ({"stacks": ["cuda"]}, "Invalid enum value 'cuda'"),
        ({"names": [{"select": {}, "resource": "a/b"}]}, "select needs at least one key"),
        ({"names": [{"select": {"id": ""}, "resource": "a/b"}]}, "select.id is empty"),
        ({"names": [{"select": {"id": "x"}, "resource": "ab"}]}, "matching regex"),
        ({"boards": [{"select": {"id": "x"}, "mod": "af"}]}, "unknown field `mod`"),
        ({"managers": [{"resource": "a/b", "nodes": []}]}, "length >= 1"),
        ({"managers": [{"resource": "a/b", "nodes": ["/sys/x"]}]}, "matching regex"),
        ({"programs": [{"resource": "a/b", "bitstream": "x.gbs"}]}, "matching regex"),
        ({"program_timeout": 0}, "> 0"),
        ({"opencl_file": "xilinx.icd"}, "matching regex"),
        ({"libraries": ["lib"]}, "matching regex"),
        ({"devices": 4}, "unknown field `devices`"),
    ],
)
def test_what_does_not_fit_is_refused(section: dict[str, object], complaint: str) -> None:
    """A value out of its bounds is the operator's error, found before anything runs."""
    with pytest.raises(msgspec.ValidationError, match=complaint):
        msgspec.convert(section, Settings)


def test_every_key_is_documented() -> None:
    """The README's table has one row per key, in order: name, default and the words of the type."""
    _, _, chapter = README.read_text().partition("## Settings")
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+) \|$", chapter, re.MULTILINE)

    assert rows == [(field.name, _default(field), _meaning(field)) for field in msgspec.structs.fields(Settings)]


def test_every_source_of_health_is_documented() -> None:
    """The README says of each source what makes a device unhealthy."""
    _, _, chapter = README.read_text().partition("## Health")
    told = re.findall(r"`([\w-]+)`", "".join(re.findall(r"^\| (`.+?) \|", chapter.partition("##")[0], re.MULTILINE)))

    assert set(told) == set(get_args(Source))


@pytest.mark.parametrize("name", NAMES)
def test_examples_offer_what_their_pods_ask_for(ask: Ask, name: str) -> None:
    """Every pod of an example asks for what its configuration offers on such hardware."""
    document = yaml.safe_load((EXAMPLES / name / "config.yaml").read_text())
    assert document["backends"] == ["fpga"]

    offered = set(ask(TREES[name], **document["fpga"]).names().values())

    for pod in yaml.safe_load_all((EXAMPLES / name / "pod.yaml").read_text()):
        for container in pod["spec"]["containers"]:
            assert container["resources"]["limits"].keys() <= offered


def test_every_example_has_its_hardware() -> None:
    """No example is left out of the test above."""
    assert set(NAMES) == set(TREES)


def _default(field: msgspec.structs.FieldInfo) -> str:
    value: Any = field.default if field.default is not msgspec.NODEFAULT else "{}"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`[{', '.join(value)}]`"
    return f"`{value}`" if value != "" else "empty"


def _meaning(field: msgspec.structs.FieldInfo) -> str:
    return str(field.type.__metadata__[0].description)
