"""What a CDI file may say: its fields, validation, versions."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbay.simulator.cdi import Invalid, Malformed, check_file, minimum_version, parse_file
from devbay.simulator.cdi.versions import KNOWN
from tests.simulator.cdifiles import device, document


def refusal(content: dict[str, Any]) -> str:
    """Return why a runtime refuses a file with this content, or nothing."""
    try:
        check_file(parse_file(json.dumps(content)))
    except (Malformed, Invalid) as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (document(container="x"), "container"),
        (document({**device(), "type": "x"}), "type"),
        (document(device(environment=["A=1"])), "environment"),
        (document(device(deviceNodes=[{"path": "/dev/null", "mode": 0}])), "mode"),
        (document(device(mounts=[{"hostPath": "/a", "containerPath": "/b", "readOnly": True}])), "readOnly"),
        (document(device(hooks=[{"hookName": "prestart", "path": "/a", "arguments": []}])), "arguments"),
        (document(device(intelRdt={"closID": "a", "enableCMT": True})), "enableCMT"),
        (document(device(netDevices=[{"hostInterfaceName": "a", "name": "b", "mac": "c"}])), "mac"),
        (document(device(additionalGroups=[1])), "additionalGroups"),
        (document(containerEdits={"envs": []}), "envs"),
    ],
)
def test_cdi_2_one_unknown_field_fails_the_file(content: dict[str, Any], field: str) -> None:
    """CDI behaviour 2: a field that the specification does not have, anywhere in a file, fails all of it."""
    assert f"unknown field `{field}`" in refusal(content)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (document(cdiVersion=""), 'invalid version ""'),
        (document(cdiVersion="0.9.0"), 'invalid version "0.9.0"'),
        (document(cdiVersion="1.1"), 'invalid version "1.1"'),
        (document(kind=""), "invalid vendor. empty name"),
        (document(kind="widget"), "invalid vendor. empty name"),
        (document(kind="example.com/wid/get"), "invalid class. invalid character '/'"),
        (document(devices=[]), "invalid spec, no devices"),
        (document(device("a"), device("a")), 'invalid spec, multiple device "a"'),
        (document(device("")), "invalid (empty) device name"),
        (document(device("a/b")), "invalid character '/' in device name"),
        (document({"name": "a"}), 'failed add device "a": invalid device, empty device edits'),
        (document({"name": "a", "containerEdits": {"env": []}}), "empty device edits"),
        (document(device(env=["A"])), 'invalid container edits: invalid environment variable "A"'),
        (document(device(env=["=A"])), 'invalid environment variable "=A"'),
        (document(containerEdits={"env": ["A"]}), 'invalid environment variable "A"'),
        (document(device(deviceNodes=[{}])), "invalid (empty) device path"),
        (document(device(deviceNodes=[{"path": "/d", "type": "x"}])), 'device "/d": invalid type "x"'),
        (document(device(deviceNodes=[{"path": "/d", "permissions": "rx"}])), 'device "/d": invalid permissions "rx"'),
        (document(device(deviceNodes=[{"path": "/d", "permissions": "none"}])), 'invalid permissions "none"'),
        (document(device(deviceNodes=[{"path": "/d", "minor": -1}])), "invalid (negative) device number 0:-1"),
        (document(device(hooks=[{"hookName": "start", "path": "/h"}])), 'invalid hook name "start"'),
        (document(device(hooks=[{"hookName": "prestart"}])), 'invalid hook "prestart" with empty path'),
        (document(device(hooks=[{"hookName": "poststop", "path": "/h", "env": ["x"]}])), 'invalid hook "poststop"'),
        (document(device(mounts=[{"containerPath": "/c"}])), "invalid mount, empty host path"),
        (document(device(mounts=[{"hostPath": "/h"}])), "invalid mount, empty container path"),
        (document(device(intelRdt={"closID": "."})), "invalid ClosID"),
        (document(device(intelRdt={"closID": ".."})), "invalid ClosID"),
        (document(device(intelRdt={"closID": "a/b"})), "invalid ClosID"),
        (document(device(intelRdt={"closID": "a\nb"})), "invalid ClosID"),
        (document(device(intelRdt={"closID": "a" * 4096})), "invalid ClosID"),
        (document(device(netDevices=[{"name": "a"}])), "empty HostInterfaceName"),
        (document(device(netDevices=[{"hostInterfaceName": "a"}])), "empty Name"),
        (
            document(device(netDevices=[{"hostInterfaceName": "h", "name": n} for n in "ab"])),
            'duplicate HostInterfaceName "h" with names "b" and "a"',
        ),
        (
            document(device(netDevices=[{"hostInterfaceName": h, "name": "n"} for h in "ab"])),
            'duplicate Name "n" with HostInterfaceName "b" and "a"',
        ),
    ],
)
def test_cdi_2_what_is_not_valid_is_refused_in_the_library_s_words(content: dict[str, Any], why: str) -> None:
    """CDI behaviour 2: each rule of validation fails the file with its own text."""
    assert why in refusal(content)


@pytest.mark.parametrize(
    "edits",
    [
        {"deviceNodes": [{"path": "/d", "type": kind, "permissions": "rwm"} for kind in ("", "b", "c", "u", "p")]},
        {
            "hooks": [
                {"hookName": name, "path": "/h"}
                for name in ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
            ]
        },
        {"intelRdt": {}},
        {"intelRdt": {"closID": "/"}},
        {"additionalGids": [0]},
        {"netDevices": [{"hostInterfaceName": "eth0", "name": "net0"}]},
    ],
)
def test_cdi_2_any_one_edit_makes_a_device(edits: dict[str, Any]) -> None:
    """CDI behaviour 2: a device with one edit of any sort is valid."""
    assert refusal(document(device(**edits))) == ""


FEATURES = [
    ("0.3.0", document()),
    ("0.4.0", document(device(mounts=[{"hostPath": "/h", "containerPath": "/c", "type": "tmpfs"}]))),
    ("0.5.0", document(device(deviceNodes=[{"path": "/d", "hostPath": "/e"}]))),
    ("0.5.0", document(containerEdits={"deviceNodes": [{"path": "/d", "hostPath": "/e"}]})),
    ("0.5.0", document(device("0"))),
    ("0.6.0", document(annotations={"a": "b"})),
    ("0.6.0", document({**device(), "annotations": {"a": "b"}})),
    ("0.6.0", document(kind="example.com/wid.get")),
    ("0.7.0", document(device(intelRdt={}))),
    ("0.7.0", document(containerEdits={"additionalGids": [1]})),
    ("1.1.0", document(device(netDevices=[{"hostInterfaceName": "a", "name": "b"}]))),
    ("1.1.0", document(containerEdits={"intelRdt": {"schemata": []}})),
    ("1.1.0", document(device(intelRdt={"enableMonitoring": True}))),
    ("0.7.0", document(device(intelRdt={"enableMonitoring": False}))),
]


@pytest.mark.parametrize(("needed", "content"), FEATURES)
def test_cdi_2_a_file_needs_the_version_that_has_its_features(needed: str, content: dict[str, Any]) -> None:
    """CDI behaviour 2: a version that lacks what the file uses is refused, and every later one is taken."""
    refusals = {version: refusal({**content, "cdiVersion": version}) for version in KNOWN}

    first = KNOWN.index(needed) if needed != "0.3.0" else 2
    assert set(list(refusals.values())[:first]) == {f"the spec version must be at least v{needed}"}
    assert set(list(refusals.values())[first:]) == {""}
    assert minimum_version(parse_file(json.dumps(content))) == needed


OF_DEVICES = [
    (needed, content["devices"][0]) for needed, content in FEATURES if content == document(*content["devices"])
]


@given(st.lists(st.sampled_from(OF_DEVICES), min_size=1, max_size=5))
def test_cdi_2_features_together_need_the_latest_of_them(chosen: list[tuple[str, dict[str, Any]]]) -> None:
    """CDI behaviour 2: the least version of several devices is the highest that one of them needs."""
    devices = [{**one, "name": f"{one['name']}{number}"} for number, (_, one) in enumerate(chosen)]

    assert minimum_version(parse_file(json.dumps(document(*devices)))) == max(needed for needed, _ in chosen)
