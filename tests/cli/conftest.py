"""The command line, run as a person runs it."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol, TypeAlias

import pytest

from tests.host.running import PATIENCE, short_directory
from tests.packages import Site

Environment: TypeAlias = Mapping[str, str]


class Devbay(Protocol):
    """Runs ``devbay`` with arguments, with packages of the site installed, and with variables added."""

    def __call__(
        self, *arguments: str, packages: tuple[str, ...] = (), environment: Environment | None = None
    ) -> "Done":
        """Return what it did."""


Done = subprocess.CompletedProcess[str]


@pytest.fixture
def place() -> Iterator[Path]:
    """Make a directory with a short path."""
    with short_directory() as path:
        yield path


@pytest.fixture
def devbay(broken_site: Site, place: Path) -> Devbay:
    """Return what runs the command line, in a directory of this test's."""

    def run(*arguments: str, packages: tuple[str, ...] = (), environment: Environment | None = None) -> Done:
        variables = broken_site.environ(*packages, NODE_NAME="node-a") | dict(environment or {})
        command = [sys.executable, "-m", "devbay", *arguments]
        return subprocess.run(
            command, env=variables, cwd=place, capture_output=True, text=True, timeout=PATIENCE * 2, check=False
        )

    return run
