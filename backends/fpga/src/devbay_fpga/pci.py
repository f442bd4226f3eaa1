"""PCI addresses, and where in the tree of bridges a function is. Reads ``numa_node``; otherwise pure."""

import re
from pathlib import Path

from devbay_fpga import sysfs

_ADDRESS = re.compile(r"(?P<domain>[0-9a-f]{4,8}):(?P<bus>[0-9a-f]{2}):(?P<device>[0-9a-f]{2})\.(?P<function>[0-7])")
_MAX_NUMA_NODE = 1023  # the kernel's CONFIG_NODES_SHIFT allows ten bits

ADDRESS = _ADDRESS


def place(address: str) -> tuple[int, int, int, int]:
    """Return an address as numbers, in which addresses sort.

    >>> place("0000:04:00.1")
    (0, 4, 0, 1)
    """
    found = _ADDRESS.fullmatch(address)
    if found is None:
        return (0, 0, 0, 0)
    return (int(found["domain"], 16), int(found["bus"], 16), int(found["device"], 16), int(found["function"]))


def instance(address: str) -> int:
    """Return the number that XRT calls a function by.

    >>> instance("0000:04:00.0"), instance("0000:04:00.1")
    (1024, 1025)
    """
    domain, bus, device, function = place(address)
    return domain << 16 | bus << 8 | device << 3 | function


def ancestry(directory: Path) -> tuple[str, ...]:
    """Return the PCI addresses on the way to a directory without links, the root port's first, its own last."""
    return tuple(part for part in directory.parts if _ADDRESS.fullmatch(part))


def function(directory: Path) -> Path | None:
    """Return the directory of the PCI function that a directory without links is in; None if it is in none."""
    return next((each for each in (directory, *directory.parents) if _ADDRESS.fullmatch(each.name)), None)


def numa_nodes(directory: Path | None) -> tuple[int, ...]:
    """Return the NUMA node of a device's directory; none for the kernel's -1 and for what is no node's number."""
    number = None if directory is None else sysfs.number(sysfs.peek(directory / "numa_node"))
    return (number,) if number is not None and 0 <= number <= _MAX_NUMA_NODE else ()
