"""Files of a CDI directory: written whole or not at all, told apart, swept.

Everything here may block, and is called from a thread. Whatever the system refuses becomes a `DeliveryError` that names
the path, the reason and the remedy.
"""

import errno
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from devbay.cdi import names
from devbay.errors import DeliveryError

_UNFINISHED = 30.0
"""Seconds after which a temporary file is what a crash left: another host may be at work on a younger one."""

_MAX_LINKS = 40

_READ_ONLY = "run devbay as uid 0 with the directory mounted writable"
_REMEDIES = {
    errno.ENOSPC: "make room on its file system",
    errno.EDQUOT: "make room on its file system",
    errno.EROFS: _READ_ONLY,
    errno.EACCES: _READ_ONLY,
    errno.EPERM: _READ_ONLY,
    errno.ENOTDIR: "remove what stands where a directory should be",
    errno.EEXIST: "remove what stands where a directory should be",
    errno.EISDIR: "remove the directory that stands where the file should be",
}


class FileId(NamedTuple):
    """Which file a path means at a moment, and in which state."""

    device: int
    inode: int
    modified_ns: int
    size: int
    mode: int


def file_id(path: Path) -> FileId | None:
    """Return which file is at `path`, or None if there is none that can be seen."""
    try:
        status = path.lstat()
    except OSError:
        return None
    return FileId(status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size, status.st_mode)


def read(path: Path) -> tuple[FileId | None, str | None]:
    """Return which plain file is at `path` and its text; None for what is not there or cannot be read."""
    identity = file_id(path)
    if identity is None or not stat.S_ISREG(identity.mode):
        return identity, None
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return identity, None
    return (identity, text) if file_id(path) == identity else (None, None)  # it changed meanwhile: look again


def write(path: Path, text: str) -> FileId | None:
    """Replace a file whole, its directory made if it is missing; return which file it is now.

    Raises:
        DeliveryError: the system refuses; what was there before still is.
    """
    with _refusals(path, "written"):
        try:
            return _replace(path, text)
        except FileNotFoundError:  # somebody removed the directory just now
            return _replace(path, text)


def remove(path: Path) -> None:
    """Remove a file, if it is there.

    Raises:
        DeliveryError: the system refuses.
    """
    with _refusals(path, "removed"):
        path.unlink(missing_ok=True)


def own(directory: Path) -> Iterator[Path]:
    """Yield what in a directory is ours by its name, sorted."""
    yield from (path for path in _entries(directory) if names.is_own_file(path.name))


def others(directory: Path) -> Iterator[Path]:
    """Yield what runtimes read in a directory and is not ours by its name, sorted."""
    found = (path for path in _entries(directory) if path.suffix in (".json", ".yaml"))
    yield from (path for path in found if not names.is_own_file(path.name))


def sweep(directory: Path, *, all_of_them: bool = False) -> Iterator[Path]:
    """Remove temporary files of ours that nobody will finish; yield those that are gone."""
    for path in _entries(directory):
        if not names.is_own_temporary(path.name):
            continue
        with suppress(OSError):  # one file more or less must stop nothing
            if all_of_them or time.time() - path.lstat().st_mtime > _UNFINISHED:
                path.unlink()
                yield path


def real_path(path: str, locate: Callable[[str], Path]) -> str:
    """Return where a path of the node leads once symbolic links at its end are followed.

    Followed by hand, since `locate` tells where this process finds a file of the node: a link's target is the node's.
    """
    found = path
    for _ in range(_MAX_LINKS):
        try:
            target = locate(found).readlink()
        except (OSError, ValueError):
            return found
        found = os.path.normpath(Path(found).parent / target)
    return path  # a circle; the runtime's error will name it


def _entries(directory: Path) -> list[Path]:
    try:
        return sorted(directory.iterdir())
    except OSError:
        return []


def _replace(path: Path, text: str) -> FileId | None:
    _make_directory(path.parent)
    temporary = path.with_name(names.temporary_name(secrets.token_hex(8)))
    try:
        _write_new(temporary, text)
        identity = file_id(temporary)
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink()
        raise
    _flush(path.parent)
    return identity


def _make_directory(path: Path) -> None:
    if path.is_dir():
        return
    if path.is_symlink():
        raise NotADirectoryError(errno.ENOTDIR, f"its directory is a symbolic link to {path.readlink()}, which is none")
    path.mkdir(mode=0o755, parents=True, exist_ok=True)
    path.chmod(0o755)  # whatever this process's umask is, a runtime must find what is in it


def _write_new(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644), "wb") as file:
        os.fchmod(file.fileno(), 0o644)
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())


def _flush(directory: Path) -> None:
    """Have the new name survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _refusals(path: Path, what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        remedy = _REMEDIES.get(error.errno or 0, "see to the directory, or deliver without CDI")
        where = f" ({error.filename})" if error.filename and Path(error.filename).parent != path.parent else ""
        raise DeliveryError(f"CDI specification {path} cannot be {what}: {reason}{where}; {remedy}") from None
