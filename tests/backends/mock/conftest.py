"""Fixtures for the mock backend."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backends.mock.trees import Tree


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    """Give a place for a tree; what its backend made is removed at the end."""
    tree = Tree(tmp_path)
    yield tree
    tree.backend.close()
