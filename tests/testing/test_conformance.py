"""The kit finds what is wrong with a backend, and nothing that is right."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from devbay.testing import BackendConformance, FakeNode, Rig
from tests.house.workspace import ROOT
from tests.testing import widgets, wrong

WRONG = sorted(path.stem for path in Path(wrong.__file__).parent.glob("[!_]*.py"))
PARTS = 5
"""How many test runs go on at once: most of their time is waiting."""
SUITE = """
import pytest
from devbay.testing import BackendConformance
from tests.testing import widgets
from tests.testing.wrong import {name}

class TestIt(BackendConformance):
    @pytest.fixture
    def rig(self, fake_node):
        return widgets.rig({name}.Backend, fake_node)
"""


class TestRight(BackendConformance):
    """The backend that the wrong ones differ from keeps the whole contract."""

    @pytest.fixture
    def rig(self, fake_node: FakeNode) -> Rig:
        """Give three widgets."""
        return widgets.rig(widgets.Backend, fake_node)


class TestCareful(BackendConformance):
    """So does the one that prepares and releases its devices."""

    @pytest.fixture
    def rig(self, fake_node: FakeNode) -> Rig:
        """Give three widgets."""
        return widgets.rig(widgets.Careful, fake_node)


def run_pytest(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in a directory, as its owner would; only the modules of this tree are on its path besides."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--assert=plain", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(place)}
    return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)


def failures_of(place: Path, names: Sequence[str]) -> dict[str, set[str]]:
    """Run the kit on wrong backends; return the cases that failed, by backend."""
    report = place / f"{names[0]}.xml"
    files = [f"test_{name}.py" for name in names]
    done = run_pytest(place, *files, f"--junitxml={report}", f"--basetemp={place / names[0]}")
    assert report.exists(), done.stdout + done.stderr
    found: dict[str, set[str]] = {name: set() for name in names}
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - a file that was just made here
        if case.find("failure") is not None or case.find("error") is not None:
            name = case.attrib["name"].partition("[")[0]
            found[case.attrib["classname"].split(".")[0].removeprefix("test_")].add(name)
    return found


@pytest.fixture(scope="module")
def failures() -> dict[str, set[str]]:
    """Run the kit on every wrong backend: in several parts at once, and in memory: it waits, and makes many files."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - the directory made there is our own
    with tempfile.TemporaryDirectory(prefix="devbay-wrong-", dir=memory) as name, ThreadPoolExecutor(PARTS) as pool:
        place = Path(name)
        for each in WRONG:
            (place / f"test_{each}.py").write_text(SUITE.format(name=each), encoding="utf-8")
        parts = pool.map(partial(failures_of, place), (WRONG[first::PARTS] for first in range(PARTS)))
        return {name: cases for part in parts for name, cases in part.items()}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_backend_fails_one_case(failures: dict[str, set[str]], name: str) -> None:
    """Each of these backends has one fault, and fails the one case that is about it."""
    case = import_module(f"tests.testing.wrong.{name}").CASE

    assert failures[name] == {case}


def test_every_case_has_been_seen_to_fail() -> None:
    """A case that nothing fails proves nothing: each has a wrong backend."""
    found = {import_module(f"tests.testing.wrong.{name}").CASE.partition("[")[0] for name in WRONG}
    cases = {name for name in dir(BackendConformance) if name.startswith("test_")}

    assert cases - found == {"test_no_case_is_left_out"}
