"""A described driver in a test's hands: its document as a dict that is written out whenever it is changed."""

import json
import os
import threading
from pathlib import Path
from typing import Any

import msgspec

from devbay.api import Device, Health, Node
from devbay_nvidia import Backend, Settings
from devbay_nvidia.fake import CAPTURES

U = "4cf8db2d-06c0-7d70-1a51-e59b25b2c16c"
V = "5c89852c-d268-c3f3-1b07-005d5ae1dc3f"
W = "MIG-30d00c09-8a98-59b8-8c1a-1d64b4ec3ad2"
"""The UUIDs of NVIDIA's own tests."""


def uuid(number: int) -> str:
    """Return the UUID of a GPU by its number."""
    return f"GPU-00000000-0000-0000-0000-{number:012x}"


def gpu(number: int, **facts: object) -> dict[str, Any]:
    """Return a GPU of a document: an A100 with 40 GiB, unless told otherwise."""
    return {
        "uuid": uuid(number),
        "product": "NVIDIA A100-SXM4-40GB",
        "pci_address": f"0000:{number // 32:02x}:{number % 32:02x}.0",
        "minor": number,
        "memory": 42949672960,
        "compute_capability": "8.0",
        "pcie": ["0", str(number), "0"],
    } | facts


def mig(number: int, gi: int, **facts: object) -> dict[str, Any]:
    """Return a MIG device of a document: a 1g.5gb, unless told otherwise."""
    return {
        "uuid": f"MIG-00000000-0000-0000-{gi:04x}-{number:012x}",
        "gi": gi,
        "gi_slices": 1,
        "memory_mib": 4864,
    } | facts


class Machine:
    """A described driver, and a backend on it.

    Attributes:
        document: what the driver says; `write` makes it so.
        now: the backend's clock.
        keys: the backend's section, beside the driver.
        environ: the backend's environment.
    """

    def __init__(self, place: Path, node: Node) -> None:
        self.path = place / "driver.json"
        self.node = node
        self.document: dict[str, Any] = {"gpus": [gpu(0), gpu(1)]}
        self.now = 0.0
        self.keys: dict[str, object] = {}
        self.environ: dict[str, str] = {}
        self.backend = Backend(environ=self.environ, clock=lambda: self.now)
        self.write()

    def load(self, name: str) -> None:
        """Take a document that comes along."""
        self.document = json.loads((CAPTURES / f"{name}.json").read_text())
        self.write()

    def write(self) -> None:
        """Make the driver say what the document does, all at once."""
        part = self.path.with_suffix(".part")
        part.write_text(json.dumps(self.document))
        os.replace(part, self.path)  # noqa: PTH105 - as a driver changes: never half

    @property
    def gpus(self) -> list[dict[str, Any]]:
        """The document's GPUs."""
        gpus: list[dict[str, Any]] = self.document["gpus"]
        return gpus

    @property
    def settings(self) -> Settings:
        """The backend's settings: `keys`, and the described driver."""
        return msgspec.convert({"nvml": f"fake:{self.path}"} | self.keys, Settings)

    def discover(self) -> list[Device]:
        """Return what the backend finds."""
        return list(self.backend.discover(self.node, self.settings))

    def check(self) -> dict[str, Health]:
        """Return how everything is, at a new look."""
        return dict(self.backend.check(self.settings, self.discover()))

    def reasons(self) -> dict[str, str]:
        """Return why devices are unhealthy, those that are."""
        return {device: health.reason for device, health in self.check().items() if not health}

    def hear(self, **event: object) -> None:
        """Have the driver tell an event of the first GPU; return once the backend's `watch` has heard of it."""
        heard, stop = threading.Event(), threading.Event()
        wakes: list[int] = []

        def wake() -> None:
            wakes.append(1)
            if len(wakes) > 1:  # the first is for what was there before
                heard.set()

        self.document.setdefault("xids", []).append({"gpu": self.gpus[0]["uuid"], **event})
        self.write()
        thread = threading.Thread(target=self.backend.watch, args=(self.node, self.settings, wake, stop))
        thread.start()
        assert heard.wait(20)
        stop.set()
        thread.join()
