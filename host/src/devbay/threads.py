"""Calls into code that may block, fail or never return, made from the event loop.

A `Worker` is one daemon thread of our own that makes one call at a time. Not an executor's thread: those are joined
when the process ends, and a call that hangs would hang the end. Whatever a call raises, `SystemExit` included, is
caught in the thread and handed over as a value. A call past its deadline is abandoned: its caller is told, and the
worker takes no other until it returns.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from devbay.errors import CallTimeout

T = TypeVar("T")


class CallFailed(Exception):  # noqa: N818 - says what happened to a call
    """The called function raised; what it raised, which may be no `Exception`, is the cause.

    Attributes:
        text: what the cause says, on one line. Asked of it in its own thread: to say it may run someone else's code.
        description: the same with its type, and where it was raised.
    """

    def __init__(self, what: str, text: str, description: str) -> None:
        super().__init__(what)
        self.text = text
        self.description = description


class _Overdue(Exception):  # noqa: N818 - internal: becomes a CallTimeout
    """A call was given up; the text says why."""


class Turn:
    """Whether something is done: who gets the turn first, who would do it or who would rather not have it, decides.

    Attributes:
        dropped: whether it never is.
    """

    def __init__(self) -> None:
        self.dropped = False
        self._lock = threading.Lock()

    def begin(self) -> bool:
        """Have it done; False if it was dropped. For the thread that does it."""
        return self._lock.acquire(blocking=False)

    def drop(self) -> bool:
        """See that it is never done; False if it has begun. For the loop."""
        self.dropped = self.dropped or self._lock.acquire(blocking=False)
        return self.dropped


@dataclass(slots=True, eq=False)
class _Call:
    function: Callable[[], Any]
    what: str
    done: asyncio.Future[None]
    value: Any = None
    error: BaseException | None = None
    said: tuple[str, str] = ("", "")
    turn: Turn = field(default_factory=Turn)


class Worker:
    """One thread for calls that must not overlap. Made and used on the event loop; the thread starts with the first.

    `freed` is called when an abandoned call has returned after all.

    Attributes:
        stuck: which call was abandoned and has still not returned, in words; None if there is none.
        free: set while no abandoned call is still running.
        abandoned: how many calls ran past their deadline so far.
    """

    def __init__(self, name: str, freed: Callable[[], None] = lambda: None) -> None:
        self._name = name
        self._freed = freed
        self._loop = asyncio.get_running_loop()
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._late: _Call | None = None
        self._turn = asyncio.Lock()
        self._pending = 0
        self._ended = False
        self.stuck: str | None = None
        self.abandoned = 0
        self.free = asyncio.Event()
        self.free.set()

    @property
    def alive(self) -> bool:
        """Whether it can make calls, hangs included. Anyone may ask. A thread that was killed never says so itself."""
        return self._thread is None or self._ended or self._thread.is_alive()

    async def call(
        self, function: Callable[[], T], *, what: str, deadline: float | None, total: float | None = None
    ) -> T:
        """Return what `function()` returns, called in this worker's thread after the calls before it.

        Args:
            function: what to call.
            what: its name, for messages.
            deadline: seconds it may take once it is its turn; None for no limit.
            total: seconds it may take with the wait for its turn; None for no limit.

        Raises:
            CallTimeout: it did not return in time, or an earlier call still has not.
            CallFailed: it raised.
        """
        asked = self._loop.time()
        self._pending += 1
        try:
            await self._wait_for_turn(what, total)
        except BaseException:
            self._settle()
            raise
        if total is not None:
            left = total - (self._loop.time() - asked)
            deadline = left if deadline is None else min(deadline, left)
        call = _Call(function, what, self._loop.create_future())
        call.done.add_done_callback(self._end_turn)
        try:
            self._start(what)
        except CallFailed:
            call.done.cancel()
            raise
        # Not the caller's own wait: a call whose caller went away is watched all the same.
        timer = self._loop.call_later(deadline, self._give_up, call, deadline) if deadline is not None else None
        call.done.add_done_callback(lambda _: timer.cancel() if timer else None)
        self._calls.put(call)
        try:
            await asyncio.wait({call.done})
        except asyncio.CancelledError:
            if call.turn.drop():
                call.done.cancel()
            raise
        if call.error is None:
            return call.value  # type: ignore[no-any-return]  # what function returned
        if isinstance(call.error, _Overdue):
            raise CallTimeout(str(call.error))
        raise CallFailed(what, *call.said) from call.error

    async def _wait_for_turn(self, what: str, patience: float | None) -> None:
        if self.stuck is not None:
            raise CallTimeout(self.stuck)
        try:
            async with asyncio.timeout(patience):
                await self._turn.acquire()
        except TimeoutError:
            raise CallTimeout(f"{what} did not get its turn within {patience:g} s") from None
        if self.stuck is not None:
            self._turn.release()
            raise CallTimeout(self.stuck)

    def _start(self, what: str) -> None:
        if self._thread is not None:
            return
        thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # a limit on threads; the next call tries again
            raise CallFailed(what, str(error), f"no thread can be started: {error}") from error
        self._thread = thread

    def end(self) -> None:
        """Let the thread end after the calls that wait. Never blocks; a thread that hangs is left behind."""
        self._pending += 1
        self._ended = True
        self._settle()

    def _end_turn(self, _: asyncio.Future[None]) -> None:
        self._turn.release()
        self._settle()

    def _settle(self) -> None:
        self._pending -= 1
        if self._ended and not self._pending:
            self._calls.put(None)

    def _give_up(self, call: _Call, deadline: float) -> None:
        if call.done.done():  # the answer and the deadline came in one turn of the loop
            return
        reason = f"{call.what} did not answer within {deadline:.3g} s"
        if not call.turn.drop():
            self._late, self.stuck = call, reason
            self.abandoned += 1
            self.free.clear()
        call.error = _Overdue(reason)
        call.done.set_result(None)

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            if not call.turn.begin():
                continue
            value, failure = None, None
            try:
                value = call.function()
            except BaseException as error:  # noqa: BLE001 - sys.exit in a backend must not end its thread unseen
                failure = error
                call.said = (text(error), describe(error))
            try:
                self._loop.call_soon_threadsafe(self._deliver, call, value, failure)
            except RuntimeError:  # the loop is closed: nobody waits for the answer any more
                return

    def _deliver(self, call: _Call, value: object, failure: BaseException | None) -> None:
        if not call.done.done():
            call.value, call.error = value, failure
            call.done.set_result(None)
        if self._late is call:
            self._late = self.stuck = None
            self.free.set()
            self._freed()


def describe(error: BaseException | None) -> str:
    """Return an exception as a person reads it: its type and text, and where it was raised."""
    frame = error.__traceback__ if error else None
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    where = f" ({frame.tb_frame.f_code.co_filename}:{frame.tb_lineno})" if frame else ""
    said = text(error)
    return f"{type(error).__name__}{': ' if said else ''}{said}{where}"


def text(error: BaseException | None) -> str:
    """Return what an exception says, on one line; what cannot say anything says nothing.

    What no message can hold is escaped: the name of a file may have bytes that are no text.
    """
    try:
        return " ".join(str(error).split()).encode(errors="backslashreplace").decode()
    except BaseException:  # noqa: BLE001 - someone else's object: how it fails to show itself must not matter
        return ""
