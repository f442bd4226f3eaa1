"""``devbay simulate``, as its user meets it: a process, its lines, its exit code."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from devbay.cli import Exit, run_command_line
from devbay.simulator import Kubelet
from tests.simulator.plugin import Plugin


@asynccontextmanager
async def simulate(*arguments: object) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the command as a process, which is ended if it has not."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "devbay", "simulate", *map(str, arguments)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def line_with(process: asyncio.subprocess.Process, words: str) -> str:
    """Return the next line of output with these words."""
    assert process.stdout is not None
    async for line in process.stdout:
        if words in line.decode():
            return line.decode()
    raise AssertionError(f"no line with {words!r}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_it_tells_what_it_sees_until_it_is_stopped(directory: Path, number: signal.Signals) -> None:
    """Each thing that happens is a line; a signal ends it with 0, and its socket is gone."""
    async with simulate(directory) as process, Plugin(directory, "a", "b") as plugin:
        await line_with(process, "waiting for device plugins")
        await plugin.serve()
        await plugin.stop()
        await plugin.serve()
        await plugin.register()

        assert "registered from plugin-" in await line_with(process, "registered")
        assert "lists 2 healthy (a, b)" in await line_with(process, "lists")
        assert "capacity 2, allocatable 2" in await line_with(process, "node:")
        process.send_signal(number)
        assert await process.wait() == Exit.OK
    assert not (directory / "kubelet.sock").exists()


async def test_a_day_that_does_not_happen_exits_with_1(directory: Path) -> None:
    """A step that is not there in time ends the command, naming the step."""
    async with simulate(directory, "--scenario", "day", "--limit", "0.1") as process:
        _, errors = await process.communicate()

    assert process.returncode == Exit.FAILED
    assert b"The day failed: waited 0.1 s for a device of any resource to allocate; is a plugin running?" in errors


async def test_it_does_not_take_the_place_of_a_kubelet(directory: Path) -> None:
    """Where something answers on kubelet.sock the command refuses, and the kubelet there goes on."""
    async with Kubelet(directory) as kubelet, simulate(directory) as process:
        _, errors = await process.communicate()

        assert process.returncode == Exit.USAGE
        assert b"a kubelet answers on" in errors
        assert kubelet.socket.is_socket()


def test_it_does_not_clean_a_directory_of_something_else(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A directory with sockets and other things is left alone: a kubelet would delete the sockets."""
    (directory / "postgres.pid").write_text("1")
    with socket.socket(socket.AF_UNIX) as theirs:
        theirs.bind(str(directory / "theirs.sock"))
        code = run_command_line(["simulate", str(directory)])

    assert code == Exit.USAGE
    assert "does not look like a directory for device plugins" in capsys.readouterr().err
    assert (directory / "theirs.sock").exists()


@pytest.mark.parametrize("name", ["thesis.tex", ".bashrc", "link"])
@pytest.mark.parametrize("version", ["1.32", "v1.28.3"])
def test_an_old_kubelet_deletes_no_file_of_somebody_s(
    directory: Path, capsys: pytest.CaptureFixture[str], name: str, version: str
) -> None:
    """Where a release deletes every file, a directory with any is refused, although a simulator has been there."""
    (directory / ".devbay-simulate").mkdir()
    (directory / "kubelet_internal_checkpoint").write_text("{}")
    (directory / name).symlink_to("nowhere") if name == "link" else (directory / name).write_text("years of work")

    assert run_command_line(["simulate", str(directory), "--version", version]) == Exit.USAGE

    said = f"{directory} holds {name}. A starting kubelet of release {version} would delete every file in it"
    assert said in capsys.readouterr().err
    assert os.path.lexists(directory / name)


async def test_an_old_kubelet_starts_where_kubelets_were(directory: Path) -> None:
    """What kubelets and plugins leave behind is no reason to refuse: their checkpoint, and sockets."""
    (directory / "kubelet_internal_checkpoint").write_text("{}")
    (directory / "DEPRECATION").write_text("")
    with socket.socket(socket.AF_UNIX) as theirs:
        theirs.bind(str(directory / "plugin.sock"))
    async with simulate(directory, "--version", "1.32") as process:
        assert "deleted" in await line_with(process, "kubelet started")


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("latest", "'latest' is not a Kubernetes version"),
        ("9.9", "how Kubernetes 9.9 behaves is not known; the newest release that is simulated is 1.37"),
        ("0.36", "how Kubernetes 0.36 behaves is not known"),
        ("v1.136.2", "how Kubernetes v1.136.2 behaves is not known"),
    ],
)
def test_a_version_that_is_none_is_refused(
    directory: Path, capsys: pytest.CaptureFixture[str], version: str, said: str
) -> None:
    """A wrong version, or one of which nothing is known, is a wrong argument, said before anything starts."""
    assert run_command_line(["simulate", str(directory), "--version", version]) == Exit.USAGE
    assert said in capsys.readouterr().err
    assert list(directory.iterdir()) == []


def test_a_wrong_option_shows_the_command_that_was_typed(capsys: pytest.CaptureFixture[str]) -> None:
    """The usage beside an error is that of ``devbay simulate``: how it is made of two commands concerns nobody."""
    assert run_command_line(["simulate", "--numa-nodes", "x"]) == Exit.USAGE
    shown = capsys.readouterr().err
    assert "foreground" not in shown
    assert "simulate [OPTIONS] [DIRECTORY]" in shown


def test_its_help_is_for_someone_new(capsys: pytest.CaptureFixture[str]) -> None:
    """The help says what a kubelet and a device plugin are, and what is deleted."""
    assert run_command_line(["simulate", "--help"]) == Exit.OK
    text = " ".join(capsys.readouterr().out.split())
    assert "the kubelet is the agent that starts containers" in text
    assert "deletes all sockets in it" in text
    assert 'Kubelets up to release 1.32 delete every file in it, and so does "--version 1.32"' in text
