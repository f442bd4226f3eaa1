"""The log's way out: whatever becomes of its reader, nobody who logs waits for it."""

import asyncio
import fcntl
import io
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import pytest

from devbay.cli.writing import LineWriter
from devbay.simulator import Container, Kubelet, Pod
from tests.host.running import PATIENCE, short_directory

RESOURCE = "example.com/custom-accelerator"
LINE = "x" * 1023 + "\n"
CRASH = """
import structlog
from devbay import __main__, cli
from devbay.cli import log
from devbay.settings import LogSection

@cli.cli.command("crash")
def crash():
    log.configure(LogSection(format="json"))
    structlog.get_logger().error("about to fail")
    raise ZeroDivisionError("a mistake of ours")

cli._COMMANDS += ("crash",)
cli.cli.get_command = lambda context, name: crash
import sys
sys.argv[1:] = ["crash"]
__main__.main()
"""


class Pipe:
    """A pipe of the smallest size, and the end that a log is written to."""

    def __init__(self) -> None:
        self.reading, writing = os.pipe()
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
        self.end: TextIO = os.fdopen(writing, "w")

    def read_until(self, wanted: bytes) -> bytes:
        """Read until something was read."""
        read = b""
        while wanted not in read:
            read += os.read(self.reading, 65536)
        return read


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """Make a pipe that holds little."""
    made = Pipe()
    try:
        yield made
    finally:
        os.close(made.reading)
        with suppress(BrokenPipeError):
            made.end.close()


def test_lines_come_out_in_order() -> None:
    """P24: what was logged is written, in order, by the time that `drain` returns."""
    stream = io.StringIO()
    writer = LineWriter(stream)
    for number in range(1000):
        writer.write(f"{number}\n")

    assert writer.drain(PATIENCE)
    assert stream.getvalue() == "".join(f"{number}\n" for number in range(1000))


def test_a_reader_that_is_away_holds_up_nobody(pipe: Pipe) -> None:
    """P24: ten megabytes of log that nobody reads cost neither time nor memory; what was lost is counted and said."""
    told: list[int] = []
    done = threading.Event()

    def dropped(lines: int) -> None:
        told.append(lines)
        writer.write("lost some\n")
        done.set()

    writer = LineWriter(pipe.end, dropped)
    for _ in range(10_000):
        writer.write(LINE)
    assert not writer.drain(0.01)

    read = pipe.read_until(b"lost some\n")

    assert done.is_set()
    assert len(told) == 1
    assert read.count(b"\n") - 1 + told[0] == 10_000
    assert 8_000 < told[0] < 10_000


def test_a_pipe_that_does_not_block_is_waited_for(pipe: Pipe) -> None:
    """P24: a stream that somebody else made non-blocking loses nothing."""
    os.set_blocking(pipe.end.fileno(), False)
    writer = LineWriter(pipe.end)
    for _ in range(100):
        writer.write(LINE)
    writer.write("the end\n")

    assert pipe.read_until(b"the end\n").count(b"\n") == 101


def test_a_stream_that_fails_costs_its_lines_only() -> None:
    """P22, P24: a full disk, a reader that is gone or a closed stream is no error of who logs."""
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        writer = LineWriter(full)
        writer.write("lost\n")
        assert writer.drain(PATIENCE)

    writer.write("into what is closed\n")
    assert writer.drain(PATIENCE)


async def test_a_host_whose_log_nobody_reads_serves_on() -> None:
    """P22, P24: with a pipe for its log that is never read, a host serves, follows the kubelet, and ends."""
    with short_directory() as place:
        plugins = place / "plugins"
        plugins.mkdir()
        environment = {
            "PATH": "/usr/bin",
            "NODE_NAME": "node-a",
            "DEVBAY_BACKENDS": "mock",
            "DEVBAY_KUBELET__DIRECTORY": f"{plugins}",
            "DEVBAY_LOG__LEVEL": "debug",
            "DEVBAY_MOCK__COUNT": "20",
            "DEVBAY_MOCK__MADE_DIR": f"{place}/mock",
            "DEVBAY_WEB__LISTEN": "",
        }
        reading, writing = os.pipe()
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
        async with Kubelet(plugins) as kubelet:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "devbay", "run", env=environment, stderr=writing
            )
            os.close(writing)
            try:
                for round_ in range(20):
                    await kubelet.wait_until(lambda: kubelet.allocatable.get(RESOURCE) == 20, PATIENCE, "devices")
                    pod = Pod(name=f"p{round_}", containers=(Container(name="main", limits={RESOURCE: 1}),))
                    assert (await kubelet.create_pod(pod)).phase == "Running"
                    await kubelet.delete_pod(f"p{round_}")
                    await kubelet.restart()
            finally:
                process.terminate()
            async with asyncio.timeout(PATIENCE):
                code = await process.wait()
        os.close(reading)

        assert code == 0
        assert not list(plugins.glob("devbay-*"))


async def test_a_crash_leaves_its_traceback_last() -> None:
    """P24: what was logged before a mistake of ours is written first, then its traceback, and the exit code is 1."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", CRASH, stderr=asyncio.subprocess.PIPE)
    _, said = await process.communicate()
    lines = said.decode().splitlines()

    assert process.returncode == 1
    assert '"event": "about to fail"' in lines[0]
    assert lines[1] == "Traceback (most recent call last):"
    assert lines[-1] == "ZeroDivisionError: a mistake of ours"
