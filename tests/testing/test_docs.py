"""What `docs/write-a-backend.md` says is what happens, and its backend is the one in `docs/minimal-backend`."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.host.running import short_directory
from tests.house.workspace import ROOT
from tests.testing.pages import Reader, blocks, commands, matches

PAGE = ROOT / "docs/write-a-backend.md"
MINIMAL = ROOT / "docs/minimal-backend"
PIP = ("-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--no-deps", "--no-build-isolation")


def install(folder: Path, site: Path) -> None:
    """Install the page's package, as ``pip install --editable .`` would, but for the editing."""
    subprocess.run([sys.executable, *PIP, "--target", str(site), "."], cwd=folder, check=True)
    (site / "devbay_widget.py").unlink()  # the folder's own is the one that counts


def test_the_page_is_true() -> None:
    """From an empty folder to a pod that holds the device: each file is written, each command typed and compared.

    In place of a virtual environment and an editable installation there is an import path: the folder, and a directory
    that has the package's metadata.
    """
    with short_directory() as place:
        folder, site = place / "devbay-widget", place / "site"
        folder.mkdir()
        environment = {"PYTHONPATH": f"{folder}:{site}", "DEVBAY_BACKENDS": "widget"}
        with Reader(folder, folder / "plugins", environment) as reader:
            for block in blocks(PAGE.read_text(encoding="utf-8")):
                reader.follow(block)
                if block.file == "pyproject.toml":
                    install(folder, site)

        modules = sorted(path.name for path in folder.glob("*.py"))
        assert modules == ["devbay_widget.py", "test_pod.py", "test_widget.py"]


def test_the_page_shows_the_minimal_backend() -> None:
    """The backend of the page is the one beside it, to the letter: three hooks in under thirty lines."""
    shown = {block.file: block.text for block in blocks(PAGE.read_text(encoding="utf-8")) if block.what == "file"}
    source = (MINIMAL / "devbay_widget.py").read_text(encoding="utf-8")

    assert shown["devbay_widget.py"] == source
    assert shown["pyproject.toml"] == (MINIMAL / "pyproject.toml").read_text(encoding="utf-8")
    assert len(source.splitlines()) < 30
    assert source.count("@hookimpl") == 3


@pytest.mark.parametrize(
    ("printed", "output", "match"),
    [
        ("a   b\nc\n", "a b\nc\n", True),
        ("25 passed, 3 skipped in 1.2s", "… passed, 3 skipped in …", True),
        ("25 passed, 4 skipped in 1.2s", "… passed, 3 skipped in …", False),
        ("a\n", "a\nb\n", False),
        ("anything", "", True),
    ],
)
def test_a_page_that_is_not_true_is_noticed(printed: str, output: str, *, match: bool) -> None:
    """The comparison can fail: a line that is not printed is missed."""
    assert matches(printed, output) is match


def test_a_command_may_go_on_in_the_next_line() -> None:
    """A console block is commands with what they print; a backslash joins a command's lines."""
    text = "$ first \\\n    --more\nout\n$ second\n"

    assert list(commands(text)) == [("first \\\n    --more", "out\n"), ("second", "")]
