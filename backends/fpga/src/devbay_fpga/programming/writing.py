"""The one call that programs a port, by the driver's own ``ioctl``. Not seen on hardware; everything else here was.

``struct dfl_fpga_fme_port_pr`` of ``include/uapi/linux/fpga-dfl.h``: its size, flags, the port, and the data's size and
address. Intel's out-of-tree driver takes the same with a word of its own for what went wrong.
"""

import ctypes
import fcntl
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

Writer: TypeAlias = Callable[[Path, int, bytes], None]
"""Given an FME's node, a port's number and the data, programs the port, or raises OSError."""

_DFL = (0xB680, struct.Struct("=IIIIQ"))
_OPAE = (0xB580, struct.Struct("=IIIIQQ"))


def write(fme: Path, port: int, data: bytes) -> None:
    """Program a port, and return when the driver says that it is done.

    Raises:
        OSError: the node cannot be opened, or the driver refuses: EBUSY while another programs, EINVAL for no port.
    """
    request, form = _OPAE if fme.name.startswith("intel-fpga") else _DFL
    buffer = ctypes.create_string_buffer(data, len(data))  # stays in one place while the driver reads it
    values = [form.size, 0, port, len(data), ctypes.addressof(buffer)]
    argument = bytearray(form.pack(*values, *([0] if form is _OPAE[1] else [])))
    file = os.open(fme, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(file, request, argument)
    finally:
        os.close(file)
