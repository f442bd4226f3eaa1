"""Who may change a tree, and what was made of it: the record in the root.

The record is a file in the root. Whoever uses the tree holds a shared lock on it, so that a process can tell whether
it is alone; only one that is changes anything. Locks die with their process, `kill -9` included, and the record stays:
that is how the next process knows what it may take over or remove.
"""

import errno
import fcntl
import json
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

MARK = ".devbay-mock"
"""The record's name in the root; in a device's directory, the file that says that we made it."""

_DIRECTORIES = f"{MARK}.directories"  # beside the record: the directories that were made, one a line

_PATIENCE = 5.0  # seconds for which another process may be at work on the tree
_PAUSE = 0.02

Identity: TypeAlias = tuple[int, int]
"""A file's device and inode."""


@dataclass(slots=True)
class Made:
    """What was made for one device.

    Attributes:
        file: the device file, as this process finds it.
        identity: which file that is, if we made it; None if it was there before, or was about to be made.
        numa_node: what was written into ``numa_node``.
    """

    file: str
    identity: Identity | None
    numa_node: str


Record: TypeAlias = dict[str, Made]
"""What was made, by device id."""


class Claim:
    """One process's hold on one root. Used by one thread."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._path = root / MARK
        self._file: int | None = None
        self._unwritten: list[str] = []
        self.begun_anew = False
        """Whether the last `alone` found that another process had removed the tree since we took hold of it."""

    @property
    def held(self) -> bool:
        """Whether this process has hold of the tree."""
        return self._file is not None

    def alone(self) -> bool:
        """Take hold of the tree; return whether this process alone does, and may therefore change it.

        Nobody else can take hold until `share` or `let_go`. Creates the root and the record if they are missing.

        Raises:
            OSError: the root cannot be made or written.
        """
        deadline = time.monotonic() + _PATIENCE
        self.begun_anew = False
        while True:
            alone = self._is_open() and self._lock(fcntl.LOCK_EX)
            if alone or self._lock(fcntl.LOCK_SH):
                if self._is_in_place():
                    return alone
                self._begin_anew()
            elif time.monotonic() > deadline:
                self.let_go()
                raise TimeoutError(errno.ETIMEDOUT, "another process is at work there and does not end", self._root)
            else:
                time.sleep(_PAUSE)

    def share(self) -> None:
        """Let others take hold of the tree too."""
        self._lock(fcntl.LOCK_SH)

    def let_go(self) -> None:
        """Give the hold up."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def load(self) -> Record:
        """Return what is recorded; nothing, where the record was cut off in the middle. Only when `alone`."""
        try:
            content = json.loads(self._path.read_bytes() or b"{}")
            return {
                device_id: Made(file=made["file"], identity=_identity(made["identity"]), numa_node=made["numa_node"])
                for device_id, made in content.get("devices", {}).items()
            }
        except (ValueError, TypeError, KeyError, AttributeError):
            return {}

    def save(self, record: Record) -> None:
        """Write the record down, in place: its file is what the locks are on. Only when `alone`."""
        devices = {device_id: asdict(made) for device_id, made in sorted(record.items())}
        text = json.dumps({"what": "what devbay-mock made here and will remove", "devices": devices}, indent=1) + "\n"
        if text != self._path.read_text(errors="replace"):  # a root that became read-only is no trouble until then
            self._path.write_text(text)

    def make_directory(self, directory: Path) -> None:
        """Make a directory and its missing parents, and write down which were made.

        Written down by whoever made them, alone or not, by appending: who takes hold of the tree first may be another.
        """
        for place in reversed((directory, *directory.parents)):
            with suppress(FileExistsError):
                place.mkdir()
                self._unwritten.append(str(place))
        if directory.exists() and not directory.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(directory))
        if self._unwritten:
            with (self._root / _DIRECTORIES).open("a") as file:
                file.write("".join(f"{place}\n" for place in self._unwritten))
            self._unwritten.clear()

    def remove(self) -> None:
        """Remove the record and the directories made, as far as nobody else put something there. Only when `alone`."""
        made = self._made_directories()
        around = [directory for directory in made if self._root.is_relative_to(directory)]
        _remove_empty(directory for directory in made if directory not in around)
        outermost = self._outermost_without_others(around)
        if outermost is None:
            self._path.with_name(_DIRECTORIES).unlink(missing_ok=True)
            self._path.unlink(missing_ok=True)
            return
        # In one step, so that a process that starts now finds all of it or nothing.
        gone = outermost.with_name(f".{outermost.name}{MARK}")
        outermost.rename(gone)
        root = gone / self._root.relative_to(outermost)
        for name in (_DIRECTORIES, MARK):
            (root / name).unlink(missing_ok=True)
        _remove_empty(place for place in (root, *root.parents) if place.is_relative_to(gone))

    def _made_directories(self) -> list[Path]:
        """Return the directories that were made, innermost first."""
        try:
            lines = (self._root / _DIRECTORIES).read_text().splitlines()
        except FileNotFoundError:
            return []
        return sorted({Path(line) for line in lines if line}, key=lambda path: len(path.parts), reverse=True)

    def _outermost_without_others(self, around: list[Path]) -> Path | None:
        """Return the outermost of the root and its parents in which there is nothing but our way to the record."""
        found, expected = None, {MARK, _DIRECTORIES}
        for directory in around:
            if directory != (found.parent if found else self._root) or set(os.listdir(directory)) != expected:  # noqa: PTH208 - names to compare
                break
            found, expected = directory, {directory.name}
        return found

    def _is_open(self) -> bool:
        """Open the record; return whether that worked, which it may not while another process removes the tree."""
        if self._file is None:
            try:
                self.make_directory(self._root)
                self._file = os.open(self._path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
            except FileNotFoundError:
                return False
        return True

    def _begin_anew(self) -> None:
        """Let go of what was removed with its tree."""
        self.let_go()
        self.begun_anew = True

    def _lock(self, kind: int) -> bool:
        if self._file is None:
            return False
        try:
            fcntl.flock(self._file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _is_in_place(self) -> bool:
        if self._file is None:
            return False
        try:
            return os.path.samestat(os.fstat(self._file), self._path.stat())
        except FileNotFoundError:
            return False


def _remove_empty(directories: Iterable[Path]) -> None:
    for directory in directories:
        with suppress(OSError):  # not empty, or gone: not ours to remove
            directory.rmdir()


def _identity(value: list[int] | None) -> Identity | None:
    return None if value is None else (value[0], value[1])
