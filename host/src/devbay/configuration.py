"""The configuration file of a running host: watched, read again, taken over or refused.

inotify wakes the watch, and a look every second covers what inotify cannot see: a directory that is replaced, a link's
target that is edited elsewhere, a node that has no inotify instance left. A ConfigMap's files change when kubelet
renames ``..data``, and the file is then another one behind the same path. A file is read when nothing has happened to
it for a moment, in a thread of its own; what cannot be used is said once, and the last good one goes on.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import asyncinotify
import structlog

from devbay.errors import ConfigError, DevbayError
from devbay.reload import Change
from devbay.threads import CallFailed, Worker

T = TypeVar("T")

_TICK = 1.0
_QUIET = 0.1
"""Seconds in which nothing may happen to a file before it is read: editors and copies write in several steps."""
_LONGEST = 0.8
"""Seconds after which a file is read all the same: a change counts within two."""
_DEADLINE = 10.0
"""Seconds that reading may take: the file may be on a file system that hangs."""

_WRITTEN = asyncinotify.Mask.CLOSE_WRITE | asyncinotify.Mask.MOVED_TO
_EVENTS = (
    _WRITTEN
    | asyncinotify.Mask.MODIFY
    | asyncinotify.Mask.CREATE
    | asyncinotify.Mask.MOVED_FROM
    | asyncinotify.Mask.DELETE
    | asyncinotify.Mask.ATTRIB
    | asyncinotify.Mask.DELETE_SELF
    | asyncinotify.Mask.MOVE_SELF
)


class _Identity(NamedTuple):
    """Which content a path leads to, as far as its file tells."""

    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int


def _identity(path: Path) -> _Identity | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return _Identity(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationState:
    """How the configuration is.

    Attributes:
        file: where it is.
        since: when `problem` became what it is, in seconds since the epoch.
        loaded_at: when what runs was read.
        problem: why what the file says is not what runs; empty while it is.
        waiting: keys that count from the next start.
    """

    file: str
    since: float
    loaded_at: float
    problem: str = ""
    waiting: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        """Whether what is written down is what runs."""
        return not self.problem


class Configuration(Generic[T]):
    """A configuration file, and what was made of it last. Made before the file is first read; used on the event loop.

    Attributes:
        state: how it is.
    """

    def __init__(
        self,
        file: Path,
        read: Callable[[], T],
        applied: Callable[[T], None] = lambda _: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Watch over `file`.

        Args:
            file: the file, which need not be there.
            read: returns what it and everything else that counts mean; raises `ConfigError`. Called in a thread.
            applied: called when a changed configuration counts.
            clock: the time, in seconds since the epoch.
        """
        self.file = file
        self.state = ConfigurationState(file=os.fspath(file), since=clock(), loaded_at=clock())
        self._read = read
        self._applied = applied
        self._clock = clock
        self._seen = _identity(file)
        self._existed = self._seen is not None
        self._asked = False
        self._news = _News(file.name)
        self._said_waiting: set[str] = set()
        self._unwatched = ""
        self._worker: Worker | None = None
        self._log = structlog.get_logger()  # not bound: how it logs may be in the file that is yet to be read

    def reload(self) -> None:
        """Read the file again soon, whether or not it seems to have changed."""
        self._asked = True
        self._news.some.set()

    async def watch(self, apply: Callable[[T], Awaitable[Change]]) -> None:
        """Hand each new configuration to `apply`, until cancelled; it raises `ConfigError` for an impossible one."""
        while True:
            with self._inotify() as inotify:
                reader = asyncio.create_task(self._news.read(inotify), name="configuration-inotify")
                try:
                    await self._look(apply)
                finally:
                    reader.cancel()
                    await asyncio.wait({reader})

    async def _look(self, apply: Callable[[T], Awaitable[Change]]) -> None:
        """Look at the file at each event and each tick, until its directory is another one."""
        directory = _directory(self.file)
        while _directory(self.file) == directory:
            if self._asked or _identity(self.file) != self._seen:
                await self._settled()
                await self._take(apply)
            await self._news.wait(_TICK)

    async def _settled(self) -> None:
        """Return when nobody seems to be at the file any more."""
        loop = asyncio.get_running_loop()
        end = loop.time() + _LONGEST
        while loop.time() < end:
            before = _identity(self.file)
            if not await self._news.wait(_QUIET) and not self._news.open and _identity(self.file) == before:
                return

    async def _take(self, apply: Callable[[T], Awaitable[Change]]) -> None:
        self._asked, self._seen = False, _identity(self.file)
        try:
            change = await apply(await self._read_again())
        except DevbayError as error:
            self._refuse(str(error))
        except Exception as error:
            self._refuse(f"internal error: {type(error).__name__}")
            raise
        else:
            self._accept(change)

    async def _read_again(self) -> T:
        """Read the file as at the start, but that it must be there if it was, and say something."""
        if self._seen is None and self._existed:
            raise ConfigError(f"configuration file {self.file} is gone")
        if self._seen is not None and self._seen.size == 0:
            raise ConfigError(f"configuration file {self.file} is empty; write {{}} if the defaults are meant")
        self._worker = self._worker or Worker("configuration")
        try:
            read = await self._worker.call(self._read, what="reading the configuration", deadline=_DEADLINE)
        except CallFailed as error:
            if isinstance(error.__cause__, DevbayError):
                raise ConfigError(error.text) from None
            raise ConfigError(f"the configuration cannot be read: {error.description}") from None
        self._existed = self._seen is not None
        self._applying = read
        return read

    def _accept(self, change: Change) -> None:
        now = self._clock()
        since = self.state.since if self.state.good else now
        self.state = replace(self.state, since=since, loaded_at=now, problem="", waiting=change.waiting)
        self._applied(self._applying)
        self._log.info("configuration applied", file=self.state.file, touched=list(change.touched))
        if news := [key for key in change.waiting if key not in self._said_waiting]:
            self._log.warning("takes effect at the next start", keys=news)
        self._said_waiting = set(change.waiting)

    def _refuse(self, problem: str) -> None:
        known = problem == self.state.problem
        if not known:
            self.state = replace(self.state, since=self._clock(), problem=problem)
        log = self._log.debug if known else self._log.error
        log("configuration not applied; the last good one goes on", file=self.state.file, reason=problem)

    @contextmanager
    def _inotify(self) -> Iterator[asyncinotify.Inotify | None]:
        """Watch the file's directory; None where that cannot be had."""
        try:
            with asyncinotify.Inotify() as inotify:
                inotify.add_watch(self.file.parent, _EVENTS)
                self._unwatched = ""
                yield inotify
        except OSError as error:
            reason = error.strerror or str(error)
            if self.file.parent.is_dir() and reason != self._unwatched:
                self._unwatched = reason
                self._log.warning("cannot watch the configuration; looking once a second instead", reason=reason)
            yield None


class _News:
    """What inotify told of a directory, until somebody asks.

    Attributes:
        some: set when there is any.
        open: whether the file of interest was written to and not closed since.
    """

    def __init__(self, name: str) -> None:
        self.some = asyncio.Event()
        self.open = False
        self._name = name

    async def read(self, inotify: asyncinotify.Inotify | None) -> None:
        """Take in events for ever; none where there is no inotify."""
        if inotify is None:
            return
        async for event in inotify:
            if os.fspath(event.name or "") == self._name:
                self.open = bool(event.mask & asyncinotify.Mask.MODIFY) or (self.open and not event.mask & _WRITTEN)
            self.some.set()

    async def wait(self, patience: float) -> bool:
        """Return whether something happened within `patience` seconds, as soon as it does."""
        try:
            async with asyncio.timeout(patience):  # not wait_for, which may swallow a cancellation before Python 3.12
                await self.some.wait()
        except TimeoutError:
            return False
        self.some.clear()
        return True


def _directory(file: Path) -> tuple[int, int] | None:
    return (found := _identity(file.parent)) and found[:2]
