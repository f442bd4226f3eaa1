"""Each backend of this repository is held to the contract by the kit that ships with the host."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.workspace import ROOT, backends

KIT = "BackendConformance"


def subclasses(text: str) -> list[str]:
    """Return the names of the classes in `text` that pytest collects and that have the kit for their only base."""
    classes = [node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)]
    ours = [each for each in classes if [ast.unparse(base).rpartition(".")[2] for base in each.bases] == [KIT]]
    return [each.name for each in ours if each.name.startswith("Test") and not each.decorator_list]


def untried(root: Path) -> Iterator[str]:
    """Yield a complaint for each backend that the kit does not try."""
    for backend in backends(root):
        file = f"tests/{backend.folder}/test_conformance.py"
        path = root / file
        if not path.is_file():
            yield f"{backend.folder}: no {file}"
        elif not subclasses(path.read_text(encoding="utf-8")):
            yield f"{backend.folder}: {file} has no class Test…({KIT})"


def test_every_backend_is_held_to_the_contract() -> None:
    """No backend is merged here that the conformance kit has not been let loose on."""
    assert list(untried(ROOT)) == []


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a tree with one backend, and its test as it should be."""
    for folder in ("backends/toaster/src/devbay_toaster", "tests/backends/toaster"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "backends/toaster/src/devbay_toaster/__init__.py").touch()
    (tmp_path / "backends/toaster/pyproject.toml").write_text('[project]\nname = "devbay-toaster"\n')
    test = f"from devbay.testing import {KIT}\n\n\nclass TestToaster({KIT}):\n    pass\n"
    (tmp_path / "tests/backends/toaster/test_conformance.py").write_text(test)
    return tmp_path


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("", "", ""),
        (f"({KIT}):", "(devbay.testing.BackendConformance):", ""),
        (f"({KIT}):", ":", f"has no class Test…({KIT})"),
        (f"({KIT}):", "(Kit):", f"has no class Test…({KIT})"),
        ("class Test", "class Check", f"has no class Test…({KIT})"),
        ("class Test", "@pytest.mark.skip\nclass Test", f"has no class Test…({KIT})"),
    ],
    ids=["right", "right-too", "no-base", "another-base", "not-collected", "skipped"],
)
def test_a_backend_that_is_not_held_to_it_is_noticed(tree: Path, old: str, new: str, complaint: str) -> None:
    """A test that is there but does not run the kit is as good as none."""
    file = "tests/backends/toaster/test_conformance.py"
    text = (tree / file).read_text(encoding="utf-8")
    (tree / file).write_text(text.replace(old, new), encoding="utf-8")

    assert list(untried(tree)) == ([f"backends/toaster: {file} {complaint}"] if complaint else [])


def test_a_backend_without_the_test_is_noticed(tree: Path) -> None:
    """A backend that nobody wrote a test for is named, with the file that it lacks."""
    (tree / "tests/backends/toaster/test_conformance.py").unlink()

    assert list(untried(tree)) == ["backends/toaster: no tests/backends/toaster/test_conformance.py"]
