"""What the page on the package index shows works as it stands there."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.house.workspace import ROOT

PAGE = (ROOT / "host/README.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    """Return the page's one block of code in a language."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


def test_the_backend_of_the_readme_is_found_and_asked(tmp_path: Path) -> None:
    """The class and the one line of packaging are a whole backend: its device is found, and missed on this machine."""
    (tmp_path / "devbay_widget.py").write_text(block("python"), encoding="utf-8")
    installed = tmp_path / "devbay_widget-0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: devbay-widget\nVersion: 0\n", encoding="utf-8")
    entry_points = block("toml").replace("project.entry-points.", "").replace('"', "")
    (installed / "entry_points.txt").write_text(entry_points, encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-m", "devbay", "backends"],
        env=os.environ | {"PYTHONPATH": str(tmp_path), "DEVBAY_BACKENDS": "widget"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    (row,) = (line for line in done.stdout.splitlines() if line.startswith("widget "))
    assert "ready" in row
    assert "1 device, 0 healthy: example.com/widget" in row
