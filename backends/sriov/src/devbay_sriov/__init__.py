"""Network virtual functions, subfunctions and other PCI functions, as a devbay backend.

`Backend` is what the entry point names and `Settings` its section of the configuration; nothing else is for others.
"""

from devbay_sriov.backend import Backend
from devbay_sriov.settings import Settings

__all__ = ["Backend", "Settings"]
