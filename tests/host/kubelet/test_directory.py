"""The kubelet's directory, on a real file system."""

import asyncio
import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbay.errors import KubeletDirectoryError
from devbay.kubelet.directory import MAX_PATH, KubeletDirectory, answers
from tests.host.running import PATIENCE

LONGEST = f"{'a' * 60}.{'b' * 60}.{'c' * 60}.{'d' * 60}/{'t' * 63}"


@contextmanager
def listening(path: Path) -> Iterator[socket.socket]:
    """Listen on a socket, and leave its file behind at the end as a killed process does."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.fspath(path))
        server.listen()
        yield server


@asynccontextmanager
async def watched(path: Path) -> AsyncIterator[tuple[KubeletDirectory, asyncio.Semaphore]]:
    """Watch a directory; the semaphore counts the kubelets that came up."""
    directory, ups = KubeletDirectory(path), asyncio.Semaphore(0)
    directory.subscribe(ups.release)
    task = asyncio.create_task(directory.watch())
    await asyncio.sleep(0)
    yield directory, ups
    task.cancel()
    await asyncio.wait({task})


async def once(semaphore: asyncio.Semaphore) -> None:
    """Wait until something was counted."""
    async with asyncio.timeout(PATIENCE):
        await semaphore.acquire()


@given(st.text(min_size=1))
def test_a_socket_name_is_short_whatever_the_resource(resource: str) -> None:
    """Any resource name fits a socket's path in the kubelet's own directory (P8)."""
    names = KubeletDirectory(Path(tempfile.gettempdir()))

    assert re.fullmatch(r"devbay-[0-9a-f]{8}-[0-9a-f]{8}\.sock", names.new_socket(resource).name)


def test_the_longest_name_fits_the_kubelets_directory(place: Path) -> None:
    """The longest legal resource name fits beside kubelet.sock (P8)."""
    name = KubeletDirectory(place).new_socket(LONGEST).name

    assert len(f"/var/lib/kubelet/device-plugins/{name}") <= MAX_PATH


def test_a_socket_name_is_never_used_again(place: Path) -> None:
    """Every name is new: gRPC removes its path at the end, whoever has it by then (P8)."""
    names = {KubeletDirectory(place).new_socket("example.com/widget") for _ in range(100)}

    assert len(names) == 100


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        pytest.param("missing", "is no directory", id="missing"),
        pytest.param("file", "is no directory", id="a-file"),
        pytest.param("d" * 90, r"has \d+ bytes, and a unix socket's may have 107", id="too-long"),
    ],
)
def test_a_directory_that_refuses_is_named(place: Path, path: str, reason: str) -> None:
    """A directory where no socket can be made is an error that says which and why (P23)."""
    (place / "file").touch()

    with pytest.raises(KubeletDirectoryError, match=reason):
        KubeletDirectory(place / path).new_socket("example.com/widget")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a process as somebody else")
def test_a_directory_of_somebody_elses_is_named(place: Path) -> None:
    """A host that is not root is told which directory refuses, and what to do (P23)."""
    place.chmod(0o755)
    code = (
        "import os, sys; from pathlib import Path; from devbay.kubelet.directory import KubeletDirectory\n"
        "os.setuid(65534)\n"
        f"KubeletDirectory(Path({os.fspath(place)!r})).new_socket('example.com/widget')"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert f"{place} does not let uid 65534 create files; run devbay as uid 0" in done.stderr


def test_dead_sockets_of_ours_are_swept(place: Path) -> None:
    """What has our pattern and refuses connections is removed; everything else stays (P8)."""
    for name in ("devbay-00000000-00000000.sock", "other.sock", "devbay-mine.sock"):
        with listening(place / name):
            pass
    (place / "devbay-00000000-22222222.sock").touch()
    with listening(place / "devbay-00000000-11111111.sock"):
        live = list(KubeletDirectory(place).sweep())

    assert live == [("00000000", place / "devbay-00000000-11111111.sock")]
    assert sorted(path.name for path in place.iterdir()) == [
        "devbay-00000000-11111111.sock",
        "devbay-00000000-22222222.sock",
        "devbay-mine.sock",
        "other.sock",
    ]


def test_another_hosts_socket_is_seen(place: Path) -> None:
    """A live socket of another host for the same resource is found, and none for another resource (P8)."""
    directory = KubeletDirectory(place)
    with listening(directory.new_socket("example.com/widget")) as other:
        assert directory.others("example.com/widget") == [Path(other.getsockname())]
        assert directory.others("example.com/gadget") == []


async def test_a_new_kubelet_is_announced_when_it_answers(place: Path) -> None:
    """kubelet.sock is announced when it answers, not when it appears (P4, P5)."""
    async with watched(place) as (directory, ups):
        with socket.socket(socket.AF_UNIX) as kubelet:
            kubelet.bind(os.fspath(directory.socket))
            await asyncio.sleep(0)
            assert ups.locked()

            kubelet.listen()
            await once(ups)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a process as somebody else")
def test_a_kubelet_that_lets_only_root_in_is_named(place: Path) -> None:
    """A kubelet.sock that refuses this user is told from one that nobody listens on (P23)."""
    place.chmod(0o755)
    code = (
        "import os, sys; from pathlib import Path; from devbay.kubelet.directory import refusal\n"
        "os.setuid(65534)\n"
        f"print(type(refusal(Path({os.fspath(place)!r}) / 'kubelet.sock')).__name__)"
    )
    with listening(place / "kubelet.sock"):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "PermissionError\n"


async def test_each_new_kubelet_is_announced_once(place: Path) -> None:
    """A restart is announced, also if the new socket has the old one's inode, and a look by itself is not (P5)."""
    async with watched(place) as (directory, ups):
        for _ in range(5):
            with listening(directory.socket):
                await once(ups)
                (place / "something").touch()
                (place / "something").unlink()
            directory.socket.unlink()

        assert ups.locked()


async def test_a_replaced_directory_is_watched(place: Path) -> None:
    """A directory that is made anew under the same name is watched like the first (P6)."""
    path = place / "plugins"
    async with watched(path) as (directory, ups):
        for number in range(3):
            path.mkdir()
            with listening(directory.socket):
                await once(ups)
            path.rename(place / f"old-{number}")


@pytest.mark.parametrize("how", ["deleted", "replaced", "directory"])
async def test_a_lost_socket_is_told_once(place: Path, how: str) -> None:
    """A socket file that is deleted, is another file, or went with its directory is told, once (P6)."""
    path = place / "plugins"
    path.mkdir()
    lost = asyncio.Semaphore(0)
    async with watched(path) as (directory, _):
        mine = directory.new_socket("example.com/widget")
        with listening(mine):
            directory.bound(mine, lost.release)
            match how:
                case "deleted":
                    mine.unlink()
                case "replaced":
                    mine.unlink()
                    mine.touch()
                case "directory":
                    path.rename(place / "old")

            await once(lost)
            assert lost.locked()


def test_a_file_is_removed_only_if_it_is_ours(place: Path) -> None:
    """What stands at our path and is not the file we bound stays (P8)."""
    directory = KubeletDirectory(place)
    path = directory.new_socket("example.com/widget")
    with listening(path):
        directory.bound(path, lambda: None)
        path.unlink()
        path.write_text("somebody else's")

        directory.release(path)

    assert path.read_text() == "somebody else's"


def test_a_socket_whose_queue_is_full_answers(place: Path) -> None:
    """Asking whether someone listens never blocks, and a busy listener does listen (P4)."""
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as waiting:
        server.bind(os.fspath(place / "busy.sock"))
        server.listen(0)
        waiting.connect(os.fspath(place / "busy.sock"))

        assert answers(place / "busy.sock")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a process as somebody else")
def test_a_socket_that_refuses_this_user_is_not_swept(place: Path) -> None:
    """A live socket that cannot be asked, for whatever reason but that nobody listens, is left alone (P8)."""
    place.chmod(0o777)
    path = place / "devbay-00000000-00000000.sock"
    code = (
        "import os; from pathlib import Path; from devbay.kubelet.directory import KubeletDirectory\n"
        "os.setuid(65534)\n"
        f"print(list(KubeletDirectory(Path({os.fspath(place)!r})).sweep()))"
    )
    with listening(path):
        path.chmod(0o700)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.endswith("[]\n")
    assert path.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_a_file_that_cannot_be_removed_stops_nothing(place: Path) -> None:
    """On a file system that turned read-only a socket's file stays, and that is all (P6)."""
    directory = KubeletDirectory(place)
    path = directory.new_socket("example.com/widget")
    with listening(path):
        directory.bound(path, lambda: None)
    subprocess.run(["mount", "--bind", place, place], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", place], check=True)
        directory.release(path)
        assert list(KubeletDirectory(place).sweep()) == []
    finally:
        subprocess.run(["umount", place], check=True)

    assert path.exists()
