"""What `docs/write-a-backend.md` says is what happens, and its backend is the one in `docs/minimal-backend`."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.house.workspace import ROOT

PAGE = ROOT / "docs/write-a-backend.md"
MINIMAL = ROOT / "docs/minimal-backend"
BLOCK = re.compile(r"<!-- (\w+)(?:: (\S+))? -->\n```\w+\n(.*?)```", re.DOTALL)
PIP = ("-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--no-deps", "--no-build-isolation")


class Block(NamedTuple):
    """A marked block of the page: what is done with it, to which file, and its text."""

    what: str
    file: str
    text: str


def blocks(page: str) -> list[Block]:
    """Return the page's marked blocks, in order."""
    return [Block(*found) for found in BLOCK.findall(page)]


def commands(text: str) -> Iterator[tuple[str, str]]:
    """Yield each command of a console block, and what it prints according to the page."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


def matches(printed: str, output: str) -> bool:
    """Return whether each line of the page is printed, in order; ``…`` stands for anything, spaces do not count."""
    words = [" ".join(line.split()) for line in output.splitlines() if line.strip()]
    pattern = ".*".join(re.escape(line).replace("…", ".*") for line in words)
    return re.search(pattern, " ".join(printed.split()), re.DOTALL) is not None


class Reader:
    """Someone who does what the page says, in a folder, with a shell that stays the same.

    In place of a virtual environment and an editable installation there is an import path: the folder, and a directory
    that has the package's metadata.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._site = folder.parent / "site"
        self._exports = ""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("DEVBAY_")}
        path = f"{Path(sys.executable).parent}:{inherited['PATH']}"
        self._environment = inherited | {"PATH": path, "PYTHONPATH": f"{folder}:{self._site}", "COLUMNS": "200"}
        self._environment |= {
            "DEVBAY_BACKENDS": "widget",
            "PYTEST_ADDOPTS": "-p no:cacheprovider -p no:asyncio --assert=plain",
        }

    def install(self) -> None:
        """Install the package, as ``pip install --editable .`` would, but for the editing."""
        command = [sys.executable, *PIP, "--target", str(self._site), "."]
        subprocess.run(command, cwd=self._folder, check=True)
        (self._site / "devbay_widget.py").unlink()  # the folder's own is the one that counts

    def type(self, command: str) -> str:
        """Type a command into the shell; return what it prints."""
        if command.startswith("export "):
            self._exports += f"{command}\n"
        script = f"set -e\n{self._exports}{command}"
        done = subprocess.run(
            ["/bin/sh", "-c", script],
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"$ {command}\n{done.stdout}{done.stderr}"
        return done.stdout


def follow(block: Block, reader: Reader, folder: Path) -> None:
    """Do what a block of the page says."""
    match block.what:
        case "file":
            (folder / block.file).write_text(block.text, encoding="utf-8")
            if block.file == "pyproject.toml":
                reader.install()
        case "append":
            with (folder / block.file).open("a", encoding="utf-8") as file:
                file.write(block.text.partition("    ...\n")[2])  # what is shown in its class goes to its end
        case "run":
            for command, output in commands(block.text):
                printed = reader.type(command)
                assert matches(printed, output), f"$ {command}\nthe page says:\n{output}\nit prints:\n{printed}"
        case _:
            pytest.fail(f"the page has a block marked {block.what!r}")


def test_the_page_is_true(tmp_path: Path) -> None:
    """From an empty folder to a pod that holds the device: each file is written, each command typed and compared."""
    folder = tmp_path / "devbay-widget"
    folder.mkdir()
    reader = Reader(folder)

    for block in blocks(PAGE.read_text(encoding="utf-8")):
        follow(block, reader, folder)

    assert sorted(path.name for path in folder.glob("*.py")) == ["devbay_widget.py", "test_pod.py", "test_widget.py"]


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
