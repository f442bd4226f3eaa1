"""A node for a host: a kubelet's directory, a simulated kubelet on it, and accelerators that are a directory tree."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from devbay.simulator import Kubelet
from tests.host.running import short_directory


@pytest.fixture
def place() -> Iterator[Path]:
    """Make a directory for everything of one test, with a short path."""
    with short_directory() as path:
        yield path


@pytest.fixture
def plugins(place: Path) -> Path:
    """Make a kubelet's directory."""
    path = place / "plugins"
    path.mkdir()
    return path


@pytest.fixture
async def kubelet(plugins: Path) -> AsyncIterator[Kubelet]:
    """Run a simulated kubelet."""
    async with Kubelet(plugins) as running:
        yield running


@pytest.fixture
def tree(place: Path) -> dict[str, str]:
    """Return the variables that give the mock backend three accelerators in this test's directory."""
    return {
        "DEVBAY_BACKENDS": "mock",
        "DEVBAY_MOCK__COUNT": "3",
        "DEVBAY_MOCK__ROOT": f"{place}/class",
        "DEVBAY_MOCK__DEVICE_DIR": f"{place}/dev",
    }
