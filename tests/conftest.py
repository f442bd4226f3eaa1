"""Fixtures for every test."""

import os

import pytest

from tests import packages

os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # before gRPC starts: its C core writes lines of its own to stderr


@pytest.fixture(scope="session")
def broken_site(tmp_path_factory: pytest.TempPathFactory) -> packages.Site:
    """Install the packages of ``tests/packages``, good and broken; the test chooses which of them are visible."""
    return packages.install(tmp_path_factory.mktemp("site"))
