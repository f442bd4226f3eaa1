"""A real host in this process that runs one backend of a test's, whether that is installed or not."""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from pathlib import Path
from types import FunctionType
from typing import Any

from devbay.hookspecs import ENTRY_POINT_GROUP
from devbay.host import Host
from devbay.model import Node
from devbay.plan import Plan
from devbay.plugins import Installed
from devbay.selection import Choice
from devbay.sources import Sources
from devbay.testing.background import BackgroundLoop


class _Given(EntryPoint):
    """An entry point that need not be looked up: what it names is at hand."""

    def __init__(self, name: str, backend: object) -> None:
        super().__init__(name, "a.test:Backend", ENTRY_POINT_GROUP)
        vars(self)["backend"] = backend  # entry points refuse plain assignment

    def load(self) -> object:
        """Return what the entry point names."""
        given = vars(self)["backend"]
        return given() if isinstance(given, FunctionType) else given


def installed(backend: object, name: str) -> Installed:
    """Return a backend as if a distribution declared it under `name`."""
    module = str(getattr(backend, "__module__", None) or getattr(backend, "__name__", "a test"))
    return Installed(name=name, distribution=module, version="under test", entry_point=_Given(name, backend))


def cdi_directory(plugins: Path) -> Path:
    """Return where a host and a kubelet on this device plugin directory keep, and look for, CDI specifications."""
    return plugins / "cdi"  # a kubelet that starts deletes files here, and never a directory


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosting:
    """What a host is to run.

    Attributes:
        backend: what an entry point would name: a class, a module, or a function that returns a backend.
        node: the node it looks at.
        settings: the backend's section of the configuration.
        configuration: the host's own sections, such as ``{"health": {"scan_interval": 1}}``.
        name: the backend's name: what its section is called.
    """

    backend: object
    node: Node
    settings: Mapping[str, Any] = field(default_factory=dict)
    configuration: Mapping[str, Any] = field(default_factory=dict)
    name: str = "backend"

    def plan(self, directory: Path) -> Plan:
        """Return the plan of a host beside the kubelet of `directory`; nothing of this machine's own is touched."""
        document = {
            "cdi": {"directory": str(cdi_directory(directory))},
            "web": {"listen": ""},
            **self.configuration,
            "kubelet": {"pod_resources": "", **self.configuration.get("kubelet", {}), "directory": str(directory)},
            self.name: dict(self.settings),
        }
        sources = Sources(document=document, file="the test's configuration")
        return Plan(
            settings=sources.settings(),
            sources=sources,
            node=self.node,
            installed={self.name: installed(self.backend, self.name)},
            rejected=(),
            choice=Choice(enabled=(self.name,), line="*"),
        )


class RunningHost:
    """A host that runs on `loop` until `stop`."""

    def __init__(self, plan: Plan, loop: BackgroundLoop, clock: Callable[[], float] = time.monotonic) -> None:
        self._loop = loop
        self._task = loop.call(lambda: asyncio.create_task(Host(plan, clock).run(), name="host"))

    def stop(self) -> None:
        """Stop it as SIGTERM would; what it may have failed with is raised."""
        self._loop.run(self._end())

    async def _end(self) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
