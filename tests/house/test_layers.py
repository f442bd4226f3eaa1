"""The import contracts hold, and each of them can fail."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house import workspace

TRESPASSES = {
    "floors": ("host/src/devbay/model.py", "import devbay.settings"),
    "policy-is-pure": ("host/src/devbay/sharing.py", "import time"),
    "wire": ("host/src/devbay/runner.py", "import grpc"),
    "retries": ("host/src/devbay/kubelet/__init__.py", "import tenacity"),
    "metrics": ("host/src/devbay/runner.py", "import prometheus_client"),
    "terminal": ("host/src/devbay/plugins.py", "import rich.table"),
    "pytest": ("host/src/devbay/plugins.py", "import pytest"),
    "simulator-shares-no-logic": ("host/src/devbay/simulator/__init__.py", "from devbay import sharing"),
    "host-runs-without-the-simulator": ("host/src/devbay/runner.py", "from devbay import simulator"),
    "host-knows-no-backend": ("host/src/devbay/plugins.py", "import devbay_mock"),
    "backends-see-the-api": ("backends/mock/src/devbay_mock/__init__.py", "from devbay import sharing"),
    "backends-are-independent": ("backends/mock/src/devbay_mock/__init__.py", "import devbay_toaster"),
    "nvml": ("backends/mock/src/devbay_mock/__init__.py", "import pynvml"),
}
"""For each contract a file and the line that breaks it."""


def lint(tree: Path) -> subprocess.CompletedProcess[str]:
    """Run every contract on a tree: its own sources come before the installed ones."""
    sources = [str(path) for path in (tree / "host/src", *tree.glob("backends/*/src"))]
    return subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-logo", "--no-cache"],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sources), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_layers_hold() -> None:
    """No module imports what it may not."""
    done = lint(workspace.ROOT)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return what is said of a copy of the tree in which every contract is broken by one line."""
    tree = tmp_path_factory.mktemp("trespass")
    for folder in ("host", "backends"):
        shutil.copytree(workspace.ROOT / folder, tree / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(tree / "backends/mock", tree / "backends/toaster", symlinks=True)
    (tree / "backends/toaster/src/devbay_mock").rename(tree / "backends/toaster/src/devbay_toaster")
    root_file = (workspace.ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (tree / "pyproject.toml").write_text(root_file.replace('"devbay_mock"', '"devbay_mock", "devbay_toaster"'))
    for name, line in TRESPASSES.values():
        with (tree / name).open("a", encoding="utf-8") as file:
            file.write(f"\n{line}\n")
    return lint(tree).stdout


@pytest.mark.parametrize("contract", TRESPASSES)
def test_a_trespass_is_noticed(report: str, contract: str) -> None:
    """A contract fails for the import that it forbids: none is written so that it can only hold."""
    name = workspace.contracts(workspace.ROOT)[contract]["name"]

    assert f"{name} BROKEN" in report


def test_every_contract_has_been_seen_to_fail() -> None:
    """A new contract comes with a line that breaks it."""
    assert set(TRESPASSES) == set(workspace.contracts(workspace.ROOT))
