"""Reading the tree: the devices that are there and what their files say. Changes nothing.

Whatever one device's files hold or refuse costs that device at most. A file that is missing and a file that cannot
be read are two things here.
"""

import os
import re
import time
from collections.abc import Collection, Iterator
from pathlib import Path

from devbay.api import Attribute, BackendUnavailable, Device
from devbay_mock.places import Places
from devbay_mock.settings import Settings

_PAGE = 4096  # what a sysfs file holds at most
_NUMBER = re.compile(r"[0-9]{1,4}")
_MAX_NUMA_NODE = 1023  # the kernel's CONFIG_NODES_SHIFT allows ten bits
_REWRITING = 0.01  # seconds for which a file that is being rewritten is believed to be empty

_HINT = {
    False: "no driver of such accelerators is loaded; mock.count (DEVBAY_MOCK__COUNT=4) makes accelerators that need "
    "none, mock.root names another directory",
    True: "it was removed, and is made again when devbay starts anew",
}


def devices(places: Places, settings: Settings, known: Collection[str]) -> list[Device]:
    """Return the devices of the tree: each subdirectory whose device file exists, or did when it became `known`.

    Raises:
        BackendUnavailable: there is no tree.
    """
    library = settings.library_dir if _has_library(places, settings) else None
    return [
        _device(places, settings.resource, library, entry)
        for entry in _subdirectories(places, settings)
        if entry.name in known or device_file_problem(places, entry.name) != MISSING
    ]


def read(path: Path) -> str | None:
    """Return a file's text without surrounding space, None if it is missing.

    Raises:
        OSError: it is there and cannot be read.
    """
    text = _read_once(path)
    if text == "":
        # `echo online > status` leaves the file empty for a moment. Do not take that moment for the message.
        time.sleep(_REWRITING)
        text = _read_once(path)
    return text


MISSING = "is missing"


def device_file_problem(places: Places, device_id: str) -> str | None:
    """Return what is wrong with a device's file, None if it is there, `MISSING` if it is not."""
    try:
        places.node.locate(places.device_file(device_id)).stat()
    except FileNotFoundError:
        return MISSING
    except OSError as error:
        return f"cannot be looked at: {error.strerror}"
    return None


def _subdirectories(places: Places, settings: Settings) -> Iterator[Path]:
    try:
        with os.scandir(places.tree) as entries:
            names = sorted(entry.name for entry in entries)
    except FileNotFoundError:
        raise BackendUnavailable(f"{places.root} does not exist: {_HINT[bool(settings.count)]}") from None
    except OSError as error:
        raise BackendUnavailable(f"{places.root} cannot be read: {error.strerror}") from None
    # os.path.isdir follows links, which is what the entries of a class in the kernel's /sys are, and never raises.
    return (places.tree / name for name in names if not name.startswith(".") and os.path.isdir(places.tree / name))  # noqa: PTH112 - Path.is_dir raises on a loop of links


def _device(places: Places, resource: str, library: str | None, directory: Path) -> Device:
    facts = {name: _fact(directory / name) for name in ("vendor", "model", "serial")}
    attributes: dict[str, Attribute] = {name: text for name, text in facts.items() if text}
    if model := facts["model"]:
        attributes["product"] = model
    if library:
        attributes["library"] = library
    return Device(
        id=_printable(directory.name),
        resource=resource,
        numa_nodes=_numa_nodes(_fact(directory / "numa_node")),
        paths=(places.device_file(_printable(directory.name)),),
        attributes=attributes,
    )


def _has_library(places: Places, settings: Settings) -> bool:
    if settings.library_mount == "if-present":
        return os.path.isdir(places.node.locate(settings.library_dir))  # noqa: PTH112 - Path.is_dir raises where it may not look
    return settings.library_mount == "always"


def _fact(path: Path) -> str:
    """Return what a file says about a device; nothing, where it says nothing that can be read."""
    try:
        return _read_once(path) or ""
    except OSError:
        return ""


def _numa_nodes(text: str) -> tuple[int, ...]:
    """Return the NUMA node; none for the kernel's -1 and for what is no node's number."""
    return (int(text),) if _NUMBER.fullmatch(text) and int(text) <= _MAX_NUMA_NODE else ()


def _printable(name: str) -> str:
    """Return a name that can be shown. One that is no text becomes an id that the host refuses by name."""
    return os.fsencode(name).decode(errors="replace")


def _read_once(path: Path) -> str | None:
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a named pipe must not hold us up
    except FileNotFoundError:
        return None
    try:
        return os.read(file, _PAGE).decode(errors="replace").strip()
    finally:
        os.close(file)
