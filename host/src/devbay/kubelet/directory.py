"""The kubelet's directory: whether its kubelet.sock answers, and which of the sockets in it are ours.

One watcher serves every resource. inotify wakes it, and a slow tick covers what inotify cannot see (a directory that is
replaced, a mount). A new kubelet.sock is announced when it *answers*: the kubelet has deleted every other socket by
then, so what is bound afterwards stays.
"""

import asyncio
import errno
import hashlib
import os
import re
import secrets
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import asyncinotify
import structlog

from devbay.errors import KubeletDirectoryError
from devbay.retry import KUBELET

KUBELET_SOCKET = "kubelet.sock"
MAX_PATH = 107
"""Bytes in a unix socket's path: ``sun_path`` less its closing zero (unix(7))."""

_TICK = 0.5
_OURS = re.compile(r"devbay-(?P<resource>[0-9a-f]{8})-[0-9a-f]{8}\.sock")
_EVENTS = (
    asyncinotify.Mask.CREATE
    | asyncinotify.Mask.MOVED_TO
    | asyncinotify.Mask.DELETE
    | asyncinotify.Mask.MOVED_FROM
    | asyncinotify.Mask.DELETE_SELF
    | asyncinotify.Mask.MOVE_SELF
)


class FileId(NamedTuple):
    """Which file a path means at a moment. The time tells a new file from an old one whose inode it got."""

    device: int
    inode: int
    modified_ns: int


def file_id(path: Path) -> FileId | None:
    """Return which file is at `path`, or None if there is none that can be seen."""
    try:
        status = path.lstat()
    except OSError:
        return None
    return FileId(status.st_dev, status.st_ino, status.st_mtime_ns)


def refusal(path: Path) -> OSError | None:
    """Return why nobody can be reached on a socket, or None if somebody listens on it.

    Never blocks: a listener whose queue is full does listen.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(0)
            probe.connect(os.fspath(path))
    except BlockingIOError:
        return None
    except OSError as error:
        return error
    return None


def answers(path: Path) -> bool:
    """Whether somebody listens on a socket."""
    return refusal(path) is None


class KubeletDirectory:
    """A directory that a kubelet reads registrations in.

    Attributes:
        path: the directory.
        socket: the kubelet's socket in it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.socket = path / KUBELET_SOCKET
        self._log = structlog.get_logger().bind(directory=os.fspath(path))
        self._bound: dict[Path, tuple[FileId, Callable[[], None]]] = {}
        self._listeners: list[Callable[[], None]] = []
        self._announced: FileId | None = None
        self._said = ""
        self._unwatched = ""

    def answers(self) -> bool:
        """Whether the kubelet answers now."""
        return answers(self.socket)

    def subscribe(self, kubelet_up: Callable[[], None]) -> Callable[[], None]:
        """Call `kubelet_up` at each new kubelet.sock that answers; returns what ends that."""
        self._listeners.append(kubelet_up)
        return lambda: self._listeners.remove(kubelet_up)

    def new_socket(self, resource: str) -> Path:
        """Return a path for a socket of ours that has never been used, short whatever the resource is called.

        Raises:
            KubeletDirectoryError: no socket can be made there; the text says why and what to do.
        """
        path = self.path / f"devbay-{resource_hash(resource)}-{secrets.token_hex(4)}.sock"
        if (length := len(os.fsencode(path))) > MAX_PATH:
            raise KubeletDirectoryError(
                f"socket path {path} has {length} bytes, and a unix socket's may have {MAX_PATH}; "
                "choose a shorter kubelet.directory"
            )
        self.check()
        return path

    def check(self) -> None:
        """Make sure that sockets can be made in this directory.

        Raises:
            KubeletDirectoryError: they cannot; the text says why and what to do.
        """
        try:
            is_directory = self.path.is_dir()
        except OSError as error:
            raise KubeletDirectoryError(
                f"{self.path} cannot be looked at by uid {os.geteuid()}: {error.strerror}; run devbay as uid 0"
            ) from None
        if not is_directory:
            raise KubeletDirectoryError(f"{self.path} is no directory; is this node's kubelet installed?")
        if not os.access(self.path, os.W_OK | os.X_OK):
            raise KubeletDirectoryError(
                f"{self.path} does not let uid {os.geteuid()} create files; run devbay as uid 0 with the directory "
                "mounted writable"
            )

    def bound(self, path: Path, lost: Callable[[], None]) -> None:
        """Watch over a socket that was just bound: `lost` is called once when its file is no longer that file."""
        if (mine := file_id(path)) is None:
            lost()
        else:
            self._bound[path] = (mine, lost)

    def release(self, path: Path) -> None:
        """Watch no longer over a socket, and remove its file if it is still the one that was bound."""
        mine, _ = self._bound.pop(path, (None, None))
        if mine is not None and file_id(path) == mine:
            self._remove(path)

    def sweep(self) -> Iterator[tuple[str, Path]]:
        """Remove sockets of ours that nobody serves any more; yield those that someone does, by resource hash.

        What a killed process left has our pattern and refuses connections. Everything else is somebody's.
        """
        try:
            entries = sorted(self.path.iterdir())
        except OSError:
            return
        for path in entries:
            if (match := _OURS.fullmatch(path.name)) is None or path in self._bound or not _is_socket(path):
                continue
            error = refusal(path)
            if error is None:
                yield match["resource"], path
            elif error.errno == errno.ECONNREFUSED and self._remove(path):  # any other error says nothing about it
                self._log.info("removed a socket that a dead host left", socket=path.name)

    def _remove(self, path: Path) -> bool:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:  # a read-only file system, say: one file more or less must stop nothing
            self._log.warning("a socket's file cannot be removed", socket=path.name, reason=error.strerror)
            return False
        return True

    def others(self, resource: str) -> list[Path]:
        """Return live sockets in this directory that another host serves for `resource`."""
        mine = resource_hash(resource)
        return [path for owner, path in self.sweep() if owner == mine]

    async def watch(self) -> None:
        """Announce what changes, until cancelled."""
        try:
            self.check()
        except KubeletDirectoryError as error:
            self._log.warning("the kubelet's directory cannot be used yet", reason=str(error))
        self._announced = file_id(self.socket) if self.answers() else None
        while True:
            watched = file_id(self.path)
            changes = _Changes()
            with self._inotify() as inotify:
                reader = asyncio.create_task(changes.read(inotify), name="kubelet-directory-inotify")
                try:
                    await self._look_while(changes, watched)
                finally:
                    reader.cancel()
                    await asyncio.wait({reader})

    async def _look_while(self, changes: "_Changes", watched: FileId | None) -> None:
        """Look at what changes, and at everything at each tick, until the directory is another one."""
        pauses = iter(KUBELET)
        names: set[str] | None = None
        while _same_directory(file_id(self.path), watched):
            self._look_at_sockets(names)
            awaiting = self._look_at_kubelet()
            if not awaiting:
                pauses = iter(KUBELET)
            names = await changes.take(min(_TICK, next(pauses)) if awaiting else _TICK)

    def _look_at_sockets(self, names: set[str] | None) -> None:
        """Tell of each socket that is lost, of those with these names; of all if None."""
        for path, (mine, lost) in list(self._bound.items()):
            if (names is None or path.name in names) and file_id(path) != mine:
                del self._bound[path]
                lost()

    def _look_at_kubelet(self) -> bool:
        """Announce a new kubelet.sock that answers; return whether there is one that does not yet."""
        present = file_id(self.socket)
        if present is None:
            self._announced = None
            self._say("waiting for the kubelet: no kubelet.sock")
            return False
        if present == self._announced:
            return False
        if (error := refusal(self.socket)) is not None:
            if isinstance(error, PermissionError):
                self._say(f"waiting for the kubelet: kubelet.sock does not let uid {os.geteuid()} in; run as uid 0")
            elif error.errno in (errno.EMFILE, errno.ENFILE):
                self._say("waiting for the kubelet: no file descriptor is left to ask it with")
            else:
                self._say("waiting for the kubelet: kubelet.sock does not answer")
            return True
        self._announced = present
        self._say("kubelet is up")
        for listener in list(self._listeners):
            listener()
        return False

    def _say(self, event: str) -> None:
        level = self._log.debug if event == self._said else self._log.info
        self._said = event
        level(event)

    @contextmanager
    def _inotify(self) -> Iterator[asyncinotify.Inotify | None]:
        """Watch the directory; None where that cannot be had: a node's inotify instances are few and shared."""
        try:
            with asyncinotify.Inotify() as inotify:
                inotify.add_watch(self.path, _EVENTS)
                self._unwatched = ""
                yield inotify
        except OSError as error:
            reason = error.strerror or str(error)
            if error.errno not in (errno.ENOENT, errno.ENOTDIR) and reason != self._unwatched:
                self._unwatched = reason
                self._log.warning("cannot watch the directory; looking twice a second instead", reason=reason)
            yield None


class _Changes:
    """The names of files that inotify told of, until they are taken."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._some = asyncio.Event()

    async def read(self, inotify: asyncinotify.Inotify | None) -> None:
        """Take in events for ever; none where there is no inotify."""
        if inotify is None:
            return
        async for event in inotify:
            self._names.add(os.fspath(event.name or ""))
            self._some.set()

    async def take(self, patience: float) -> set[str] | None:
        """Return the names of what changed, as soon as something did; None if nothing does for `patience` seconds."""
        try:
            async with asyncio.timeout(patience):  # not wait_for, which may swallow a cancellation before Python 3.12
                await self._some.wait()
        except TimeoutError:
            return None
        self._some.clear()
        names, self._names = self._names, set()
        return names


def _same_directory(a: FileId | None, b: FileId | None) -> bool:
    # A directory's time changes with its content; only which one it is matters.
    return (a and a[:2]) == (b and b[:2])


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.lstat().st_mode)
    except OSError:
        return False


def resource_hash(resource: str) -> str:
    """Return what the names of our sockets have for a resource."""
    return hashlib.sha256(resource.encode()).hexdigest()[:8]


def hash_in(name: str) -> str:
    """Return the resource's hash in the name of a socket of ours; empty for any other name."""
    match = _OURS.fullmatch(name)
    return match["resource"] if match else ""
