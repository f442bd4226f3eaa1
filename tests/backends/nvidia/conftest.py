"""Fixtures for the nvidia backend."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from devbay.testing import FakeNode
from tests.backends.nvidia.machines import Machine


@pytest.fixture
def machine(tmp_path: Path, fake_node: FakeNode) -> Iterator[Machine]:
    """Give a machine with two GPUs and no more."""
    machine = Machine(tmp_path, fake_node.node)
    yield machine
    machine.backend.close()
