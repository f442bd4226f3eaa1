"""Real directory trees for the tests, and patience for what happens in other threads and processes."""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from devbay.api import Device, Health, Node
from devbay_mock import Backend, Settings

HEALTHY_FILES = {
    "vendor": "Acme",
    "model": "A1",
    "serial": "SN-7",
    "numa_node": "1",
    "status": "online",
    "error_count": "0",
    "temperature": "40",
}
NOBODY = 65534


@dataclass
class Tree:
    """A directory with a tree of accelerators, their device files, and a backend that looks at them."""

    place: Path
    node: Node = field(default_factory=lambda: Node(name="node-1"))
    backend: Backend = field(default_factory=Backend)

    @property
    def root(self) -> Path:
        """Where the devices' directories are."""
        return self.place / "class"

    @property
    def dev(self) -> Path:
        """Where the device files are."""
        return self.place / "dev"

    def settings(self, **keys: Any) -> Settings:
        """Return settings for this tree, parsed as the host parses a section."""
        return msgspec.convert({"root": str(self.root), "device_dir": str(self.dev), **keys}, Settings)

    def add(self, device_id: str, device_file: str | None = "x", **files: str | None) -> Path:
        """Make a healthy device but for what is said otherwise; None leaves a file out."""
        directory = self.root / device_id
        directory.mkdir(parents=True)
        for name, text in {**HEALTHY_FILES, **files}.items():
            if text is not None:
                (directory / name).write_text(f"{text}\n")
        self.dev.mkdir(exist_ok=True)
        if device_file is not None:
            (self.dev / device_id).write_text(device_file)
        return directory

    def discover(self, **keys: Any) -> list[Device]:
        """Ask the backend for its devices."""
        return self.backend.discover(self.node, self.settings(**keys))

    def ids(self, **keys: Any) -> list[str]:
        """Ask the backend for its devices' ids."""
        return [device.id for device in self.discover(**keys)]

    def health(self, **keys: Any) -> dict[str, Health]:
        """Ask the backend for its devices, and for their health."""
        return dict(self.backend.check(self.node, self.settings(**keys), self.discover(**keys)))

    def reasons(self, **keys: Any) -> dict[str, str]:
        """Ask for the reason of each device's health; empty where it is healthy."""
        return {device_id: health.reason for device_id, health in self.health(**keys).items()}

    def listing(self) -> set[str]:
        """Return everything that is in the place, by relative path."""
        return {str(path.relative_to(self.place)) for path in self.place.rglob("*")}


def eventually(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait until `condition` holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.002)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Run as a user to whom permissions matter: root reads and writes everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@contextmanager
def open_place() -> Iterator[Path]:
    """Give a directory that every user can reach; pytest's own cannot be entered by others."""
    with tempfile.TemporaryDirectory(prefix="devbay-mock-") as name:
        place = Path(name)
        place.chmod(0o755)
        yield place
