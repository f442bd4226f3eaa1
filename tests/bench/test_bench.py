"""`make bench` measures every budget, and says what it measured and on which machine."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.budgets import BUDGETS
from bench.figures import Figure, quantile
from tests.house.workspace import ROOT


def bench(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the bench as ``make bench`` does."""
    return subprocess.run(
        [sys.executable, "-m", "bench", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return what a quick run of every budget wrote."""
    file = tmp_path_factory.mktemp("bench") / "bench.json"
    done = bench("--quick", "--json", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(file.read_text(encoding="utf-8"))


def test_the_machine_is_described(document: Any) -> None:
    """A figure means nothing without the machine: what it is, what runs on it, and whether it was busy."""
    assert set(document["machine"]) == {
        "at",
        "cpu",
        "cores",
        "kernel",
        "python",
        "grpcio",
        "devbay",
        "load",
        "place",
        "socket_us",
        "busy",
    }
    assert document["quick"] is True


def test_every_budget_is_measured(document: Any) -> None:
    """Each budget of the list comes with its samples, the statistic that is judged, and how it was measured."""
    budgets = document["budgets"]

    assert [each["name"] for each in budgets] == [budget.name for budget in BUDGETS]
    assert all(each["samples"] > 0 and each["value"] == each[each["judged"]] for each in budgets)
    assert all(isinstance(each["kept"], bool) and each["how"] for each in budgets)


def test_every_budget_is_on_its_page() -> None:
    """The page tells of each budget that is measured, by the name it is chosen by, and of no other."""
    page = (ROOT / "docs/performance.md").read_text(encoding="utf-8")

    assert re.findall(r"^\| `([a-z0-9-]+)` \|", page, re.MULTILINE) == [budget.name for budget in BUDGETS]


def test_an_unknown_budget_is_an_error_that_lists_the_known(tmp_path: Path) -> None:
    """Whoever misspells a budget reads which there are, and nothing is measured."""
    done = bench("memroy", "--json", str(tmp_path / "bench.json"))

    assert done.returncode == 2
    assert "there is no budget memroy; there are start, stop, memory" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("limit", "judged", "kept"), [(3.0, "p50", True), (2.9, "p50", False), (4.9, "max", False), (5.0, "max", True)]
)
def test_a_figure_is_judged_by_its_statistic(limit: float, judged: Any, kept: bool) -> None:  # noqa: FBT001 - a case
    """A budget is kept where the statistic it names is at most the limit, whatever the others are."""
    figure = Figure(unit="ms", limit=limit, judged=judged, samples=(5.0, 1.0, 3.0))

    assert figure.kept is kept


def test_a_figure_without_samples_is_no_verdict() -> None:
    """What could not be measured is neither kept nor missed."""
    figure = Figure(unit="ms", limit=1.0, judged="p50", samples=())

    assert (figure.value, figure.kept, figure.spread) == (None, None, {})


def test_a_quantile_lies_between_samples_in_proportion() -> None:
    """The figures are the usual ones: the same as of any statistics package's linear method."""
    assert [quantile([4.0, 1.0, 3.0, 2.0], part) for part in (0.0, 0.25, 0.5, 1.0)] == [1.0, 1.75, 2.5, 4.0]
