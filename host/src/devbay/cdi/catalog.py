"""What CDI directories hold, whoever wrote it, as a container runtime sees it: which devices can be named, and why not.

Reads files, and decides what the runtimes' library decides (cache.go:173-213): a later directory wins over an earlier
one; a name that two files of one directory have is nobody's; a file that breaks a rule does not exist.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from devbay.cdi import document, names, rules
from devbay.misfits import nearest

DIRECTORIES = (Path("/etc/cdi"), Path("/var/run/cdi"))
"""Where runtimes look unless configured otherwise, the stronger one last."""

_SUFFIXES = (".json", ".yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A specification file.

    Attributes:
        path: where it is.
        specification: what it holds; None if that cannot be read.
        problems: why runtimes do not load it, a line each; none if they do.
    """

    path: Path
    specification: document.Specification | None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A device of a file that runtimes load.

    Attributes:
        name: its full name.
        path: its file.
        device: what the file says of it.
        common: what the file gives with every device.
        trouble: why it cannot be named; empty if it can.
    """

    name: str
    path: Path
    device: document.Device
    common: document.Edits
    trouble: str = ""

    @property
    def is_ours(self) -> bool:
        """Whether devbay wrote it."""
        return self.name.startswith(names.OWN_VENDORS)


@dataclass(frozen=True, slots=True)
class Catalog:
    """What some directories hold.

    Attributes:
        devices: sorted by name, the one that counts first.
        broken: files that runtimes do not load.
    """

    devices: tuple[Listed, ...]
    broken: tuple[File, ...]

    def problem(self, name: str) -> str:
        """Return why no container can be given the device `name`; empty if one can."""
        found = [listed for listed in self.devices if listed.name == name]
        if not found:
            if names.parse(name) is None:
                return f"{name!r} is no device's name; one reads vendor.com/class=name"
            return f"no file has the device {name}{nearest(name, [listed.name for listed in self.devices])}"
        return found[0].trouble and f"{name} cannot be used: {found[0].trouble}"


def read(path: Path) -> File:
    """Return what is in a file, and what is wrong with it."""
    if path.exists() and not path.is_file():  # a pipe would be waited for
        return File(path=path, specification=None, problems=("it is no plain file",))
    try:
        text = path.read_text(encoding="utf-8")
        specification = document.decode(text)
    except OSError as error:
        return File(path=path, specification=None, problems=(f"it cannot be read: {error.strerror}",))
    except UnicodeDecodeError as error:
        return File(path=path, specification=None, problems=(f"it is not UTF-8 text: byte {error.start}",))
    except document.NotASpecification as error:
        return File(path=path, specification=None, problems=(str(error),))
    return File(path=path, specification=specification, problems=tuple(rules.problems(specification)))


def catalog(directories: Sequence[Path]) -> Catalog:
    """Return what these directories hold, the stronger ones last."""
    found: dict[str, list[tuple[int, Listed]]] = {}
    broken: list[File] = []
    for priority, directory in enumerate(directories):
        for file in map(read, _files(directory)):
            if file.problems:
                broken.append(file)
            for listed in () if file.problems else _listed(file):
                found.setdefault(listed.name, []).append((priority, listed))
    devices = [listed for name in sorted(found) for listed in _judged(found[name])]
    return Catalog(tuple(devices), tuple(broken))


def _files(directory: Path) -> list[Path]:
    try:
        return sorted(path for path in directory.iterdir() if path.suffix in _SUFFIXES and not path.is_dir())
    except OSError:
        return []


def _listed(file: File) -> Iterator[Listed]:
    if file.specification is None:
        return
    for device in file.specification.devices:
        name = str(names.Qualified(file.specification.kind, device.name))
        yield Listed(name=name, path=file.path, device=device, common=file.specification.container_edits)


def _judged(same: Iterable[tuple[int, Listed]]) -> Iterator[Listed]:
    """Yield the devices of one name, each with its trouble, the strongest first."""
    ranked = sorted(same, key=lambda found: -found[0])
    priorities = [priority for priority, _ in ranked]
    for n, (priority, listed) in enumerate(ranked):
        rivals = [other.path for m, (rank, other) in enumerate(ranked) if rank == priority and m != n]
        if rivals:
            trouble = f"{', '.join(map(str, rivals))} has it too, so that nobody gets it"
        elif len(set(priorities)) < len(priorities):
            trouble = "two files of a weaker directory both have it, so that nobody gets it"
        else:
            trouble = f"{ranked[0][1].path} has it too and is stronger" if n else ""
        yield replace(listed, trouble=trouble)
