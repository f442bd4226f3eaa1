"""A node for commands that look at one: the kubelet's directory, dead and live sockets, runtimes' files, devices."""

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devbay.kubelet.directory import resource_hash
from tests.cli.conftest import Devbay

RESOURCE = "example.com/custom-accelerator"


@dataclass(frozen=True)
class NodeTree:
    """A node's file system under one directory, with a mock backend's devices."""

    root: Path

    @property
    def plugins(self) -> Path:
        """The kubelet's device plugin directory."""
        return self.root / "p"

    @property
    def cdi(self) -> Path:
        """Where CDI specifications are written."""
        return self.root / "var/run/cdi"

    @property
    def variables(self) -> dict[str, str]:
        """What points devbay to all this."""
        return {
            "DEVBAY_BACKENDS": "mock",
            "DEVBAY_MOCK__ROOT": f"{self.root}/class",
            "DEVBAY_MOCK__DEVICE_DIR": f"{self.root}/dev",
            "DEVBAY_KUBELET__DIRECTORY": str(self.plugins),
            "DEVBAY_KUBELET__POD_RESOURCES": str(self.root / "pr.sock"),
            "DEVBAY_CDI__DIRECTORY": str(self.cdi),
            "KUBECONFIG": "",
        }

    def device(self, name: str, status: str = "online") -> None:
        """Put a device there."""
        (self.root / "class" / name).mkdir(parents=True)
        (self.root / "class" / name / "status").write_text(f"{status}\n", encoding="utf-8")
        (self.root / "dev" / name).symlink_to("/dev/null")

    def write(self, path: str, text: str) -> Path:
        """Put a file there."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def ours(self, resource: str = RESOURCE, number: int = 0) -> str:
        """Return the name of a socket on which a devbay serves a resource."""
        return f"devbay-{resource_hash(resource)}-{number:08x}.sock"

    def dead(self, name: str) -> Path:
        """Put a socket there that nobody listens on."""
        path = self.plugins / name
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(str(path))
        return path

    @contextmanager
    def live(self, *names: str) -> Iterator[None]:
        """Listen on sockets."""
        listeners = []
        try:
            for name in names:
                listener = socket.socket(socket.AF_UNIX)
                listeners.append(listener)
                listener.bind(str(self.plugins / name))
                listener.listen()
            yield
        finally:
            for listener in listeners:
                listener.close()


def make(root: Path) -> NodeTree:
    """Make a node with two devices that work."""
    node = NodeTree(root)
    node.plugins.mkdir()
    (root / "dev").mkdir()
    for name in ("acc0", "acc1"):
        node.device(name)
    return node


def examined(
    devbay: Devbay, node: NodeTree, *arguments: str, environment: Mapping[str, str] | None = None
) -> tuple[int, list[dict[str, Any]]]:
    """Have doctor look; return its exit code and what it found."""
    shown = devbay(
        *("doctor", "--root", str(node.root), "-o", "json", *arguments),
        environment=node.variables | dict(environment or {}),
    )
    assert shown.stderr == "", shown.stderr
    return shown.returncode, json.loads(shown.stdout)["findings"]


def of(findings: list[dict[str, Any]], check: str, severity: str | None = None) -> list[str]:
    """Return what a check said, of one severity or any."""
    return [one["what"] for one in findings if one["check"] == check and severity in (None, one["severity"])]
