"""What runs in the other process: a backend imported, asked and closed, under the interpreter's own audit.

Reads one JSON document on standard input, writes one on standard output. What native code does, and what programs do
that the backend starts, is not seen.
"""

import asyncio
import importlib
import importlib.metadata
import json
import os
import re
import stat
import sys
from collections.abc import Iterator
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

from devbay.contract import accept_devices
from devbay.errors import BackendUnavailable
from devbay.model import Node
from devbay.plugins import Rejected, load
from devbay.sources import Sources
from devbay.testing.hosting import installed

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = {"os.remove", "os.rmdir", "os.truncate", "os.chmod", "os.chown", "os.utime", "os.setxattr"}
_TWO_PATHS = {"os.rename": (0, 1), "os.link": (1,), "os.symlink": (1,)}


class Audit:
    """What the interpreter does while `active`: libraries it opens, files it changes."""

    def __init__(self, node: Node) -> None:
        self.libraries: list[str] = []
        self.written: list[str] = []
        self.active = True
        self._dev = str(node.dev)
        sys.addaudithook(self._hear)  # for good: a process has no way to take it off

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.active:
            return
        if event == "ctypes.dlopen" and arguments[0]:
            self.libraries.append(str(arguments[0]))
        elif event == "open":
            self._opened(*arguments)
        elif event == "os.mkdir":
            if not os.path.lexists(arguments[0]):  # whoever wants a directory may ask for it where it is already
                self._changed(arguments[0])
        elif event in _CHANGES:
            self._changed(arguments[0])
        elif event in _TWO_PATHS:
            for position in _TWO_PATHS[event]:
                self._changed(arguments[position])

    def _opened(self, path: object, _mode: object, flags: object) -> None:
        if not isinstance(path, str | bytes) or not isinstance(flags, int) or not flags & _WRITING:
            return
        if not self._is_device(os.fsdecode(path)):
            self._changed(path)

    def _is_device(self, path: str) -> bool:
        """Whether opening it is no writing: a device, or what stands for one on a fake node."""
        try:
            mode = Path(path).stat().st_mode
        except OSError:
            return False
        return stat.S_ISCHR(mode) or stat.S_ISBLK(mode) or Path(path).absolute().is_relative_to(self._dev)

    def _changed(self, path: object) -> None:
        if isinstance(path, str | bytes):
            self.written.append(str(Path(os.fsdecode(path)).absolute()))


class Missed(MetaPathFinder):
    """Asked last for every module: hears of those that were wanted and are not installed here.

    Attributes:
        names: the top-level ones.
    """

    def __init__(self) -> None:
        self.names: set[str] = set()
        sys.meta_path.append(self)

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:  # noqa: ARG002 - its form
        """Note a module; find none."""
        if path is None:
            self.names.add(fullname)


def _foreign(before: set[str], missed: Missed, own: str) -> Iterator[str]:
    """Yield the top-level modules wanted since `before` that are neither Python's, devbay's nor the backend's own."""
    tops = {name.partition(".")[0] for name in sys.modules.keys() - before} | missed.names
    unknown = {top for top in tops - sys.stdlib_module_names - {own, "devbay"} if not top.startswith("__")}
    if unknown:
        theirs = importlib.metadata.packages_distributions()
        needed = {_name(text) for text in importlib.metadata.requires("devbay") or () if "extra ==" not in text}
        for top in sorted(unknown):
            if not {_name(distribution) for distribution in theirs.get(top, ())} & needed:
                yield top


def _name(requirement: str) -> str:
    """Return the normal form of the name that a requirement begins with."""
    return re.split(r"[^\w.-]", requirement, maxsplit=1)[0].replace("_", "-").lower()


def _live(backend: object, node: Node, settings: dict[str, Any]) -> dict[str, Any]:
    """Ask a backend once for all that it is asked in its life, but for `watch`; return its devices' ids."""
    loaded = asyncio.run(load(installed(backend, "backend"), 30))
    if isinstance(loaded, Rejected):
        return {"error": loaded.reason}
    section: Any = Sources(document={"backend": settings}).section("backend", loaded.settings_type)
    try:
        devices, _ = accept_devices(loaded.discover(node, section))
    except BackendUnavailable as error:
        return {"error": f"discover says: {error}"}
    if "check" in loaded.hooks:
        loaded.check(node, section, devices)
    for device in devices:
        loaded.edit(node, section, device.resource, (device,))
    if "close" in loaded.hooks:
        loaded.close()
    return {"ids": [device.id for device in devices]}


def main() -> None:
    """Do what standard input says."""
    task = json.load(sys.stdin)
    sys.path[:] = task["path"]
    node = Node(name=task["node"], **{root: Path(task[root]) for root in ("sys", "dev", "proc")})
    before = set(sys.modules)
    audit, missed = Audit(node), Missed()
    importlib.import_module(task["judged"])
    libraries = tuple(audit.libraries)
    foreign = list(_foreign(before, missed, task["judged"].partition(".")[0]))
    backend: object = importlib.import_module(task["module"])
    for name in filter(None, task["name"].split(".")):
        backend = getattr(backend, name)
    try:
        answer = _live(backend, node, task["settings"])
    except Exception as error:  # noqa: BLE001 - someone else's code: what it raises is the answer
        answer = {"error": f"{type(error).__name__}: {error}"}
    audit.active = False
    report = {"foreign": foreign, "libraries": libraries, "written": audit.written, **answer}
    sys.stdout.write(f"\n{json.dumps(report)}\n")  # on a line of its own, whatever the backend printed


if __name__ == "__main__":
    main()
