"""FPGAs as a devbay backend: what the kernel's sysfs tells of XRT, DFL, OPAE and fpga_manager boards.

`Backend` is what the entry point names and `Settings` its section of the configuration; nothing else is for others.
"""

from devbay_fpga.backend import Backend
from devbay_fpga.settings import Settings

__all__ = ["Backend", "Settings"]
