"""Calls into code that may block, fail or never return: what the caller gets, and what becomes of the thread (P3)."""

import asyncio
import ctypes
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from devbay.errors import CallTimeout
from devbay.threads import CallFailed, Worker
from tests.host import PATIENCE, until


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    """Make a worker; its thread ends with the test."""
    one = Worker("worker-under-test")
    yield one
    one.end()


class Gate:
    """A function that blocks until the test opens it."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()

    def __call__(self) -> str:
        """Block."""
        self.entered.set()
        assert self.opened.wait(PATIENCE)
        return "through"


@pytest.fixture
def gate() -> Iterator[Gate]:
    """Make a gate; it opens at the end at the latest."""
    one = Gate()
    yield one
    one.opened.set()


async def call(
    worker: Worker, function: Callable[[], object], deadline: float | None = PATIENCE, total: float | None = None
) -> object:
    """Call with a name that messages can be told by."""
    return await worker.call(function, what="the question", deadline=deadline, total=total)


async def test_value(worker: Worker) -> None:
    """What the function returns comes back, None as well."""
    assert await call(worker, lambda: 42) == 42
    assert await call(worker, lambda: None) is None


async def test_thread(worker: Worker) -> None:
    """P3: calls are made in one thread of the worker's own, which does not hold up the end of the process."""
    threads = [await call(worker, threading.current_thread) for _ in range(3)]

    (thread,) = set(threads)
    assert isinstance(thread, threading.Thread)
    assert (thread.name, thread.daemon) == ("worker-under-test", True)


@pytest.mark.parametrize(
    "error",
    [ValueError("no"), SystemExit(3), KeyboardInterrupt(), GeneratorExit(), StopIteration(7), asyncio.CancelledError()],
    ids=lambda error: type(error).__name__,
)
async def test_whatever_is_raised_comes_back_as_a_value(worker: Worker, error: BaseException) -> None:
    """P3: an exception of any kind reaches the caller as the cause of ours, and the thread goes on."""

    def fail() -> None:
        raise error

    with pytest.raises(CallFailed, match="the question") as caught:
        await call(worker, fail)

    assert caught.value.__cause__ is error
    assert await call(worker, lambda: 42) == 42


async def test_what_is_no_text_reaches_messages_escaped(worker: Worker) -> None:
    """P3, P14: what is raised with half a character, as a file's name may have it, can be put into a message."""

    def fail() -> None:
        raise OSError("\udcff\nis in the way")

    with pytest.raises(CallFailed) as caught:
        await call(worker, fail)

    assert caught.value.text == r"\udcff is in the way"
    assert caught.value.description.startswith(r"OSError: \udcff is in the way (")
    assert caught.value.description.encode()


async def test_deadline(worker: Worker, gate: Gate) -> None:
    """P3: a call past its deadline is given up, said and counted; the loop is free long before it returns."""
    with pytest.raises(CallTimeout) as caught:
        await call(worker, gate, deadline=0.02)

    assert str(caught.value) == worker.stuck == "the question did not answer within 0.02 s"
    assert (worker.abandoned, worker.free.is_set()) == (1, False)


async def test_no_second_call_while_one_is_stuck(worker: Worker, gate: Gate) -> None:
    """P3: until an abandoned call returns every other one is refused at once with its reason, and none is made."""
    with pytest.raises(CallTimeout):
        await call(worker, gate, deadline=0.02)
    made: list[str] = []

    with pytest.raises(CallTimeout, match="the question did not answer"):
        await worker.call(lambda: made.append("second"), what="another", deadline=None)
    gate.opened.set()
    await worker.free.wait()

    assert made == []
    assert worker.abandoned == 1


async def test_stuck_and_free_again(worker: Worker, gate: Gate) -> None:
    """P3: when the abandoned call returns the worker is as good as new, without a restart."""
    with pytest.raises(CallTimeout):
        await call(worker, gate, deadline=0.02)
    gate.opened.set()
    async with asyncio.timeout(PATIENCE):
        await worker.free.wait()

    assert worker.stuck is None
    assert await call(worker, lambda: 42) == 42


async def test_order(worker: Worker) -> None:
    """Calls are made one at a time, in the order in which they were asked for."""
    made: list[int] = []

    await asyncio.gather(*(call(worker, lambda n=n: made.append(n)) for n in range(20)))  # type: ignore[misc]  # n is bound

    assert made == list(range(20))


async def test_a_call_that_did_not_get_its_turn_is_never_made(worker: Worker, gate: Gate) -> None:
    """P3: a caller that was told that its call timed out can rely on it not being made later."""
    first = asyncio.create_task(call(worker, gate))
    await until(gate.entered.is_set)
    made: list[str] = []
    with pytest.raises(CallTimeout, match=r"did not get its turn within 0\.02 s"):
        await call(worker, lambda: made.append("second"), total=0.02)
    gate.opened.set()

    assert await first == "through"
    assert await call(worker, lambda: 42) == 42
    assert (made, worker.abandoned) == ([], 0)


async def test_the_wait_for_a_turn_is_not_the_calls_fault(worker: Worker, gate: Gate) -> None:
    """P3: a deadline is for the call itself: one that waited longer than that for its turn is made all the same."""
    first = asyncio.create_task(call(worker, gate))
    await until(gate.entered.is_set)
    second = asyncio.create_task(call(worker, lambda: 42, deadline=0.05))
    await asyncio.sleep(0.1)  # longer than the second's deadline: that it passes unnoticed is the promise
    gate.opened.set()

    assert (await first, await second) == ("through", 42)
    assert (worker.stuck, worker.abandoned) == (None, 0)


async def test_a_total_leaves_what_the_wait_did_not_take(worker: Worker, gate: Gate) -> None:
    """P3: a caller that can wait only so long is told in time, whatever the call itself may take."""
    with pytest.raises(CallTimeout, match=r"did not answer within 0\.0[0-5]\d* s"):
        await call(worker, gate, total=0.05)


async def test_a_cancelled_callers_call_is_not_made(worker: Worker, gate: Gate) -> None:
    """A call whose caller went away before its turn is not made, and others go on."""
    first = asyncio.create_task(call(worker, gate))
    made: list[str] = []
    await until(gate.entered.is_set)
    second = asyncio.create_task(call(worker, lambda: made.append("second")))
    await asyncio.sleep(0)  # let it be asked for
    second.cancel()
    await asyncio.wait({second})
    gate.opened.set()

    assert await first == "through"
    assert await call(worker, lambda: 42) == 42
    assert made == []


async def test_a_hung_call_counts_though_its_caller_went_away(worker: Worker, gate: Gate) -> None:
    """P3: a call that runs past its deadline makes the worker stuck, whether anyone still waits for it or not."""
    caller = asyncio.create_task(call(worker, gate, deadline=0.05))
    await until(gate.entered.is_set)
    caller.cancel()
    await until(lambda: worker.stuck)

    assert worker.abandoned == 1
    gate.opened.set()
    await until(worker.free.is_set)
    assert worker.stuck is None


async def test_a_cancelled_caller_whose_call_returns_in_time(worker: Worker, gate: Gate) -> None:
    """A call whose caller went away, and that returns, leaves no trace."""
    caller = asyncio.create_task(call(worker, gate))
    await until(gate.entered.is_set)
    caller.cancel()
    gate.opened.set()

    assert await call(worker, lambda: 42) == 42
    assert (worker.stuck, worker.abandoned, caller.cancelled()) == (None, 0, True)


async def test_end(worker: Worker) -> None:
    """P22: the thread ends after the calls that wait, so that nothing is left behind."""
    before = set(threading.enumerate())
    waiting = [asyncio.create_task(call(worker, lambda: 42)) for _ in range(3)]
    await asyncio.sleep(0)  # let them be asked for
    worker.end()

    assert await asyncio.gather(*waiting) == [42, 42, 42]
    await until(lambda: set(threading.enumerate()) <= before)


async def test_an_unused_worker_has_no_thread() -> None:
    """A thread costs memory: it is started with the first call."""
    before = threading.active_count()
    Worker("unused").end()

    assert threading.active_count() == before


def test_the_loop_closes_while_a_call_runs(gate: Gate) -> None:
    """P22: a call that returns after the loop is gone ends its thread quietly."""

    async def leave() -> threading.Thread:
        worker = Worker("outlives-the-loop")
        with pytest.raises(CallTimeout):
            await call(worker, gate, deadline=0.02)
        (thread,) = (thread for thread in threading.enumerate() if thread.name == "outlives-the-loop")
        return thread

    thread = asyncio.run(leave())
    gate.opened.set()
    thread.join(PATIENCE)

    assert not thread.is_alive()


HANGS = """
import asyncio, threading
from devbay.errors import CallTimeout
from devbay.threads import Worker

async def main():
    worker = Worker("hangs")
    try:
        await worker.call(threading.Event().wait, what="it", deadline=0.01)
    except CallTimeout:
        print("given up")
    worker.end()

asyncio.run(main())
"""


def test_a_hung_call_does_not_hold_up_the_end_of_the_process() -> None:
    """P22: a process whose backend hangs for ever ends as any other, with 0."""
    done = subprocess.run([sys.executable, "-c", HANGS], capture_output=True, text=True, timeout=30, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "given up\n", "")


async def test_an_answer_and_its_deadline_in_one_turn_leave_nothing_stuck() -> None:
    """An answer that arrives together with its deadline counts, and the worker is free afterwards (P3)."""
    worker = Worker("late")
    loop = asyncio.get_running_loop()
    asked = asyncio.ensure_future(worker.call(lambda: "answer", what="a call", deadline=0.05))
    await asyncio.sleep(0)
    deadline = loop.time() + 0.2
    while loop.time() < deadline:  # the loop lags: the answer and the deadline are both ready when it goes on
        pass

    assert await asked == "answer"
    assert worker.stuck is None
    assert await worker.call(lambda: "again", what="a call", deadline=PATIENCE) == "again"
    worker.end()


async def test_what_an_error_says_is_asked_in_the_thread() -> None:
    """An exception whose text runs someone else's code runs it in the worker's thread, not on the loop (P3)."""
    said_in: list[str] = []

    class Odd(Exception):  # noqa: N818 - a test's own
        def __str__(self) -> str:
            said_in.append(threading.current_thread().name)
            raise SystemExit(3)

    def fail() -> None:
        raise Odd

    worker = Worker("odd")
    with pytest.raises(CallFailed):
        await worker.call(fail, what="a call", deadline=PATIENCE)

    assert set(said_in) == {"odd"}
    worker.end()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_thread_that_was_killed_is_told_from_one_that_hangs() -> None:
    """P21: a thread that ended from outside is not alive; one whose call hangs is, and so is one that is done."""
    killed, hanging, done = Worker("killed"), Worker("hanging"), Worker("done")
    gate = threading.Event()
    thread = await killed.call(threading.get_ident, what="asking", deadline=PATIENCE)
    with pytest.raises(CallTimeout):
        await hanging.call(gate.wait, what="waiting", deadline=0.01)
    await done.call(int, what="counting", deadline=PATIENCE)
    done.end()

    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(SystemExit))
    with pytest.raises(CallTimeout):
        await killed.call(int, what="counting", deadline=0.05)

    await until(lambda: not killed.alive)
    assert hanging.alive
    assert done.alive
    gate.set()
    await hanging.free.wait()
    hanging.end()
