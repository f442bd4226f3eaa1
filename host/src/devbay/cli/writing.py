"""Lines for a stream that may not take them: a thread of our own writes, so that nobody else ever waits for a reader.

What nobody reads is dropped when there is too much of it, and counted. Only the thread can block, on a pipe that is
full or a disk that hangs, and it is a daemon: the process ends without it.
"""

import contextlib
import io
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TextIO

_WAITING = 1024 * 1024
"""Characters that may wait to be written; some thousands of lines."""

_LAST_PATIENCE = 0.3
"""Seconds that what waits may take at the end: a host that is asked to stop is gone within a second."""

_PAUSE = 1.0
"""Seconds between two looks whether a stream that does not block takes something again."""


class LineWriter:
    """What a logger takes for a stream. Any thread may write.

    `dropped` is called in the thread with the number of lines that were lost, once there is room again.
    """

    def __init__(self, stream: TextIO, dropped: Callable[[int], None] = lambda _: None) -> None:
        self.stream = stream
        self._dropped = dropped
        self._lines: deque[str] = deque()
        self._size = 0
        self._lost = 0
        self._writing = False
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None

    def write(self, text: str) -> int:
        """Have `text`, a line or more, written soon. Never blocks, never fails."""
        with self._change:
            if self._size and self._size + len(text) > _WAITING:
                self._lost += 1
                return len(text)
            self._lines.append(text)
            self._size += len(text)
            started = self._start()
            self._change.notify_all()
        if not started:
            self._take()
        return len(text)

    def flush(self) -> None:
        """Do nothing: whoever logs waits for nobody. See `drain`."""

    def drain(self, patience: float) -> bool:
        """Wait until all is written, but no more than `patience` seconds; return whether it is."""
        with self._change:
            return self._change.wait_for(lambda: not self._lines and not self._writing, patience)

    def _start(self) -> bool:
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="log", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # a limit on threads: then whoever logs writes, and the next line tries again
                return False
            self._thread = thread
        return True

    def _run(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: bool(self._lines))
            self._take()

    def _take(self) -> None:
        """Write all that waits, then tell of what was lost meanwhile."""
        with self._change:
            text = "".join(self._lines)
            self._lines.clear()
            self._writing = True
        self._put(text)
        with self._change:
            self._size -= len(text)
            self._writing = False
            lost, self._lost = self._lost, 0
            self._change.notify_all()
        if lost:
            self._dropped(lost)

    def _put(self, text: str) -> None:
        """Write to the file itself: a lock of the stream's would hold up whoever flushes it at the end."""
        with contextlib.suppress(OSError, ValueError):  # the reader is gone, the disk is full: lost, no more
            try:
                file = self.stream.fileno()
            except (AttributeError, io.UnsupportedOperation):  # no file, but something in memory
                self.stream.write(text)
                self.stream.flush()
                return
            left = memoryview(text.encode("utf-8", "backslashreplace"))
            while left:
                try:
                    left = left[os.write(file, left) :]
                except BlockingIOError:  # somebody we share it with made it so
                    _until_writable(file)


def _until_writable(file: int) -> None:
    try:
        select.select([], [file], [], _PAUSE)
    except ValueError:  # too high a number for select
        time.sleep(_PAUSE)


_WRITERS: list[LineWriter] = []


def writer(stream: TextIO, dropped: Callable[[int], None] = lambda _: None) -> LineWriter:
    """Return what writes to a stream: one for each that there ever was, since each has a thread."""
    if not _WRITERS or _WRITERS[-1].stream is not stream:
        _WRITERS.append(LineWriter(stream, dropped))
    return _WRITERS[-1]


def drain() -> None:
    """Return when all that was logged is written, or nobody seems to read it."""
    for each in _WRITERS:
        each.drain(_LAST_PATIENCE)


def last_words(stream: TextIO, text: str) -> None:
    """Write what a crash leaves, after what was logged before it."""
    writer(stream).write(text)
    drain()
