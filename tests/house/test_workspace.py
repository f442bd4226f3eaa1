"""Every module and every member of the workspace is where the contracts and the tools look for it."""

import shutil
from pathlib import Path

import pytest

from tests.house import workspace


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a copy of what the checks read: the sources and the root file."""
    shutil.copy(workspace.ROOT / "pyproject.toml", tmp_path)
    for folder in ("host", "backends"):
        shutil.copytree(workspace.ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def news(check: workspace.Check, tree: Path) -> list[str]:
    """Return what a check says of a doctored tree and not of the real one."""
    known = set(check(workspace.ROOT))
    return [complaint for complaint in check(tree) if complaint not in known]


@pytest.mark.parametrize("check", [workspace.unfloored, workspace.unlisted, workspace.misshapen])
def test_the_workspace_is_complete(check: workspace.Check) -> None:
    """Every module has its floor, and every backend is in every list and put together as the others are."""
    assert list(check(workspace.ROOT)) == []


def test_a_module_without_a_floor_is_noticed(tree: Path) -> None:
    """A new module or package of the host must be put on a floor, or declared to stand beside the tower."""
    (tree / "host/src/devbay/shed.py").touch()
    (tree / "host/src/devbay/barn").mkdir()
    (tree / "host/src/devbay/barn/__init__.py").touch()

    complaints = news(workspace.unfloored, tree)

    assert [complaint.split()[0] for complaint in complaints] == ["devbay.barn", "devbay.shed"]


def test_a_floor_without_a_module_is_noticed(tree: Path) -> None:
    """A module that went leaves no name behind in the contract."""
    (tree / "host/src/devbay/model.py").unlink()

    assert news(workspace.unfloored, tree) == ["the contract `floors` names devbay.model, which does not exist"]


def test_a_new_backend_is_asked_for_everywhere(tree: Path) -> None:
    """A copy of the mock backend under a new name fails until every list names it, each with a complaint of its own."""
    old, new = tree / "backends/mock", tree / "backends/toaster"
    shutil.copytree(old, new)
    (new / "src/devbay_mock").rename(new / "src/devbay_toaster")
    text = (new / "pyproject.toml").read_text(encoding="utf-8")
    (new / "pyproject.toml").write_text(text.replace("mock", "toaster"), encoding="utf-8")

    complaints = news(workspace.unlisted, tree)

    assert all(complaint.startswith("devbay-toaster is missing from ") for complaint in complaints)
    assert len(complaints) == 9
    assert news(workspace.misshapen, tree) == []


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('name = "devbay-mock"', 'name = "devbay-mack"', "not so: the distribution is called devbay-mock"),
        ('mock = "devbay_mock:', 'mack = "devbay_mock:', "not so: the entry point is called mock"),
        ('version = "0', 'version = "9', "not so: it has the host's version"),
        ('"devbay>=0.1,<1"', '"devbay>=0.1"', "not so: it depends on a range of devbay"),
        ("[tool.hatch", "[tool.ruff]\n[tool.hatch", "[tool.ruff] belongs in the root file"),
    ],
    ids=["name", "entry-point", "version", "range", "tools"],
)
def test_a_backend_of_another_shape_is_noticed(tree: Path, old: str, new: str, complaint: str) -> None:
    """What a stranger learned from one backend holds for the next one."""
    file = tree / "backends/mock/pyproject.toml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")

    assert news(workspace.misshapen, tree) == [f"backends/mock: {complaint}"]


def test_a_missing_file_of_a_member_is_noticed(tree: Path) -> None:
    """Each member has what a package index shows and what a type checker and a lawyer look for."""
    (tree / "host/README.md").unlink()
    (tree / "host/LICENSE").unlink()
    (tree / "host/src/devbay/py.typed").unlink()
    (tree / "backends/mock/LICENSE").write_text("Do as you like.\n", encoding="utf-8")

    assert news(workspace.misshapen, tree) == [
        "host: no LICENSE",
        "host: no README.md",
        "host: no src/devbay/py.typed",
        "backends/mock: LICENSE is not a copy of the root's",
    ]
