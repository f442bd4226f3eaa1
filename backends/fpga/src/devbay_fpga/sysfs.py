"""Reading the kernel's files: one value per file, and a failure costs that file alone.

I/O, and nothing that knows a driver. A value is stripped text; a number is written in any of the kernel's ways
(``0x0``, ``0``, ``18446744073709551615``).
"""

import errno
import os
import re
from functools import lru_cache
from pathlib import Path

_PAGE = 65536
_NUMBERS = re.compile(r"\d+")

HARDWARE = frozenset({errno.EIO, errno.ENODEV, errno.ENXIO})
"""Errors with which a driver says that the hardware did not answer; others say that it had nothing to say."""


def read(path: Path) -> str:
    """Return a file's text without surrounding space.

    Raises:
        OSError: it cannot be read; which error is the driver's choice (EBUSY, EINVAL, ENOENT, ...).
    """
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a named pipe must not hold us up
    try:
        return os.read(file, _PAGE).decode(errors="replace").strip(" \t\r\n\0")
    finally:
        os.close(file)


def peek(path: Path) -> str:
    """Return a file's text; nothing, where it says nothing that can be read."""
    try:
        return read(path)
    except OSError:
        return ""


def number(text: str) -> int | None:
    """Return the number that a text is, in base 16, 8, 2 or 10 as it is written; None where it is none.

    >>> number("0x0"), number("18446744073709551615"), number("010"), number("none")
    (0, 18446744073709551615, 10, None)
    """
    for base in (0, 10):
        try:
            return int(text, base)
        except ValueError:
            continue
    return None


def entries(directory: Path, pattern: re.Pattern[str] | None = None) -> list[Path]:
    """Return what is in a directory under names that match wholly, numbers in their order; nothing where it is none."""
    try:
        names = os.listdir(directory)  # noqa: PTH208 - names are enough, and a scan of 64 boards has 100 ms
    except OSError:
        return []
    wanted = names if pattern is None else filter(pattern.fullmatch, names)
    return [directory / name for name in sorted(wanted, key=natural)]


@lru_cache(maxsize=8192)
def natural(name: str) -> tuple[tuple[str, ...], tuple[int, ...], str]:
    """Return a key that sorts ``region10`` after ``region9``."""
    return tuple(_NUMBERS.split(name)), tuple(int(digits) for digits in _NUMBERS.findall(name)), name


def exists(path: Path) -> bool:
    """Whether there is something at a path; what cannot be looked at is not there."""
    return os.path.exists(path)  # noqa: PTH110 - Path.exists raises on a loop of links


def is_directory(path: Path) -> bool:
    """Whether there is a directory at a path."""
    return os.path.isdir(path)  # noqa: PTH112 - Path.is_dir raises on a loop of links


def real(path: Path) -> Path:
    """Return where a path leads, without links."""
    return Path(os.path.realpath(path))  # realpath: Path.resolve raises on a loop of links


def unreadable(path: Path, error: OSError) -> str:
    """Return a sentence about a file that cannot be read."""
    return f"{path.name} cannot be read: {error.strerror or error}"
