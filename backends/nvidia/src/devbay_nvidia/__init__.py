"""NVIDIA GPUs and their MIG devices, as a devbay backend.

`Backend` is what the entry point names and `Settings` its section of the configuration; nothing else is for others.
"""

from devbay_nvidia.backend import Backend
from devbay_nvidia.settings import Settings

__all__ = ["Backend", "Settings"]
