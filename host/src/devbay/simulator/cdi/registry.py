"""The CDI files of a node, as a runtime finds them: directories, who wins, who conflicts, what is broken.

pkg/cdi/spec-dirs.go:26-103, pkg/cdi/cache.go:173-213 and 241-279.
"""

import errno
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from devbay.simulator.cdi import application, specification, validation
from devbay.simulator.cdi.specification import Device, Edits, Specification
from devbay.simulator.final import FinalContainer

EXTENSIONS = (".json", ".yaml")
"""Endings of CDI files; not ``.yml``."""


class Unresolvable(ValueError):  # noqa: N818 - says what is wrong with what was asked for
    """Devices that are in no file that a runtime accepts. `names` are those, in order."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(f"unresolvable CDI devices {', '.join(names)}")
        self.names = tuple(names)


@dataclass(frozen=True, slots=True)
class Found:
    """A device in a file.

    Attributes:
        file: where it is.
        priority: the place of the file's directory among the directories.
        specification: all of the file.
        device: the device.
    """

    file: Path
    priority: int
    specification: Specification
    device: Device


class Registry:
    """The CDI devices in `directories` at the moment it is made; a later directory has the higher priority.

    Attributes:
        devices: the devices that resolve, by qualified name.
        errors: what is wrong, by file (or directory), in a runtime's words; runtimes only log it.
    """

    def __init__(self, directories: Iterable[Path | str]) -> None:
        self.devices: dict[str, Found] = {}
        self.errors: dict[Path, list[str]] = {}
        conflicts: set[str] = set()
        for priority, directory in enumerate(directories):
            for file in self._files(Path(directory)):
                for name, found in self._read(file, priority):
                    self._add(name, found, conflicts)
        # Also where a directory of higher priority has the device: it is removed at the end (cache.go:212-214).
        for name in conflicts:
            del self.devices[name]

    def edits(self, names: Iterable[str]) -> Edits:
        """Return what these devices ask for together: a file's own edits once, before its first device's.

        Raises:
            Unresolvable: one or more of them do not resolve.
        """
        wanted = tuple(names)
        missing = [name for name in wanted if name not in self.devices]
        if missing:
            raise Unresolvable(missing)
        parts: list[Edits] = []
        files: set[Path] = set()
        for found in (self.devices[name] for name in wanted):
            if found.file not in files:
                parts.append(found.specification.container_edits)
            files.add(found.file)
            parts.append(found.device.container_edits)
        return specification.together(parts)

    def resolve(
        self, names: Iterable[str], container: FinalContainer | None = None, locate: application.Locate = Path
    ) -> FinalContainer:
        """Return what becomes of a container that asks for these devices; of an empty one if none is given.

        `locate` tells where this process finds the node's device files.

        Raises:
            Unresolvable: one or more of them do not resolve.
            application.Inapplicable: a device node is not on the node.
        """
        wanted = tuple(names)
        before = container or FinalContainer()
        edited = application.apply(before, self.edits(wanted), locate=locate)
        return replace(edited, cdi_devices=(*before.cdi_devices, *wanted))

    def _files(self, directory: Path) -> Iterator[Path]:
        """Yield the CDI files in a directory, by name; a directory that is not there has none."""
        try:
            if not stat.S_ISDIR(directory.lstat().st_mode):
                self._complain(directory, "is not a directory, and a link to one is not followed")
                return
            with os.scandir(directory) as scan:
                entries = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in scan)
        except FileNotFoundError:
            return
        except OSError as error:
            self._complain(directory, application.words(error))
            return
        for name, is_directory in entries:
            if name.endswith(EXTENSIONS) and not is_directory:
                yield directory / name

    def _read(self, file: Path, priority: int) -> Iterator[tuple[str, Found]]:
        """Yield the devices of a file; none of a broken one, whose error is kept."""
        try:
            read = specification.parse(_text(file))
            validation.check(read)
        except (OSError, UnicodeDecodeError) as error:
            why = application.words(error)
            self._complain(file, f'failed to load CDI Spec failed to read CDI Spec "{file}": {why}')
            return
        except specification.Malformed as error:
            self._complain(file, f'failed to load CDI Spec failed to parse CDI Spec "{file}": {error}')
            return
        except validation.Invalid as error:
            self._complain(file, f"failed to load CDI Spec invalid CDI Spec: {error}")
            return
        for device in read.devices:
            yield f"{read.kind}={device.name}", Found(file, priority, read, device)

    def _add(self, name: str, found: Found, conflicts: set[str]) -> None:
        other = self.devices.get(name)
        if other is not None and other.priority == found.priority:
            conflicts.add(name)
            for file in (found.file, other.file):
                self._complain(file, f'conflicting device "{name}" (specs "{found.file}", "{other.file}")')
            return
        self.devices[name] = found

    def _complain(self, path: Path, what: str) -> None:
        self.errors.setdefault(path, []).append(what)


def _text(file: Path) -> str:
    if not file.is_file():  # a FIFO would be waited for
        raise OSError(errno.EINVAL, "no such file or not a regular one")
    return file.read_text(encoding="utf-8")
