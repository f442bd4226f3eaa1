"""Specification files on a real file system: whole, kept, brought back, and an error where they cannot be (P19)."""

import asyncio
import json
import os
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import asyncinotify
import pytest
from structlog.testing import capture_logs

from devbay.cdi import files, names
from devbay.cdi.directory import SpecificationDirectory
from devbay.cdi.shelf import Shelf
from devbay.errors import DeliveryError
from devbay.model import ContainerEdits, Hook, Node
from devbay.retry import IMMEDIATE
from devbay.simulator.cdi import Registry
from tests.host import until
from tests.host.cdi.parts import RESOURCE, edits, hook, mount, node
from tests.host.running import PATIENCE

ROOT = Path(__file__).parents[3]
FILE = "devbay.example.com_widget.json"
KIND = "devbay.example.com/widget"
W0, W1 = edits(node("/dev/null")), edits(node("/dev/zero"), mount("/etc"))
NEVER = [10_000.0] * 100


@pytest.fixture
def cdi(place: Path) -> Path:
    """Return where a directory of specifications is to be."""
    return place / "cdi"


@asynccontextmanager
async def kept(path: Path, **options: Any) -> AsyncIterator[SpecificationDirectory]:
    """Keep specifications in a directory, without watching it."""
    directory = SpecificationDirectory(path, **options)
    try:
        yield directory
    finally:
        directory.close()


@asynccontextmanager
async def watched(path: Path, pauses: Iterable[float] = IMMEDIATE) -> AsyncIterator[SpecificationDirectory]:
    """Keep specifications in a directory, and watch it."""
    async with kept(path, pauses=pauses) as directory:
        task = asyncio.create_task(directory.watch())
        try:
            yield directory
        finally:
            task.cancel()
            await asyncio.wait({task})


def held(path: Path) -> dict[str, list[str]]:
    """Return the device nodes of each device that a runtime finds in a directory; its files are all readable."""
    registry = Registry([path])
    assert registry.errors == {}
    return {
        name.removeprefix(f"{KIND}="): [n.path for n in found.device.container_edits.device_nodes]
        for name, found in registry.devices.items()
    }


@contextmanager
def mounted(place: Path, *options: str) -> Iterator[None]:
    """Mount something at a place."""
    subprocess.run(["mount", *options, place], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", place], check=True)


def remount(place: Path, options: str) -> None:
    """Change how something is mounted."""
    subprocess.run(["mount", "-o", f"remount,{options}", place], check=True)


async def test_what_is_ensured_is_on_disk(cdi: Path) -> None:
    """P19: when the call returns a runtime finds the devices; the directory is made, and both can be read by all."""
    async with kept(cdi) as directory:
        await directory.ensure(RESOURCE, {"w0": W0})
        await directory.ensure(RESOURCE, {"slot/1": W1})

    assert held(cdi) == {"w0": ["/dev/null"], names.device_name("slot/1"): ["/dev/zero"]}
    assert [path.name for path in cdi.iterdir()] == [FILE]
    assert stat.filemode((cdi / FILE).stat().st_mode) == "-rw-r--r--"
    assert stat.filemode(cdi.stat().st_mode) == "drwxr-xr-x"


async def test_permissions_do_not_follow_the_umask(cdi: Path) -> None:
    """P19: a host that is started with a narrow umask writes what runtimes can read all the same."""
    before = os.umask(0o077)
    try:
        async with kept(cdi) as directory:
            await directory.ensure(RESOURCE, {"w0": W0})
    finally:
        os.umask(before)

    assert [stat.S_IMODE(path.stat().st_mode) for path in (cdi, cdi / FILE)] == [0o755, 0o644]


async def test_nothing_is_written_without_a_change(cdi: Path) -> None:
    """P19: what is there already is not written again, also not by another host; a change is."""
    async with kept(cdi) as directory:
        await directory.ensure(RESOURCE, {"w0": W0, "w1": W1})
        first = files.file_id(cdi / FILE)
        await directory.ensure(RESOURCE, {"w1": W1})
    async with kept(cdi) as directory:
        await directory.ensure(RESOURCE, {"w0": W0})
        assert files.file_id(cdi / FILE) == first

        await directory.ensure(RESOURCE, {"w0": W1})

    assert files.file_id(cdi / FILE) != first
    assert held(cdi)["w0"] == ["/dev/zero"]


async def test_devices_without_entries_make_no_file(cdi: Path) -> None:
    """P19: devices that need only environment need no specification."""
    async with kept(cdi) as directory:
        await directory.ensure(RESOURCE, {"w0": edits(A="1")})

    assert not cdi.exists()


async def test_a_bad_device_costs_no_neighbour(cdi: Path) -> None:
    """P19: a device whose edits cannot be written is named in an error; the others' entries are there."""
    bad = edits(Hook(hook_name="poststop", path="/h", env=("A",)))
    async with kept(cdi) as directory:
        with pytest.raises(DeliveryError, match=r"device w1 of example.com/widget .* 'A' must read NAME=value"):
            await directory.ensure(RESOURCE, {"w0": W0, "w1": bad})

    assert held(cdi) == {"w0": ["/dev/null"]}


async def test_links_are_followed_for_the_runtime(cdi: Path, place: Path) -> None:
    """P18: a runtime refuses a symbolic link as a device, so the entry names what it leads to, as the node calls it."""
    dev = place / "dev"
    (dev / "by-id").mkdir(parents=True)
    (dev / "widget0").touch()
    (dev / "by-id/w").symlink_to("../alias")
    (dev / "alias").symlink_to("/dev/widget0")
    (dev / "circle").symlink_to("circle")
    asked = edits(node("/dev/by-id/w"), node("/dev/widget0"), node("/dev/circle"))
    async with kept(cdi, locate=Node(name="n", dev=dev).locate) as directory:
        await directory.ensure(RESOURCE, {"w0": asked})

    (device,) = json.loads((cdi / FILE).read_text())["devices"]
    assert device["containerEdits"]["deviceNodes"] == [
        {"path": "/dev/by-id/w", "hostPath": "/dev/widget0", "permissions": "rw"},
        {"path": "/dev/widget0", "permissions": "rw"},
        {"path": "/dev/circle", "permissions": "rw"},
    ]


async def test_entries_outlive_the_host_until_they_are_pruned(cdi: Path) -> None:
    """P19: what an earlier host wrote stays when it stops and when the next one starts: a pod may hold the device."""
    async with kept(cdi) as directory:
        await directory.ensure(RESOURCE, {"w0": W0, "gone": W1, "with hook": edits(hook("/h"))})
    async with kept(cdi) as directory:
        await directory.ensure(RESOURCE, {"w0": W0})
        before = set(held(cdi))
        pruned = await directory.prune(RESOURCE, keep={"w0", "unknown"})

        assert before - {"gone", names.device_name("with hook")} - {n for n in before if "::" in n} == {"w0"}
        assert pruned == ("gone", names.device_name("with hook"))
        assert held(cdi) == {"w0": ["/dev/null"]}
        assert await directory.prune(RESOURCE, keep={"w0"}) == ()
        assert await directory.prune(RESOURCE, keep=()) == ("w0",)
        assert list(cdi.iterdir()) == []
        assert await directory.prune(RESOURCE, keep=()) == ()


async def test_resources_that_are_no_more_are_retired(cdi: Path) -> None:
    """P19: files of resources that nobody offers or holds any more go, when the host says so; others' stay."""
    (cdi).mkdir()
    (cdi / "nvidia.com-gpu.json").write_text("{}")
    async with kept(cdi) as directory:
        await directory.ensure(RESOURCE, {"w0": W0})
        await directory.ensure("example.com/old", {"o0": W0})
    async with kept(cdi) as directory:
        assert await directory.retire({RESOURCE}) == ("devbay.example.com_old.json",)

    assert sorted(path.name for path in cdi.iterdir()) == [FILE, "nvidia.com-gpu.json"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"cdiVersion": "0.3.0", "kind": "devbay.exa',
        b"\xff\xfe",
        b"[]",
        b'{"cdiVersion": "0.3.0", "kind": "a/b"}',
    ],
    ids=["empty", "truncated", "no-text", "no-object", "anothers"],
)
async def test_a_file_that_cannot_be_read_is_written_anew(cdi: Path, content: bytes) -> None:
    """P19: what a crash or a hand left in place of a file of ours is replaced, and said."""
    cdi.mkdir()
    (cdi / FILE).write_bytes(content)
    with capture_logs() as logs:
        async with watched(cdi) as directory:
            await until(lambda: logs)
            await directory.ensure(RESOURCE, {"w0": W0})

    assert [(line["log_level"], line["file"]) for line in logs] == [("warning", FILE)]
    assert "cannot be read" in logs[0]["event"]
    assert held(cdi) == {"w0": ["/dev/null"]}


async def test_the_good_entries_of_a_bad_file_are_kept(cdi: Path) -> None:
    """P19: where one entry of an earlier file would keep runtimes from loading it, the others are kept."""
    async with kept(cdi) as directory:
        await directory.ensure(RESOURCE, {"w0": W0})
    document = json.loads((cdi / FILE).read_text())
    document["devices"] += [{"name": "empty", "containerEdits": {}}]
    (cdi / FILE).write_text(json.dumps(document))

    async with kept(cdi) as directory:
        await directory.ensure(RESOURCE, {"w1": W1})

    assert held(cdi) == {"w0": ["/dev/null"], "w1": ["/dev/zero"]}


def delete(cdi: Path) -> None:
    """Delete the file."""
    (cdi / FILE).unlink()


def change(cdi: Path) -> None:
    """Change what the file says."""
    (cdi / FILE).write_text((cdi / FILE).read_text().replace("/dev/null", "/dev/full"))


def truncate(cdi: Path) -> None:
    """Empty the file."""
    (cdi / FILE).write_text("")


def replace(cdi: Path) -> None:
    """Put another file in its place."""
    (cdi / "new").write_text("not what it was")
    (cdi / "new").replace(cdi / FILE)


def pipe(cdi: Path) -> None:
    """Put a pipe in its place."""
    (cdi / FILE).unlink()
    os.mkfifo(cdi / FILE)


def remove_directory(cdi: Path) -> None:
    """Remove the directory, as far as nobody writes into it meanwhile."""
    shutil.rmtree(cdi, ignore_errors=True)


def replace_directory(cdi: Path) -> None:
    """Put an empty directory in its place."""
    cdi.rename(cdi.with_name("old"))
    cdi.mkdir()


EDITS = [delete, change, truncate, replace, pipe, remove_directory, replace_directory]


@pytest.mark.parametrize("edit", EDITS)
async def test_what_somebody_changes_is_brought_back(cdi: Path, edit: Callable[[Path], None]) -> None:
    """P19: an edit from outside is undone and said once, whatever it is, as often as it happens."""
    with capture_logs() as logs:
        async with watched(cdi) as directory:
            await directory.ensure(RESOURCE, {"w0": W0})
            whole = (cdi / FILE).read_text()
            for _ in range(2):
                edit(cdi)
                await until(lambda: (cdi / FILE).is_file() and (cdi / FILE).read_text() == whole)
                if (cdi.with_name("old")).exists():
                    shutil.rmtree(cdi.with_name("old"))

    assert [line["event"].partition(" a CDI")[0] for line in logs][:1] == ["brought"]
    assert {(line["log_level"], line["file"]) for line in logs} == {("warning", FILE)}
    assert held(cdi) == {"w0": ["/dev/null"]}


@pytest.mark.parametrize("edit", EDITS)
async def test_an_edit_is_undone_before_the_next_answer(cdi: Path, edit: Callable[[Path], None]) -> None:
    """P19: whatever happened to the file meanwhile, and watch or none, it holds the entries when the call returns."""
    async with kept(cdi, pauses=NEVER) as directory:
        for _ in range(2):
            await directory.ensure(RESOURCE, {"w0": W0})
            assert held(cdi) == {"w0": ["/dev/null"]}
            if (cdi.with_name("old")).exists():
                shutil.rmtree(cdi.with_name("old"))
            edit(cdi)


async def test_a_quarrel_is_slow_and_said_once(cdi: Path) -> None:
    """P19: against somebody who keeps changing a file the pauses grow; an answer never waits for them."""
    asked: list[int] = []

    def pauses() -> Iterator[float]:
        asked.append(len(asked))
        yield 0.0
        yield 0.0
        yield from NEVER

    class Policy:
        def __iter__(self) -> Iterator[float]:
            return pauses()

    def said(times: int) -> bool:
        return len(logs) == times

    with capture_logs() as logs:
        async with watched(cdi, Policy()) as directory:
            await directory.ensure(RESOURCE, {"w0": W0})
            for times in range(1, 4):
                delete(cdi)
                await until((cdi / FILE).exists)
                await until(partial(said, times))
            delete(cdi)
            await directory.ensure(RESOURCE, {"w0": W0})

            assert held(cdi) == {"w0": ["/dev/null"]}

    assert [line["log_level"] for line in logs] == ["warning", "warning", "debug"]
    assert "keeps changing" in logs[1]["event"]
    assert len(asked) == 1


async def test_two_hosts_come_to_an_agreement(cdi: Path) -> None:
    """P19: two hosts that overlap in a rolling update keep each other's entries, and stop writing."""
    async with watched(cdi) as old, watched(cdi) as new:
        await old.ensure(RESOURCE, {"w0": W0})
        await new.ensure(RESOURCE, {"w1": W1})
        await until(lambda: held(cdi) == {"w0": ["/dev/null"], "w1": ["/dev/zero"]})
        agreed = files.file_id(cdi / FILE)
        await old.ensure(RESOURCE, {"w0": W0})
        await new.ensure(RESOURCE, {"w1": W1})

        assert files.file_id(cdi / FILE) == agreed


def test_another_form_of_the_same_is_no_change(cdi: Path) -> None:
    """P19: a file that says the same in other words, as another version may write it, is not fought over."""
    shelf = Shelf(cdi, Path, NEVER)
    shelf.ensure(RESOURCE, {"w0": W0})
    (cdi / FILE).write_text(json.dumps(json.loads((cdi / FILE).read_text())))
    before = files.file_id(cdi / FILE)

    assert shelf.look(0.0) == []
    shelf.ensure(RESOURCE, {"w0": W0})
    Shelf(cdi, Path, NEVER).ensure(RESOURCE, {"w0": W0})
    assert files.file_id(cdi / FILE) == before


def test_after_a_calm_minute_a_change_is_no_quarrel(cdi: Path) -> None:
    """P19: pauses begin anew when nobody changed anything for a while."""
    shelf = Shelf(cdi, Path, NEVER)
    shelf.ensure(RESOURCE, {"w0": W0})
    told = []
    for now in (0.0, 1.0, 10_001.0, 30_000.0):
        (cdi / FILE).unlink(missing_ok=True)
        told.append([noticed.what for noticed in shelf.look(now)])

    assert told == [["repaired"], [], ["contested"], ["repaired"]]


async def test_a_runtime_never_sees_half_a_file(cdi: Path) -> None:
    """P19: whoever reads while files are written finds the old or the new one, always whole."""
    stop = threading.Event()
    broken: list[object] = []

    def read() -> None:
        while not stop.is_set():
            broken.extend(Registry([cdi]).errors.items())

    reader = threading.Thread(target=read)
    reader.start()
    async with kept(cdi) as directory:
        for number in range(50):
            await directory.ensure(RESOURCE, {f"w{number}": W1})
    stop.set()
    reader.join()

    assert broken == []
    assert len(held(cdi)) == 50


async def test_what_a_crash_left_is_swept(cdi: Path) -> None:
    """P19: unfinished files of a host that was killed go; one that may be another host's work of this moment stays."""
    cdi.mkdir()
    for name in ("spec.devbay.00.tmp", "spec.devbay.11.tmp", "spec.other.tmp"):
        (cdi / name).touch()
    os.utime(cdi / "spec.devbay.00.tmp", (0, 0))
    with capture_logs() as logs:
        async with watched(cdi):
            await until(lambda: logs)

    assert [(line["file"], line["log_level"]) for line in logs] == [("spec.devbay.00.tmp", "info")]
    assert sorted(path.name for path in cdi.iterdir()) == ["spec.devbay.11.tmp", "spec.other.tmp"]


def test_what_a_crash_left_just_now_is_swept_later(cdi: Path) -> None:
    """P19: a file that could have been another host's work at the start goes once it cannot be."""
    cdi.mkdir()
    left = cdi / "spec.devbay.00.tmp"
    left.touch()
    shelf = Shelf(cdi, Path, ())
    first = (shelf.look(0.0), left.exists())
    os.utime(left, (0, 0))

    assert first == ([], True)
    assert [(one.file, one.what) for one in shelf.look(1.0)] == [(left.name, "swept")]
    assert not left.exists()


async def test_a_copy_beside_our_file_is_said(cdi: Path) -> None:
    """P19: a file of somebody's with devices of ours makes all of them conflict, and is named once."""
    async with watched(cdi) as directory:
        await directory.ensure(RESOURCE, {"w0": W0})
        (cdi / "others.json").write_text('{"cdiVersion": "0.3.0", "kind": "a.b/cc"}')
        (cdi / "broken.yaml").write_text("{")
        with capture_logs() as logs:
            shutil.copy(cdi / FILE, cdi / "backup.json")
            await until(lambda: len(logs) > 1)

    assert {(line["file"], KIND in line["reason"]) for line in logs} == {("backup.json", True)}
    assert [line["log_level"] for line in logs[:2]] == ["warning", "debug"]


def test_a_copy_that_changes_is_read_anew(cdi: Path) -> None:
    """P19: whether a file of somebody's has devices of ours is looked at as it is now."""
    shelf = Shelf(cdi, Path, ())
    shelf.ensure(RESOURCE, {"w0": W0})
    copy = cdi / "copy.json"
    copy.write_text((cdi / FILE).read_text())
    found = [[one.what for one in shelf.look(0.0)]]
    copy.write_text("{}")
    found.append([one.what for one in shelf.look(1.0)])
    copy.unlink()
    found.append([one.what for one in shelf.look(2.0)])

    assert found == [["doubled"], [], []]


def test_everything_of_ours_can_be_removed(cdi: Path) -> None:
    """P19: a clean-up removes our files, finished or not, and nobody else's."""
    cdi.mkdir()
    others = {"nvidia.com-gpu.json": "{}", "devbay.mine.json": '{"cdiVersion": "0.3.0", "kind": "a.b/cc"}'}
    for name, text in (others | {"spec.devbay.00.tmp": "", "devbay.broken.json": "{"}).items():
        (cdi / name).write_text(text)
    shelf = Shelf(cdi, Path, ())
    shelf.ensure(RESOURCE, {"w0": W0})

    assert shelf.remove_all() == ("devbay.broken.json", FILE, "spec.devbay.00.tmp")
    assert {path.name for path in cdi.iterdir()} == set(others)
    assert shelf.remove_all() == ()


async def refusal(cdi: Path, given: ContainerEdits = W0) -> str:
    """Return what is said where a specification cannot be written."""
    async with kept(cdi) as directory:
        with pytest.raises(DeliveryError) as caught:
            await directory.ensure(RESOURCE, {"w0": given})
    return str(caught.value)


async def test_a_file_where_the_directory_should_be(cdi: Path) -> None:
    """P19: a directory that cannot be is an error with its path, the reason and the remedy."""
    cdi.touch()

    assert await refusal(cdi) == (
        f"CDI specification {cdi}/{FILE} cannot be written: File exists ({cdi}); "
        "remove what stands where a directory should be"
    )
    assert "Not a directory" in await refusal(cdi / "below")


async def test_a_link_to_nowhere_where_the_directory_should_be(cdi: Path) -> None:
    """P19: a directory that is a link to nothing is an error that says so."""
    cdi.symlink_to("nowhere")

    assert await refusal(cdi) == (
        f"CDI specification {cdi}/{FILE} cannot be written: its directory is a symbolic link to nowhere, "
        "which is none; remove what stands where a directory should be"
    )


def test_a_directory_that_is_removed_meanwhile(cdi: Path) -> None:
    """P14, P19: a directory that somebody removes just before the file is made is made again, and no pod fails."""

    class Vanishing(type(cdi)):  # type: ignore[misc]  # a path's class depends on the system
        """A path whose directory is there when it is looked at, and then is not; once."""

        left = 1

        def is_dir(self, **options: bool) -> bool:
            found = bool(super().is_dir(**options))
            if found and Vanishing.left:
                Vanishing.left -= 1
                cdi.rmdir()
            return found

    cdi.mkdir()
    files.write(Vanishing(cdi) / "a.json", "{}")

    assert ((cdi / "a.json").read_text(), Vanishing.left) == ("{}", 0)


async def test_a_directory_where_the_file_should_be(cdi: Path) -> None:
    """P19: a file's place that is taken is an error, and nothing of ours is left about."""
    (cdi / FILE).mkdir(parents=True)

    assert await refusal(cdi) == (
        f"CDI specification {cdi}/{FILE} cannot be written: Is a directory; "
        "remove the directory that stands where the file should be"
    )
    assert [path.name for path in cdi.iterdir()] == [FILE]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
async def test_a_read_only_directory(cdi: Path) -> None:
    """P19: a directory that was mounted read-only is an error that says how to run."""
    cdi.mkdir()
    with mounted(cdi, "-t", "tmpfs", "-o", "ro", "none"):
        assert await refusal(cdi) == (
            f"CDI specification {cdi}/{FILE} cannot be written: Read-only file system; "
            "run devbay as uid 0 with the directory mounted writable"
        )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
async def test_a_full_disk(cdi: Path) -> None:
    """P19: on a full disk the old file stays whole and the reason is told; when there is room, all is well."""
    cdi.mkdir()
    with mounted(cdi, "-t", "tmpfs", "-o", "size=16k", "none"):
        async with kept(cdi) as directory:
            await directory.ensure(RESOURCE, {"w0": W0})
            (cdi / "filler").write_bytes(bytes(8192))
            many = edits(*(node(f"/dev/{'x' * 100}{number}") for number in range(100)))
            for _ in range(2):
                with pytest.raises(DeliveryError, match="No space left on device; make room on its file system"):
                    await directory.ensure(RESOURCE, {"w1": many})
                assert held(cdi) == {"w0": ["/dev/null"]}
                assert sorted(path.name for path in cdi.iterdir()) == [FILE, "filler"]
            (cdi / "filler").unlink()
            remount(cdi, "size=1m")

            await directory.ensure(RESOURCE, {"w1": many})

            assert list(held(cdi)) == ["w0", "w1"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
async def test_a_repair_that_is_refused_is_said_once_and_made_later(cdi: Path) -> None:
    """P19: where the directory refuses a repair that is one warning, and the file comes back when it can."""
    cdi.mkdir()
    with capture_logs() as logs:
        async with watched(cdi) as directory:
            await directory.ensure(RESOURCE, {"w0": W0})
            with mounted(cdi, "-t", "tmpfs", "-o", "ro", "none"):
                await until(lambda: len(logs) > 1)
                remount(cdi, "rw")
                await until(lambda: held(cdi) == {"w0": ["/dev/null"]})

    refused = [line for line in logs if "cannot be kept" in line["event"]]
    assert [line["log_level"] for line in refused] == ["warning"] + ["debug"] * (len(refused) - 1)
    assert "Read-only file system" in refused[0]["reason"]


async def test_a_file_system_that_hangs_is_an_error(cdi: Path) -> None:
    """P19: a file system that does not answer fails the allocation, and does not stop the host."""
    release = threading.Event()

    def locate(path: str) -> Path:
        release.wait(PATIENCE)
        return Path(path)

    async with kept(cdi, locate=locate, deadline=0.05) as directory:
        with pytest.raises(DeliveryError, match=r"did not answer within 0\.05 s; see to that file system"):
            await directory.ensure(RESOURCE, {"w0": W0})
        release.set()
        await until((cdi / FILE).exists)


async def test_a_node_without_inotify(cdi: Path) -> None:
    """P19: where the node has no inotify instance left, what somebody changes is brought back all the same."""
    with ExitStack() as stack:
        with suppress(OSError):
            while True:
                stack.enter_context(asyncinotify.Inotify())
        async with watched(cdi) as directory:
            await directory.ensure(RESOURCE, {"w0": W0})
            for _ in range(2):
                delete(cdi)
                await until((cdi / FILE).exists)


def test_a_killed_host_leaves_whole_files(cdi: Path) -> None:
    """P19: a host that is killed while it writes leaves a file that a runtime loads; the next one goes on with it."""
    code = (
        "from pathlib import Path; from devbay.cdi.shelf import Shelf; from tests.host.cdi.parts import *\n"
        f"shelf = Shelf(Path({os.fspath(cdi)!r}), Path, ())\n"
        "for n in range(100_000):\n"
        "    shelf.ensure(RESOURCE, {f'w{n}': edits(node('/dev/null'))}); print(n, flush=True)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=ROOT) as host:
        assert host.stdout is not None
        written = [host.stdout.readline() for _ in range(50)]
        host.kill()

    assert len(written) <= len(held(cdi))
    shelf = Shelf(cdi, Path, ())
    shelf.ensure(RESOURCE, {"new": W0})
    assert len(written) + 1 <= len(held(cdi))
