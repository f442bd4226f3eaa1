"""Where CDI files are looked for, which of two wins, and what a broken one does to the others."""

import os
from pathlib import Path

import pytest
import yaml

from devbay.simulator.cdi import Registry, Unresolvable
from tests.simulator.cdifiles import KIND, NAME, device, document, write


def value(registry: Registry, name: str = NAME) -> str:
    """Return the value of the variable FROM that a device gives."""
    return registry.resolve([name]).env["FROM"]


def test_cdi_3_files_of_both_endings_are_read_and_no_others(tmp_path: Path) -> None:
    """CDI behaviour 3: .json and .yaml are CDI files; .yml, files being written, and subdirectories are not."""
    write(tmp_path / "a.json", device("a"))
    (tmp_path / "b.yaml").write_text(yaml.safe_dump(document(device("b"))))
    (tmp_path / "as-yaml.json").write_text(yaml.safe_dump(document(device("c"))))
    for name in ("d.yml", "spec.123.tmp", "e.JSON", "json", "below/f.json", "below.json/g.json"):
        write(tmp_path / name, device(name[0]))
    registry = Registry([tmp_path])

    assert sorted(registry.devices) == [f"{KIND}={name}" for name in "abc"]
    assert registry.errors == {}


def test_cdi_3_a_later_directory_has_the_higher_priority(tmp_path: Path) -> None:
    """CDI behaviour 3: of two files with one device the one in the later directory wins, without an error."""
    write(tmp_path / "etc" / "x.json", device("a", env=["FROM=etc"]), device("b", env=["FROM=etc"]))
    write(tmp_path / "run" / "y.json", device("a", env=["FROM=run"]))
    directories = [tmp_path / "etc", tmp_path / "run"]

    assert (value(Registry(directories)), value(Registry(directories[::-1]))) == ("run", "etc")
    assert value(Registry(directories), f"{KIND}=b") == "etc"
    assert Registry(directories).errors == {}


def test_cdi_3_a_conflict_in_one_directory_removes_the_device(tmp_path: Path) -> None:
    """CDI behaviour 3: a device in two files of one directory is gone, both files say so, and the rest stays."""
    one = write(tmp_path / "one.json", device("a"), device("b"))
    two = write(tmp_path / "two.json", device("a"), device("c"))
    registry = Registry([tmp_path])

    assert sorted(registry.devices) == [f"{KIND}=b", f"{KIND}=c"]
    told = [f'conflicting device "{NAME}" (specs "{two}", "{one}")']
    assert registry.errors == {one: told, two: told}
    with pytest.raises(Unresolvable):
        registry.resolve([NAME])


def test_cdi_3_a_conflict_below_removes_the_device_above_too(tmp_path: Path) -> None:
    """CDI behaviour 3: conflicts are removed by name at the end, whichever directory the name was found in last."""
    write(tmp_path / "etc" / "one.json")
    write(tmp_path / "etc" / "two.json")
    write(tmp_path / "run" / "three.json")

    assert Registry([tmp_path / "etc", tmp_path / "run"]).devices == {}


def test_cdi_3_the_same_name_in_two_kinds_is_no_conflict(tmp_path: Path) -> None:
    """CDI behaviour 3: devices are told apart by their whole name."""
    write(tmp_path / "one.json", kind="example.com/one")
    write(tmp_path / "two.json", kind="example.com/two")

    assert sorted(Registry([tmp_path]).devices) == ["example.com/one=a", "example.com/two=a"]


def test_cdi_3_a_broken_file_does_not_affect_the_others(tmp_path: Path) -> None:
    """CDI behaviour 3: a file that is not accepted is passed over with its error; other files' devices resolve."""
    write(tmp_path / "good.json")
    unread = tmp_path / "unread.yaml"
    unread.write_bytes(b"\xff\xfe")
    os.mkfifo(tmp_path / "fifo.json")
    (tmp_path / "dangling.json").symlink_to(tmp_path / "nowhere")
    unknown = write(tmp_path / "unknown.json", device("b"), more=1)
    old = write(tmp_path / "old.json", device("c", intelRdt={}), cdiVersion="0.6.0")
    registry = Registry([tmp_path])

    assert list(registry.devices) == [NAME]
    (told,) = registry.errors[unknown]
    assert told.startswith(f'failed to load CDI Spec failed to parse CDI Spec "{unknown}": failed to unmarshal CDI ')
    assert told.endswith("Object contains unknown field `more`")
    assert registry.errors[old] == [
        "failed to load CDI Spec invalid CDI Spec: the spec version must be at least v0.7.0"
    ]
    others = sorted(path.name for path in registry.errors.keys() - {unknown, old})
    assert others == ["dangling.json", "fifo.json", "unread.yaml"]


def test_cdi_3_directories_that_are_none_have_no_devices(tmp_path: Path) -> None:
    """CDI behaviour 3: a directory that is not there is empty; a file or a link in its place is never looked into."""
    write(tmp_path / "real" / "a.json")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "file").write_text("")
    registry = Registry([tmp_path / "absent", tmp_path / "link", tmp_path / "file"])

    assert registry.devices == {}
    assert sorted(path.name for path in registry.errors) == ["file", "link"]


def test_cdi_3_a_linked_file_is_read(tmp_path: Path) -> None:
    """CDI behaviour 3: a link to a CDI file is a CDI file, wherever that is."""
    written = write(tmp_path / "elsewhere" / "a.json")
    (tmp_path / "cdi").mkdir()
    (tmp_path / "cdi" / "a.json").symlink_to(written)

    assert list(Registry([tmp_path / "cdi"]).devices) == [NAME]


def test_cdi_1_all_that_is_not_found_is_named_and_nothing_applied(tmp_path: Path) -> None:
    """CDI behaviour 1: the error names every device that does not resolve, in order, and no other."""
    write(tmp_path / "a.json")

    with pytest.raises(Unresolvable) as error:
        Registry([tmp_path]).resolve([f"{KIND}=z", NAME, "nonsense"])
    assert str(error.value) == f"unresolvable CDI devices {KIND}=z, nonsense"
    assert error.value.names == (f"{KIND}=z", "nonsense")


def test_cdi_1_a_file_s_own_edits_are_applied_once_before_its_devices(tmp_path: Path) -> None:
    """CDI behaviour 1: two devices of a file bring its own edits once; those of another file come with its own."""
    hook = {"hookName": "prestart", "path": "/usr/bin/hook"}
    write(
        tmp_path / "one.json",
        device("a", env=["LAST=a"], hooks=[{**hook, "args": ["a"]}]),
        device("b", env=["LAST=b"], hooks=[{**hook, "args": ["b"]}]),
        containerEdits={"env": ["LAST=file", "FILE=1"], "hooks": [{**hook, "args": ["one"]}]},
    )
    write(
        tmp_path / "two.json",
        kind="example.com/two",
        containerEdits={"hooks": [{**hook, "args": ["two"]}]},
    )
    registry = Registry([tmp_path])
    final = registry.resolve([f"{KIND}=b", "example.com/two=a", f"{KIND}=a"])

    assert [hook.args for hook in final.hooks] == [("one",), ("b",), ("two",), ("a",)]
    assert final.env == {"LAST": "a", "FILE": "1", "DEVICE_A": "a"}
    assert final.cdi_devices == (f"{KIND}=b", "example.com/two=a", f"{KIND}=a")
    assert registry.edits([NAME]).env == ("LAST=file", "FILE=1", "LAST=a")
