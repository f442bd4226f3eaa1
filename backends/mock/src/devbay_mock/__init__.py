"""Accelerators described by a directory tree, as a devbay backend: no hardware needed.

`Backend` is what the entry point names and `Settings` its section of the configuration; nothing else is for others.
"""

from devbay_mock.backend import Backend
from devbay_mock.settings import Settings

__all__ = ["Backend", "Settings"]
