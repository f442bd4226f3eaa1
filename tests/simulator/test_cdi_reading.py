"""How the text of a CDI file is read: what runtimes are strict about, and what not."""

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from devbay.simulator.cdi import Edits, Invalid, Malformed, Specification, check_file, parse_file
from tests.simulator.cdifiles import device, document


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"kind": "a/b", "kind": "a/c"}', 'key "kind" already set in map'),
        ("kind: a/b\nkind: a/c\n", 'key "kind" already set in map'),
        ("devices:\n- {name: a, name: b}\n", 'key "name" already set in map'),
        ("", "no Spec data"),
        ("null", "no Spec data"),
        ("[]", "Expected `object`, got `array`"),
        ("{", "failed to unmarshal CDI Spec"),
        ("kind: [", "failed to unmarshal CDI Spec"),
        ("!!python/object:os.system {}", "failed to unmarshal CDI Spec"),
        ('{"devices": {}}', "Expected `array`, got `object` - at `$.devices`"),
        ('{"devices": [{"name": ["a"]}]}', "Expected `str`, got `array` - at `$.devices[0].name`"),
        ('{"containerEdits": {"additionalGids": [-1]}}', "Expected `int` >= 0"),
        ('{"containerEdits": {"additionalGids": [4294967296]}}', "Expected `int` <= 4294967295"),
        ('{"kind": "example.com\\/widget"}', "found unknown escape character"),
        ('kind: "\\ud800"', "found invalid Unicode character escape code"),
        ('{"kind": "\x7f"}', "control characters are not allowed"),
        ('{"annotations": {"a": "\\ud83d\\ude00"}}', "found unknown escape character"),
        ("- &d {name: a}\n- {<<: *d, name: b}\n", 'key "name" already set in map'),
        ("[" * 100_000, "failed to unmarshal CDI Spec"),
        ('{"a":' * 600 + "1" + "}" * 600, "failed to unmarshal CDI Spec"),
        ("9" * 5000, "failed to unmarshal CDI Spec"),
        ("kind: !!timestamp soon", "failed to unmarshal CDI Spec"),
        ("kind: !!bool soon", "failed to unmarshal CDI Spec"),
        ("kind: !!binary YQ==", "Expected `str`, got `bytes` - at `$.kind`"),
        ("{[a]: 1}", "failed to unmarshal CDI Spec"),
        ("annotations: {a: &x [*x]}", "failed to unmarshal CDI Spec"),
    ],
)
def test_cdi_2_what_cannot_be_read_says_where(text: str, why: str) -> None:
    """CDI behaviour 2: a key that occurs twice, a wrong type or no document at all fails the file with a place."""
    with pytest.raises(Malformed) as error:
        parse_file(text)

    assert why in str(error.value)


def test_cdi_2_yaml_is_read_as_runtimes_read_it() -> None:
    """CDI behaviour 2: bare scalars serve as texts, addresses are no numbers, null is nothing, 0660 is octal."""
    read = parse_file("""
cdiVersion: 0.5.0
kind: example.com/widget
annotations: {count: 3, on: true}
devices:
- name: 0
  containerEdits:
    env: [A=1]
    hooks: null
    deviceNodes: [{path: /dev/w, major: 0x10, minor: 9.0, fileMode: 0660, uid: null}]
- {name: 41:00.0, containerEdits: {env: [B=1]}}
- {name: 12:34, containerEdits: {env: [2026-01-01]}}
- {name: 1.50, containerEdits: {env: [C=1]}}
- {name: y, containerEdits: {env: [C=1]}}
---
never: looked at
""")

    assert [device.name for device in read.devices] == ["0", "41:00.0", "12:34", "1.5", "true"]
    node = read.devices[0].container_edits.device_nodes[0]
    assert (node.major, node.minor, node.file_mode, node.uid) == (16, 9, 0o660, None)
    assert read.devices[2].container_edits == Edits(env=("2026-01-01",))
    assert read.annotations == {"count": "3", "true": "true"}


def test_cdi_2_json_may_be_indented_by_tabs() -> None:
    """CDI behaviour 2: JSON may have tabs, escapes of YAML's, and any character as itself."""
    variable = "A=\U0001f600\\/\N{LATIN SMALL LETTER E WITH ACUTE}\n"
    written = document(device(env=[variable]))
    text = json.dumps(written, indent="\t", ensure_ascii=False).replace(
        "\N{LATIN SMALL LETTER E WITH ACUTE}", "\\u00e9"
    )

    assert parse_file(text).devices[0].container_edits.env == (variable,)


def test_cdi_2_the_case_of_keys_does_not_matter() -> None:
    """CDI behaviour 2: a key is known in any case; annotations' own keys stay as they are."""
    written = {"CDIVersion": "1.1.0", "Kind": "example.com/widget", "annotations": {"Name": "x"}}
    devices = [{"NAME": "lost", "name": "a", "containeredits": {"additionalGIDs": [7], "ENV": ["A=1"]}}]
    read = parse_file(json.dumps({**written, "Devices": devices}))

    assert (read.cdi_version, read.annotations, read.devices[0].name) == ("1.1.0", {"Name": "x"}, "a")
    assert read.devices[0].container_edits == Edits(env=("A=1",), additional_gids=(7,))


TEXT = st.text(st.characters(max_codepoint=0xFFFF), max_size=8)  # what JSON escapes as YAML does
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT
KEYS = st.sampled_from(["cdiVersion", "kind", "devices", "name", "containerEdits", "env", "deviceNodes", "path", "x"])
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)


@given(ANYTHING)
def test_cdi_2_no_content_is_more_than_refused(content: Any) -> None:
    """CDI behaviour 2: whatever a file holds, it is a file or an error, and the same as YAML and as JSON."""
    answers: list[tuple[Specification | None, str]] = []
    for text in (json.dumps(content), yaml.safe_dump(content, default_style='"')):
        try:
            read = parse_file(text)
            check_file(read)
            answers.append((read, ""))
        except Malformed:
            answers.append((None, "malformed"))
        except Invalid as error:
            answers.append((None, str(error)))

    assert answers[0] == answers[1]
