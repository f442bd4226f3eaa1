"""``devbay new-backend``: a package to start from, which is complete as it is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from devbay.cli import Exit
from tests.cli.conftest import Devbay

PIP = ("-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--no-deps", "--no-build-isolation")


def python(folder: Path, *arguments: str, path: Path | None = None) -> "subprocess.CompletedProcess[str]":
    """Run Python in a folder, with what is installed in `path` too."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DEVBAY_")}
    command = [sys.executable, *arguments]
    variables = environment | {"PYTHONPATH": str(path)} if path else environment
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)


def test_it_installs_and_passes_as_it_is(devbay: Devbay, place: Path) -> None:
    """The package builds, its tests pass without a change, and devbay finds the backend: here is no such driver."""
    name, package = "acme-npu", "devbay_acme_npu"
    made = devbay("new-backend", name)
    folder = place / f"devbay-{name}"

    installed = python(folder, *PIP, "--target", str(place / "site"), ".")
    tested = python(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio", path=place / "site")
    listed = python(folder, "-m", "devbay", "backends", "--backends", name, path=place / "site")

    assert made.returncode == 0, made.stderr
    assert installed.returncode == 0, installed.stderr
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert " passed" in tested.stdout
    assert f"/sys/class/{name} does not exist" in " ".join(listed.stdout.split())
    assert (folder / "src" / package / "py.typed").exists()


def test_it_is_written_in_the_house_style(devbay: Devbay, place: Path) -> None:
    """What an author starts from has no complaint of ruff's, under nearly all of its rules."""
    devbay("new-backend", "widget")
    folder = place / "devbay-widget"
    ignored = "D105,D107,D203,D213,COM812,CPY,ANN401,TC,EM,TRY003,S101,INP001,D413,D406,D407"

    linted = python(folder, "-m", "ruff", "check", "--no-cache", "--select=ALL", f"--ignore={ignored}", ".")
    formatted = python(folder, "-m", "ruff", "format", "--no-cache", "--check", ".")

    assert linted.returncode == 0, linted.stdout
    assert formatted.returncode == 0, formatted.stdout


def test_nothing_is_overwritten(devbay: Devbay, place: Path) -> None:
    """A directory with something in it stays as it is, and the command says so (exit code 2)."""
    file = place / "devbay-widget/src/devbay_widget/backend.py"
    devbay("new-backend", "widget")
    file.write_text("my own\n")

    again = devbay("new-backend", "widget")

    assert again.returncode == Exit.USAGE
    assert "devbay-widget is there already and is not empty; nothing was written" in again.stderr
    assert file.read_text() == "my own\n"


def test_an_empty_directory_of_ones_own_will_do(devbay: Devbay, place: Path) -> None:
    """The author says where the package goes; a repository's empty folder is no obstacle."""
    (place / "mine").mkdir()

    assert devbay("new-backend", "widget", "--directory", "mine").returncode == 0
    assert (place / "mine/pyproject.toml").exists()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Widget", "use lower-case letters and digits"),
        ("my widget", "use lower-case letters and digits"),
        ("../widget", "use lower-case letters and digits"),
        ("health", "is taken"),
        ("w" * 41, "have room for 40"),
    ],
)
def test_an_illegal_name_is_refused(devbay: Devbay, place: Path, name: str, reason: str) -> None:
    """A name that devbay would refuse later is refused now, with the rule, and nothing is written."""
    done = devbay("new-backend", name)

    assert done.returncode == Exit.USAGE
    assert reason in done.stderr
    assert list(place.iterdir()) == []
