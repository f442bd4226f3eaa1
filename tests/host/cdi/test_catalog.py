"""What directories hold, as an independent reader of the runtimes' behaviour sees it too."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbay.cdi.catalog import catalog
from devbay.simulator.cdi import Registry
from tests.host.running import short_directory

TEXT = """{{"cdiVersion": "0.3.0", "kind": "{kind}", "devices": [{devices}]}}"""
DEVICE = """{{"name": "{name}", "containerEdits": {{"env": ["A={name}"]}}}}"""


def write(path: Path, *devices: str, kind: str = "a.b/cc") -> None:
    """Write a specification of these devices."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(TEXT.format(kind=kind, devices=", ".join(DEVICE.format(name=name) for name in devices)))


def test_who_wins_and_who_is_passed_over(place: Path) -> None:
    """P19: a later directory wins, two files of one directory spoil a name, a broken file spoils only itself."""
    etc, run = place / "etc", place / "run"
    write(etc / "one.json", "hidden", "alone", "twice")
    write(etc / "two.json", "twice")
    write(etc / "three.json", "bad/name")
    write(run / "one.yaml", "hidden")
    (run / "no.yml").write_text("[")
    (run / "directory.json").mkdir()
    os.mkfifo(run / "pipe.json")
    (run / "loose.json").symlink_to("nowhere")

    found = catalog([etc, run, place / "missing"])

    assert [(d.name, d.path.name, d.trouble) for d in found.devices] == [
        ("a.b/cc=alone", "one.json", ""),
        ("a.b/cc=hidden", "one.yaml", ""),
        ("a.b/cc=hidden", "one.json", f"{run}/one.yaml has it too and is stronger"),
        ("a.b/cc=twice", "one.json", f"{etc}/two.json has it too, so that nobody gets it"),
        ("a.b/cc=twice", "two.json", f"{etc}/one.json has it too, so that nobody gets it"),
    ]
    assert {file.path.name: file.problems[0] for file in found.broken} == {
        "three.json": (
            "devices[0]: name 'bad/name' must be letters, digits, '_', '-', '.' and ':', beginning and ending with a "
            "letter or digit"
        ),
        "loose.json": "it cannot be read: No such file or directory",
        "pipe.json": "it is no plain file",
    }


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("a.b/cc=w0", ""),
        ("a.b/cc=w9", "no file has the device a.b/cc=w9; did you mean 'a.b/cc=w0'?"),
        ("w0", "'w0' is no device's name; one reads vendor.com/class=name"),
    ],
)
def test_a_name_that_cannot_be_given_is_explained(place: Path, name: str, problem: str) -> None:
    """P19: a name that no runtime resolves is told with what was meant, or what a name looks like."""
    write(place / "cdi/one.json", "w0")

    assert catalog([place / "cdi"]).problem(name) == problem


FILES = st.dictionaries(
    st.tuples(st.sampled_from(["one", "two"]), st.sampled_from(["a.json", "b.json", "c.yaml", "d.yml"])),
    st.lists(st.sampled_from(["w0", "w1", "-"]), max_size=2),
)


@given(FILES)
def test_what_can_be_named_is_what_a_runtime_resolves(written: dict[tuple[str, str], list[str]]) -> None:
    """P19: a device is shown as usable exactly if a runtime resolves its name, and to the same file."""
    with short_directory() as place:
        for (directory, file), devices in written.items():
            write(place / directory / file, *devices)
        directories = [place / "one", place / "two"]
        registry = Registry(directories)

        usable = {d.name: d.path for d in catalog(directories).devices if not d.trouble}

    assert usable == {name: found.file for name, found in registry.devices.items()}
