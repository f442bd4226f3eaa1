"""Making a tree where there is no hardware, and removing what was made.

What nobody of us made is neither overwritten nor removed: a device that is there already is used as it is. Each device
is made once in a process's life, so that one whose directory someone removed stays gone, as a card does that was
pulled; the next process makes it anew. A process that shares the root with another one only uses what is there.
"""

import logging
import os
import shutil
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from devbay_mock.claim import MARK, Claim, Identity, Made, Record

log = logging.getLogger(__name__)

_STAGING = f"{MARK}.new"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be made, in this process's own paths.

    Attributes:
        device_dir: the directory of the device files.
        device_prefix: what stands before the id in a device file's name.
        numa_nodes: what is to be read in ``numa_node``, by device id: the devices to make.
    """

    device_dir: Path
    device_prefix: str
    numa_nodes: dict[str, str]

    def device_file(self, device_id: str) -> Path:
        """Return where a device's file is to be."""
        return self.device_dir / f"{self.device_prefix}{device_id}"


class Maker:
    """Makes and removes the devices of one root. Used by one thread."""

    def __init__(self, root: Path) -> None:
        self._claim = Claim(root)
        self._root = root
        self._settled: set[str] = set()
        self._followed: Plan | None = None
        self._record: Record = {}

    def make(self, plan: Plan) -> None:
        """Make what the plan says and is missing; remove what was made and it does not say.

        Cheap once that is done. While another process uses the root, nothing is changed, and the next call tries anew.

        Raises:
            OSError: the root or the directory of the device files cannot be written.
        """
        if plan == self._followed:
            return
        alone = self._claim.alone()
        if self._claim.begun_anew:
            self._settled.clear()  # another process removed the tree as we came
        if alone:
            try:
                self._follow(plan)
            finally:
                self._claim.share()
            self._settled |= plan.numa_nodes.keys()
            self._followed = plan
        else:
            self._settled |= {device_id for device_id in plan.numa_nodes if os.path.lexists(self._root / device_id)}

    def unmake(self) -> None:
        """Remove everything that was made, unless another process uses it.

        Raises:
            OSError: something cannot be removed.
        """
        try:
            if self._claim.held and self._claim.alone():
                record = self._claim.load()
                _clear_staging(self._root)
                # If someone removed the record with the tree, what we remember is what is left of it.
                for device_id, made in (self._record | record).items():
                    _remove(self._root / device_id, made)
                self._claim.remove()
        finally:
            self._claim.let_go()

    def _follow(self, plan: Plan) -> None:
        self._claim.make_directory(plan.device_dir)
        _clear_staging(self._root)
        self._record = record = self._claim.load()
        self._adopt(plan, record)
        self._prune(plan, record)
        due = [device_id for device_id in plan.numa_nodes if self._is_due(device_id, record)]
        for device_id in due:
            made = Made(file=str(plan.device_file(device_id)), identity=None, numa_node=plan.numa_nodes[device_id])
            record.setdefault(device_id, made)
        self._claim.save(record)  # before anything is made: what a killed process leaves is known
        try:
            for device_id in due:
                _make(self._root, device_id, record[device_id])
            self._renumber(plan, record)
        finally:
            self._claim.save(record)

    def _adopt(self, plan: Plan, record: Record) -> None:
        """Add what is marked as ours and not recorded, since the record was lost."""
        for directory in self._root.iterdir():
            if directory.name not in record and _is_ours(directory):
                file = str(plan.device_file(directory.name))
                record[directory.name] = Made(file=file, identity=None, numa_node="")

    def _prune(self, plan: Plan, record: Record) -> None:
        """Remove what is not in the plan, or is there in another place."""
        for device_id, made in list(record.items()):
            if device_id not in plan.numa_nodes or made.file != str(plan.device_file(device_id)):
                _remove(self._root / device_id, made)
                del record[device_id]
                self._settled.discard(device_id)

    def _is_due(self, device_id: str, record: Record) -> bool:
        directory = self._root / device_id
        if device_id in self._settled:
            return False
        if os.path.lexists(directory) and not _is_ours(directory):
            log.warning("%s is not devbay-mock's: it is used as it is, not made", directory)
            record.pop(device_id, None)
            return False
        return True

    def _renumber(self, plan: Plan, record: Record) -> None:
        for device_id, made in record.items():
            if made.numa_node != plan.numa_nodes[device_id] and _is_ours(self._root / device_id):
                made.numa_node = plan.numa_nodes[device_id]
                (self._root / device_id / "numa_node").write_text(f"{made.numa_node}\n")


def _make(root: Path, device_id: str, made: Made) -> None:
    """Make a device that is not there, or what is missing of one that an earlier process made."""
    made.identity = _make_device_file(Path(made.file), device_id, made.identity)
    directory = root / device_id
    if os.path.lexists(directory):
        _fill(directory, device_id, made.numa_node)
        return
    staging = root / _STAGING
    staging.mkdir()
    _fill(staging, device_id, made.numa_node)
    staging.rename(directory)  # a device appears whole


def _fill(directory: Path, device_id: str, numa_node: str) -> None:
    for name, text in _contents(device_id, numa_node).items():
        with suppress(FileExistsError), (directory / name).open("x") as file:
            file.write(f"{text}\n")


def _contents(device_id: str, numa_node: str) -> dict[str, str]:
    return {
        MARK: "made by devbay-mock, which removes it",
        "vendor": "devbay",
        "model": "mock-accelerator",
        "serial": f"mock-{device_id}",
        "numa_node": numa_node,
        "status": "online",
        "error_count": "0",
        "temperature": "45",
    }


def _make_device_file(path: Path, device_id: str, known: Identity | None) -> Identity | None:
    """Make a device's file; return which it is, or None if there is one that is not ours."""
    staging = _staged(path)
    staging.write_text(_line(device_id))
    try:
        os.link(staging, path)  # it appears whole, so that its line tells whose it is, and in nobody's place
    except FileExistsError:
        found = path.lstat()
        return _identity(found) if _is_our_file(path, found, device_id, known) else None
    else:
        return _identity(path.lstat())
    finally:
        staging.unlink()


def _staged(path: Path) -> Path:
    """Return where a device file is written before it appears. The name is ours alone."""
    return path.with_name(f".{path.name}{MARK}")


def _remove(directory: Path, made: Made) -> None:
    """Remove what was made of a device, and leave what others put beside it."""
    with suppress(FileNotFoundError, NotADirectoryError):
        path = Path(made.file)
        _staged(path).unlink(missing_ok=True)
        if _is_our_file(path, path.lstat(), directory.name, made.identity):
            path.unlink()
    if _is_ours(directory):
        for name in reversed(_contents("", "")):  # the mark last: until then it is known whose this is
            with suppress(IsADirectoryError):  # someone else put a directory there
                (directory / name).unlink(missing_ok=True)
        with suppress(OSError):  # not empty: someone else's files are in it
            directory.rmdir()


def _is_our_file(path: Path, found: os.stat_result, device_id: str, known: Identity | None) -> bool:
    """Return whether a device file is one that we made: the very same, or one with our line in it."""
    if not stat.S_ISREG(found.st_mode):
        return False
    if known == _identity(found):
        return True
    try:
        return path.read_text(errors="replace") == _line(device_id)
    except OSError:
        return False


def _line(device_id: str) -> str:
    return f"{device_id}: a file of devbay-mock's in place of a device node\n"


def _clear_staging(root: Path) -> None:
    """Remove a half-made device of a process that was killed. The name is ours alone."""
    shutil.rmtree(root / _STAGING, ignore_errors=True)


def _is_ours(directory: Path) -> bool:
    return not directory.is_symlink() and (directory / MARK).is_file()


def _identity(found: os.stat_result) -> Identity:
    return found.st_dev, found.st_ino
