"""A backend in a process of its own: what it imports, what it writes, and which ids its devices have there."""

import json
import os
import random
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import msgspec

from devbay.testing.rig import Rig

_PATIENCE = 60.0


class Unreachable(Exception):  # noqa: N818 - says why there is nothing to tell
    """Another process cannot make this backend; the text says why, and what to hand to the rig instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """What a backend did in another process.

    Attributes:
        foreign: top-level modules of neither Python, devbay nor the backend that its import brought, or looked for.
        libraries: shared libraries that its import opened.
        written: files outside the rig's places that it changed, from its import to its end.
        ids: its devices' ids; None where it found none to ask about, which `error` explains.
        error: why there are no ids.
    """

    foreign: tuple[str, ...]
    libraries: tuple[str, ...]
    written: tuple[str, ...]
    ids: tuple[str, ...] | None = None
    error: str = ""


def live(rig: Rig) -> Elsewhere:
    """Run the rig's backend in a fresh process, with another hash seed.

    Raises:
        Unreachable: it cannot be made there.
    """
    module, name = _address(rig.backend)
    node = rig.node
    task = {
        "path": [*sys.path, str(_root(module))],
        "judged": _own_module(rig.backend, module),
        "module": module.__name__,
        "name": name,
        "node": node.name,
        "sys": str(node.sys),
        "dev": str(node.dev),
        "proc": str(node.proc),
        "settings": dict(rig.settings),
    }
    done = subprocess.run(
        [sys.executable, "-B", "-m", "devbay.testing.child"],
        input=json.dumps(task, default=str),
        env=os.environ | {"PYTHONHASHSEED": str(random.randrange(1, 2**32))},  # noqa: S311 - any other seed will do
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )
    if done.returncode:
        raise Unreachable(f"another process cannot import {module.__name__}: {done.stderr.strip().splitlines()[-1]}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    places = [place.absolute() for place in rig.places]
    outside = {path for path in answer["written"] if not any(Path(path).is_relative_to(place) for place in places)}
    return msgspec.convert({**answer, "written": sorted(outside)}, Elsewhere)


def _address(backend: object) -> tuple[ModuleType, str]:
    """Return where another process finds a backend: its module, and its name there."""
    if isinstance(backend, ModuleType):
        return backend, ""
    if not isinstance(backend, type | FunctionType) or "<" in backend.__qualname__:
        raise Unreachable(
            "another process cannot make this backend: give the rig a class, a module, or a function on the top level "
            f"of a module, not {backend!r}"
        )
    return sys.modules[backend.__module__], backend.__qualname__


def _own_module(backend: object, module: ModuleType) -> str:
    """Return the backend's own module, which a test's function that makes it does not stand in."""
    return type(backend()).__module__ if isinstance(backend, FunctionType) else module.__name__


def _root(module: ModuleType) -> Path:
    """Return the directory from which a module is imported by its full name."""
    file = Path(module.__file__ or "").absolute()
    depth = module.__name__.count(".") + (file.name == "__init__.py")
    return file.parents[depth] if len(file.parents) > depth else file.parent
