"""The CDI directory as the event loop sees it: what is asked is done when the answer comes, and edits are noticed.

A thread of its own does everything that may block. inotify wakes the watch, and a slow tick covers what inotify cannot
see (a directory that is replaced, a mount, a node that has no inotify instance left).
"""

import asyncio
import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import asyncinotify
import structlog

from devbay.cdi import files, names
from devbay.cdi.shelf import Noticed, Shelf
from devbay.errors import CallTimeout, DeliveryError
from devbay.model import ContainerEdits
from devbay.retry import BACKEND
from devbay.threads import CallFailed, Worker

T = TypeVar("T")

DEFAULT = Path("/var/run/cdi")
"""Where runtimes look for what is made while a node runs.

It is empty after a reboot, when the kubelet starts containers with the answers that it has from before: so each device
has its entry before the kubelet hears of the device, and not only when it is allocated.
"""

_TICK = 0.5
_DEADLINE = 5.0
"""Seconds that the file system may take; the kubelet admits no other pod while it waits."""

_EVENTS = (
    asyncinotify.Mask.CLOSE_WRITE
    | asyncinotify.Mask.MODIFY
    | asyncinotify.Mask.MOVED_TO
    | asyncinotify.Mask.MOVED_FROM
    | asyncinotify.Mask.CREATE
    | asyncinotify.Mask.DELETE
    | asyncinotify.Mask.DELETE_SELF
    | asyncinotify.Mask.MOVE_SELF
)


class SpecificationDirectory:
    """Keeps the specification files of ours in one directory. Used on the event loop.

    A device keeps its name for life, and its entry is written anew when its edits change: a container that starts
    again gets the device's nodes as they are then. Files stay when the host stops, since such a container needs them.

    Attributes:
        failures: how often the file system refused what was asked of it.
    """

    def __init__(
        self,
        path: Path,
        *,
        locate: Callable[[str], Path] = Path,
        pauses: Iterable[float] = BACKEND,
        clock: Callable[[], float] = time.monotonic,
        deadline: float = _DEADLINE,
    ) -> None:
        """Keep files in `path`.

        Args:
            path: the directory; made when the first file is written.
            locate: tells where this process finds the file that the node calls so: `Node.locate`.
            pauses: between repairs, while somebody else keeps changing a file.
            clock: the time in seconds, for these.
            deadline: seconds that the file system may take.
        """
        self._path = path
        self._clock = clock
        self._deadline = deadline
        self._shelf = Shelf(path, locate, pauses)
        self._worker: Worker | None = None  # made on the loop, which may be there only later
        self._log = structlog.get_logger().bind(directory=os.fspath(path))
        self._said: dict[str, str] = {}
        self.failures = 0

    async def ensure(self, resource: str, edits: Mapping[str, ContainerEdits]) -> None:
        """Return when the file of `resource` holds an entry for each of these devices; known ones stay.

        Nothing is written if it does. One call for many devices is one write.

        Args:
            resource: whose devices they are.
            edits: what a container gets for each alone, by id, as `devbay.edits.deliverable` returns it. A device that
                needs no node, mount or hook gets no entry.

        Raises:
            DeliveryError: the file cannot be written, or a device's edits cannot be said in it.
        """
        given = dict(edits)
        await self._call(lambda: self._shelf.ensure(resource, given))

    async def prune(self, resource: str, keep: Collection[str]) -> tuple[str, ...]:
        """Drop the entries of devices whose id is not in `keep`; return their names. A file without entries goes.

        Raises:
            DeliveryError: the file cannot be written or removed.
        """
        kept = frozenset(keep)
        return await self._call(lambda: self._shelf.prune(resource, kept))

    async def retire(self, resources: Collection[str]) -> tuple[str, ...]:
        """Remove the files of every resource that is not among these, an earlier host's included; return their names.

        Raises:
            DeliveryError: a file cannot be removed.
        """
        known = frozenset(resources)
        return await self._call(lambda: self._shelf.retire(known))

    async def watch(self) -> None:
        """Bring back what somebody else deletes or changes, until cancelled; at first, sweep and read what is there."""
        while True:
            with self._inotify() as inotify:
                watched = _place(self._path)
                changed = asyncio.Event()
                reader = asyncio.create_task(_read(inotify, changed), name="cdi-inotify")
                try:
                    await self._look_while(changed, watched)
                finally:
                    reader.cancel()
                    await asyncio.wait({reader})

    def close(self) -> None:
        """Let the thread end; files stay."""
        if self._worker is not None:
            self._worker.end()
            self._worker = None

    async def _look_while(self, changed: asyncio.Event, watched: object) -> None:
        """Look at each change and each tick, until the directory is another one."""
        while True:
            changed.clear()
            await self._look()
            if _place(self._path) != watched:
                return
            try:
                async with asyncio.timeout(_TICK):  # not wait_for, which may swallow a cancellation before Python 3.12
                    await changed.wait()
            except TimeoutError:
                pass

    async def _look(self) -> None:
        try:
            noticed = await self._call(lambda: self._shelf.look(self._clock()))
        except DeliveryError as error:
            noticed = [Noticed("", "refused", str(error))]
        else:
            self._said.pop("", None)
        for one in noticed:
            self._say(one)

    def _say(self, noticed: Noticed) -> None:
        """Log what a look found; the same about a file that was said of it last is for debugging only."""
        again = self._said.get(noticed.file) == noticed.what
        self._said[noticed.file] = noticed.what
        events = {
            "repaired": "brought a CDI specification back",
            "contested": "somebody keeps changing a CDI specification; bringing it back ever more slowly",
            "refused": "a CDI specification cannot be kept",
            "unreadable": "a CDI specification of ours cannot be read; it is written anew with its next device",
            "swept": "removed a file that a crash left",
            "doubled": "somebody's file has CDI devices of ours: containers that ask for them will not start",
        }
        level = self._log.debug if again and noticed.what != "repaired" else self._log.warning
        level = self._log.info if noticed.what == "swept" else level
        level(events[noticed.what], file=noticed.file, reason=noticed.reason)

    async def _call(self, function: Callable[[], T]) -> T:
        self._worker = self._worker or Worker("cdi")
        try:
            return await self._worker.call(function, what=f"the file system of {self._path}", deadline=self._deadline)
        except CallTimeout as error:
            self.failures += 1
            raise DeliveryError(f"CDI specifications cannot be written: {error}; see to that file system") from None
        except CallFailed as error:
            self.failures += 1
            if isinstance(error.__cause__, DeliveryError):
                raise DeliveryError(error.text) from None
            raise DeliveryError(f"CDI specifications in {self._path}: internal error: {error.description}") from error

    @contextmanager
    def _inotify(self) -> Iterator[asyncinotify.Inotify | None]:
        """Watch the directory; None where that cannot be had: the tick does it then."""
        try:
            with asyncinotify.Inotify() as inotify:
                inotify.add_watch(self._path, _EVENTS)
                yield inotify
        except OSError:  # no such directory, or no inotify instance left: the kubelet's directory tells of that
            yield None


async def _read(inotify: asyncinotify.Inotify | None, changed: asyncio.Event) -> None:
    """Take in events for ever; none where there is no inotify."""
    if inotify is None:
        return
    async for event in inotify:
        if event.name is None or names.is_own_file(os.fspath(event.name)):
            changed.set()


def _place(path: Path) -> tuple[int, int] | None:
    """Return which directory is at a path: its times change with its content."""
    identity = files.file_id(path)
    return identity and (identity.device, identity.inode)
