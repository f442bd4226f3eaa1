"""Checks of the container runtime's configuration: whether it reads CDI specifications, and where.

containerd's and CRI-O's files are read with what they include, later ones over earlier ones, as the runtimes do. What
is not written there is the runtime's default, which depends on its version: that is said, not guessed.
"""

import errno
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from devbay.cli.doctor.findings import Finding, Findings
from devbay.cli.doctor.scene import Scene

_CONTAINERD = (
    "/etc/containerd/config.toml",
    "/var/lib/rancher/k3s/agent/etc/containerd/config.toml",
    "/var/lib/rancher/rke2/agent/etc/containerd/config.toml",
    "/etc/k0s/containerd.toml",
    "/var/snap/microk8s/current/args/containerd.toml",
)
_CRIO = ("/etc/crio/crio.conf", "/etc/crio/crio.conf.d/*.conf")
_SECTIONS = ("io.containerd.cri.v1.runtime", "io.containerd.grpc.v1.cri")
"""Where containerd has its CDI settings: version 3 of its file, and version 2."""

_MOST_FILES = 50
_runtime = Findings("runtime-cdi")


@dataclass(slots=True)
class _Said:
    """What a runtime's files say of CDI.

    Attributes:
        enabled: whether it is on; None where they do not say.
        directories: where it looks; None where they do not say.
        files: those that were read.
        problems: those that could not be, and why.
        version: of the file's form; 0 where it does not say.
    """

    enabled: bool | None = None
    directories: list[str] | None = None
    files: list[Path] = field(default_factory=list)
    problems: list[tuple[Path, str]] = field(default_factory=list)
    version: int = 0


def switches(scene: Scene) -> Iterator[Finding]:
    """Whether the container runtimes of this node read the specifications that devbay writes."""
    said = [("containerd", one) for path in _CONTAINERD if (one := _containerd(scene, scene.place.on_node(path))).files]
    if (crio := _crio(scene)).files:
        said.append(("CRI-O", crio))
    for name, one in said:
        yield from _judge(scene, name, one)
    if not said:
        yield _runtime.note(
            "no configuration of containerd or CRI-O is seen here",
            scene.place.root,
            why="whether the runtime reads CDI specifications is not known"
            if scene.delivers_through_cdi
            else "no matter: every resource here is delivered directly",
            remedy="in a pod, mount the node's root and name it with --root" if scene.delivers_through_cdi else "",
        )


def _judge(scene: Scene, name: str, said: _Said) -> Iterator[Finding]:
    for path, problem in said.problems:
        yield _runtime.note(f"{name}'s file cannot be read: {problem}", path, why="what it says of CDI is not known")
    if said.problems and said.enabled is None and said.directories is None:
        return
    where = said.files[-1]
    directory = scene.settings.cdi.directory
    needed = scene.delivers_through_cdi
    report = _runtime.problem if needed else _runtime.warning
    restart = f"systemctl restart {'containerd' if name == 'containerd' else 'crio'}"
    if said.enabled is False:
        if needed:
            yield _runtime.problem(
                f"CDI is switched off in {name}",
                where,
                why='containers fail with "CDI devices requested but CDI support is explicitly disabled"',
                remedy="set enable_cdi = true there, or deliver directly (resources.<name>.delivery: direct)",
                command=restart,
            )
        else:
            yield _runtime.note(
                f"CDI is switched off in {name}", where, why="every resource here is delivered directly"
            )
    elif said.directories is not None and not _reads(said.directories, directory):
        yield report(
            f"{name} reads specifications in {', '.join(said.directories) or 'no directory'}, and not in {directory}",
            where,
            why="a container that asks for a device fails as unresolvable"
            if needed
            else "no matter while none is used",
            remedy=f"add {directory} to cdi_spec_dirs, or set cdi.directory to one of those",
            command=restart,
        )
    elif name == "containerd" and said.enabled is None and said.version < 3:  # noqa: PLR2004 - containerd 2's form
        yield (_runtime.warning if needed else _runtime.note)(
            "whether containerd reads CDI specifications depends on its version: enable_cdi is not set",
            where,
            why="containerd 2 does, 1.7 does not unless it is set",
            remedy="set enable_cdi = true if it is 1.7",
            command="containerd --version",
        )
    else:
        yield _runtime.ok(f"{name} reads specifications in {directory}", where)


def _reads(directories: list[str], directory: str) -> bool:
    """Whether a directory is among others: ``/var/run`` is a link to ``/run`` on every node."""
    return _plain(directory) in {_plain(name) for name in directories}


def _plain(path: str) -> str:
    path = path.rstrip("/")
    return path.removeprefix("/var") if path.startswith("/var/run/") else path


def _containerd(scene: Scene, path: Path) -> _Said:
    said = _Said()
    _read_containerd(scene, path, said)
    return said


def _read_containerd(scene: Scene, path: Path, said: _Said) -> None:
    document = _document(path, said)
    if document is None:
        return
    said.version = max(said.version, _number(document.get("version")))
    plugins = document.get("plugins")
    for name in _SECTIONS:
        _take(plugins.get(name) if isinstance(plugins, dict) else None, said)
    imports = document.get("imports")
    for pattern in imports if isinstance(imports, list) else ():
        base = scene.place.on_node(pattern) if str(pattern).startswith("/") else path.parent / str(pattern)
        for included in _matching(base):
            if included not in said.files:
                _read_containerd(scene, included, said)


def _crio(scene: Scene) -> _Said:
    said = _Said()
    for pattern in _CRIO:
        for path in _matching(scene.place.on_node(pattern)):
            document = _document(path, said)
            section = document.get("crio") if document else None
            _take(section.get("runtime") if isinstance(section, dict) else None, said)
    return said


def _take(section: object, said: _Said) -> None:
    if not isinstance(section, dict):
        return
    if isinstance(section.get("enable_cdi"), bool):
        said.enabled = section["enable_cdi"]
    if isinstance(section.get("cdi_spec_dirs"), list):
        said.directories = [str(name) for name in section["cdi_spec_dirs"]]


def _document(path: Path, said: _Said) -> Mapping[str, Any] | None:
    if len(said.files) >= _MOST_FILES:
        return None
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise IsADirectoryError(errno.EISDIR, "it is no plain file")
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        said.files.append(path)
        said.problems.append((path, getattr(error, "strerror", None) or str(error)))
        return None
    said.files.append(path)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        said.problems.append((path, str(error)))
        return None


def _matching(pattern: Path) -> list[Path]:
    try:
        return sorted(path for path in pattern.parent.glob(pattern.name) if path.is_file())
    except (OSError, ValueError):
        return []


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
