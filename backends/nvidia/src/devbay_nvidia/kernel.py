"""What the driver's kernel module shows in ``/proc``, and the kernel in ``/sys``: read, never written.

Used where the library is silent: it says nothing of a GPU that is lost, while the module still knows what it was.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from devbay.api import Node

_LINE = re.compile(r"(?:gpu(?P<gpu>\d+)/gi(?P<gi>\d+)(?:/ci(?P<ci>\d+))?/access|config|monitor) (?P<minor>\d+)")
_VERSION = re.compile(r"Kernel Module(?: for \S+)?\s+(?P<version>\d+(?:\.\d+)+)")
_UUID = re.compile(r"GPU-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

Minors = dict[tuple[int, int, int | None], int]
"""Minor numbers of capability nodes, by GPU, GPU instance and compute instance (None: the GPU instance's own)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the module knows of a GPU.

    Attributes:
        pci_address: where it is.
        uuid: empty where the module does not know it.
        product: its name.
        minor: the number of its device node; None where it is not said.
    """

    pci_address: str
    uuid: str = ""
    product: str = ""
    minor: int | None = None


def numa_nodes(node: Node, pci_address: str) -> tuple[int, ...]:
    """Return the NUMA node of a PCI function; none where it is unknown."""
    try:
        number = int(_text(node.sys / "bus/pci/devices" / pci_address / "numa_node"))
    except ValueError:
        return ()
    return (number,) if number >= 0 else ()


def mig_minors(node: Node) -> Minors:
    """Return the minor numbers of MIG's capability nodes; a line that is none is skipped."""
    minors: Minors = {}
    for line in _text(node.proc / "driver/nvidia-caps/mig-minors").splitlines():
        found = _LINE.fullmatch(line.strip())
        if found and found["gpu"]:
            instance = None if found["ci"] is None else int(found["ci"])
            minors[int(found["gpu"]), int(found["gi"]), instance] = int(found["minor"])
    return minors


def known_gpus(node: Node) -> tuple[Known, ...]:
    """Return what the module knows of each GPU, in the order of their addresses."""
    return tuple(_known(directory) for directory in _entries(node.proc / "driver/nvidia/gpus"))


def driver_version(node: Node) -> str:
    """Return the version of the module that is loaded; empty where none is, or it does not say."""
    found = _VERSION.search(_text(node.proc / "driver/nvidia/version"))
    return found["version"] if found else ""


def fingerprint(node: Node) -> tuple[str, ...]:
    """Return what differs once the driver, a GPU or a MIG device came or went. Cheap enough to ask every second."""
    driver = node.proc / "driver/nvidia"
    instances = [
        f"{gpu} {gi} {ci}"
        for gpu in _names(driver / "capabilities")
        for gi in _names(driver / "capabilities" / gpu / "mig")
        for ci in _names(driver / "capabilities" / gpu / "mig" / gi)
    ]
    nodes = [name for name in _names(node.dev) if name.startswith("nvidia")]
    return (driver_version(node), *sorted(_names(driver / "gpus")), *sorted(instances), *sorted(nodes))


def _known(directory: Path) -> Known:
    facts = dict(_facts(_text(directory / "information")))
    uuid, minor = facts.get("GPU UUID", ""), facts.get("Device Minor", "")
    return Known(
        pci_address=directory.name.lower(),
        uuid=uuid if _UUID.fullmatch(uuid) else "",
        product=facts.get("Model", ""),
        minor=int(minor) if minor.isdecimal() else None,
    )


def _facts(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        name, _, value = line.partition(":")
        yield name.strip(), value.strip()


def _entries(directory: Path) -> list[Path]:
    return [directory / name for name in sorted(_names(directory))]


def _names(directory: Path) -> list[str]:
    try:
        return os.listdir(directory)  # noqa: PTH208 - names are what is wanted, and this is asked every second
    except OSError:
        return []


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
