"""What is said about the configuration by its commands, and by the page that is made from the types (P20)."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from devbay.cli.config.described import descriptions, keys
from devbay.cli.config.reference import BEGIN, END, filled
from devbay.cli.config.schema import document
from devbay.errors import ConfigError
from devbay.settings import SECTIONS, Settings
from tests.cli.conftest import Devbay
from tests.house.workspace import ROOT

PAGE = ROOT / "docs/configuration.md"

GOOD = """\
backends: [widget]
health: {scan_interval: 5}
widget:
resources: {example.com/widget: {sharing: {replicas: 2}}}
nodes:
- match: gpu-*
  widget: {count: 4}
"""

BAD = """\
widgt: {}
widget: {count: x, path: 5}
nodes:
- match: gpu-*
  health: {flap_limt: 1}
"""


def write(place: Path, text: str) -> str:
    """Write a configuration; return where."""
    file = place / "config.yaml"
    file.write_text(text, encoding="utf-8")
    return str(file)


# check


def test_a_good_file_is_good(devbay: Devbay, place: Path) -> None:
    """P20: nothing to mend is said, and is the exit code 0; the environment does not matter."""
    file = write(place, GOOD)
    shown = devbay(
        "config", "check", file, packages=("devbay-widget",), environment={"DEVBAY_WIDGET__COUNT": "x", "DEVBAY_X": ""}
    )

    assert (shown.returncode, shown.stdout, shown.stderr) == (0, f"{file}: nothing to mend\n", "")


def test_every_mistake_is_printed(devbay: Devbay, place: Path) -> None:
    """P20: all mistakes of a file are printed, a line each, and are the exit code 2."""
    file = write(place, BAD)
    shown = devbay("config", "check", file, packages=("devbay-widget",))
    listed = json.loads(devbay("config", "check", file, "-o", "json", packages=("devbay-widget",)).stdout)

    assert shown.returncode == 2
    assert shown.stdout.splitlines() == listed["problems"]
    assert [line.removeprefix(f"{file}: ").partition(":")[0] for line in listed["problems"]] == [
        "unknown section 'widgt'; did you mean 'widget'? (line 1, column 1)",
        "nodes.0.health.flap_limt",
        "widget.count = 'x'",
        "widget.path = 5",
    ]


def test_a_backend_that_is_not_installed(devbay: Devbay, place: Path) -> None:
    """P20: a section that nobody here can judge names the package that can."""
    shown = devbay("config", "check", write(place, "gadget: {}\nbackends: gadget"))

    assert shown.returncode == 2
    assert "unknown section 'gadget'" in shown.stdout
    assert shown.stdout.count("pip install devbay-gadget") == 2


def test_a_backend_that_cannot_tell(devbay: Devbay, place: Path) -> None:
    """P20: where a backend cannot say what its section looks like, the check did not come about: exit code 1."""
    shown = devbay("config", "check", write(place, "typo: {}"), packages=("devbay-typo",))

    assert shown.returncode == 1
    assert "typo: not checked: devbay-typo 0.0.1 implements an unknown hook" in shown.stdout


@pytest.mark.parametrize(("text", "code"), [(None, 2), ("a: [", 2), ("", 0)])
def test_files_that_are_none(devbay: Devbay, place: Path, text: str | None, code: int) -> None:
    """P20: a file that is not there or no YAML is told as any mistake is; an empty one means the defaults."""
    file = str(place / "missing.yaml") if text is None else write(place, text)

    shown = devbay("config", "check", file)

    assert (shown.returncode, len(shown.stdout.splitlines())) == (code, 1)
    assert "Traceback" not in shown.stderr


# show


def test_values_have_their_sources(devbay: Devbay, place: Path) -> None:
    """P20: every value of a node is shown with who said it."""
    file = write(place, GOOD)
    shown = devbay(
        "config",
        "show",
        "--config",
        file,
        "--node",
        "gpu-7",
        "-o",
        "json",
        packages=("devbay-widget", "devbay-gadget"),
        environment={"DEVBAY_HEALTH__FLAP_LIMIT": "9"},
    )  # fmt: skip - a command line reads best as one

    rows = {row["key"]: (row["value"], row["source"]) for row in json.loads(shown.stdout)}
    assert rows["node.name"] == ("gpu-7", "--node")
    assert rows["backends"] == (["widget"], file)
    assert rows["widget.count"] == (4, f"{file}: nodes.0")
    assert rows["health.scan_interval"] == (5.0, file)
    assert rows["health.flap_limit"] == (9, "DEVBAY_HEALTH__FLAP_LIMIT")
    assert rows["health.keep_lost"] == (600.0, "default")
    assert rows["resources.example.com/widget.sharing.replicas"] == (2, file)
    assert {key.partition(".")[0] for key in rows} == {*SECTIONS, "widget"}


def test_values_as_a_file(devbay: Devbay, place: Path) -> None:
    """P20: as YAML the values are a configuration that means the same."""
    first = devbay("config", "show", "--config", write(place, GOOD), "-o", "yaml", packages=("devbay-widget",))
    again = devbay("config", "show", "--config", write(place, first.stdout), "-o", "yaml", packages=("devbay-widget",))

    assert first.returncode == again.returncode == 0
    assert yaml.safe_load(first.stdout)["node"]["name"] == "node-a"
    assert first.stdout == again.stdout


def test_values_as_a_table(devbay: Devbay) -> None:
    """P20: a person sees the values of this node as a table, from the defaults where nothing was said."""
    shown = devbay("config", "show", environment={"DEVBAY_BACKENDS": "*"})

    assert shown.returncode == 0
    lines = [line.split() for line in shown.stdout.splitlines()]
    assert lines[:3] == [
        ["KEY", "VALUE", "SOURCE"],
        ["backends", "*", "DEVBAY_BACKENDS"],
        ["node.name", "node-a", "NODE_NAME"],
    ]


def test_a_configuration_that_cannot_be_shown(devbay: Devbay, place: Path) -> None:
    """P20: what cannot be used is the usual error, and the exit code 2."""
    shown = devbay("config", "show", "--config", write(place, BAD), packages=("devbay-widget",))

    assert (shown.returncode, shown.stdout) == (2, "")
    assert shown.stderr.startswith("devbay: ")


# schema


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    """Return the schema of a configuration of the host and the mock backend."""
    from devbay_mock import Settings as Mock  # noqa: PLC0415 - what is checked is that any installed type will do

    made = document({"mock": Mock, "bare": dict}, ["broken"])
    jsonschema.Draft202012Validator.check_schema(made)
    return made


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "",
        "backends: '*'",
        "backends: {gpu-*: [mock]}",
        "health:\nmock:\nnodes:",
        "mock: {count: 3, env: [ID]}",
        "resources: {a.b/c: {policy: pack, sharing: {replicas: 2, devices: [{select: {id: [a, 1]}, replicas: 2}]}}}",
        "sharing: {timeSlicing: {resources: [{name: gpu, replicas: 2, devices: [0, GPU-1]}]}}",
        "nodes: [{match: a-*, mock: {count: 1}, health:}, {match: [b, c]}]",
        "broken: {anything: goes}",
        "bare: {}",
    ],
)
def test_the_schema_takes_what_is_right(schema: dict[str, Any], text: str) -> None:
    """P20: an editor underlines nothing in a configuration that works."""
    assert list(jsonschema.Draft202012Validator(schema).iter_errors(yaml.safe_load(text))) == []


@pytest.mark.parametrize(
    "text",
    [
        "colour: red",
        "mock: {cuont: 3}",
        "mock: {count: many}",
        "mock: {count: -1}",
        "health: {scan_interval: 0}",
        "log: {level: loud}",
        "resources: {a.b/c: {policy: tight}}",
        "resources: {a.b/c: {sharing: {replicas: 0}}}",
        "nodes: [{mock: {}}]",
        "nodes: [{match: []}]",
        "nodes: [{match: 'a, b'}]",
        "nodes: [{match: a, mock: {cuont: 3}}]",
        "nodes: {}",
        "bare: {a: 1}",
    ],
)
def test_the_schema_refuses_what_is_wrong(schema: dict[str, Any], text: str) -> None:
    """P20: an editor underlines what the host would refuse."""
    assert list(jsonschema.Draft202012Validator(schema).iter_errors(yaml.safe_load(text))) != []


def test_the_schema_explains(schema: dict[str, Any]) -> None:
    """P20: each key's meaning is in the schema, as its type's source has it."""
    definitions = schema["$defs"]

    assert definitions["HealthSection"]["properties"]["flap_window"]["description"] == "See `flap_limit`; seconds."
    assert definitions["mock.Settings"]["properties"]["count"]["description"].startswith("How many devices to make;")


def test_the_schema_of_what_is_installed(devbay: Devbay) -> None:
    """P20: the command prints a valid schema with the sections of the backends that are installed."""
    made = json.loads(devbay("config", "schema", packages=("devbay-widget", "devbay-locker", "devbay-gadget")).stdout)

    jsonschema.Draft202012Validator.check_schema(made)
    assert {"widget", "locker", "gadget", "mock", "nodes", *SECTIONS} <= set(made["properties"])


# The page.


def test_the_page_is_what_the_types_say() -> None:
    """P20: docs/configuration.md has every key as it is now; `make docs` writes it anew."""
    text = PAGE.read_text(encoding="utf-8")

    assert filled(text) == text


def test_every_key_is_explained() -> None:
    """P20: no key of the host is without a word on what it means."""
    assert [key.keys for key in keys(Settings) if not key.description] == []
    assert descriptions(Settings)["resources"].startswith("By resource, or glob over resources")


def test_every_example_of_the_page_is_right(devbay: Devbay, place: Path) -> None:
    """P20: what the page shows has no mistake, but for backends that are not installed here."""
    for example in PAGE.read_text(encoding="utf-8").split("```yaml\n")[1:]:
        document = yaml.safe_load(example.partition("```")[0])
        for part in (document, *document.get("nodes", [])):
            part.pop("nvidia", None)
            part.pop("backends", None)

        shown = devbay("config", "check", write(place, yaml.safe_dump(document, sort_keys=False)))

        assert (shown.returncode, shown.stdout.endswith("nothing to mend\n")) == (0, True)


def test_the_page_is_written(tmp_path: Path) -> None:
    """P20: the command fills a page between its marks, and says what is missing in one without."""
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")

    made = filled(page.read_text(encoding="utf-8"))

    assert made.startswith("before\n")
    assert made.endswith("after\n")
    assert "`health.scan_interval`" in made
    with pytest.raises(ConfigError, match="the page needs the lines"):
        filled("nothing")
