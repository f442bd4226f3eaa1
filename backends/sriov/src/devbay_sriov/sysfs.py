"""Reading the kernel's tree: a file's text, where a link leads, what a directory holds. Changes nothing.

Nothing here raises for what is missing or refuses to be read: the kernel takes entries away at any moment, and one that
cannot be read must cost nothing but itself. System calls are counted: three for a text, one for a link, five for a
directory. Hence `os` and strings, and no `pathlib`, which asks the kernel more often.
"""

import os

_PAGE = 4096  # what an attribute of sysfs holds at most


def text(path: str) -> str:
    """Return a file's text without surrounding space; empty where there is none to be had."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError):
        return ""
    try:
        return os.read(file, _PAGE).decode(errors="replace").strip()
    except OSError:  # a virtual function has no `phys_port_name`, and says so when it is read
        return ""
    finally:
        os.close(file)


def number(path: str, otherwise: int = -1) -> int:
    """Return the whole number in a file."""
    try:
        return int(text(path))
    except ValueError:
        return otherwise


def target(path: str) -> str:
    """Return where a symbolic link leads, as it is written; empty where there is no link."""
    try:
        return os.readlink(path)  # noqa: PTH115 - as below
    except (OSError, ValueError):
        return ""


def leaf(path: str) -> str:
    """Return the last part of where a link leads: a driver's name, a function's address."""
    return target(path).rpartition("/")[2]


def entries(path: str) -> tuple[str, ...]:
    """Return the names in a directory, sorted; none where there is no directory."""
    try:
        return tuple(sorted(os.listdir(path)))  # noqa: PTH208 - pathlib makes an object of each name
    except (OSError, ValueError):
        return ()
