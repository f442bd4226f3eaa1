"""When a device is healthy, and the words in which it is told why not."""

import tempfile
import threading
from pathlib import Path

import pytest
from asyncinotify import Inotify, Mask
from hypothesis import given
from hypothesis import strategies as st

from tests.backends.mock.trees import Tree, as_nobody, eventually, open_place


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        pytest.param({}, "", id="healthy"),
        pytest.param({"error_count": "100", "temperature": "85"}, "", id="at-the-limits"),
        pytest.param({"error_count": None, "temperature": None}, "", id="neither-counts-nor-measures"),
        pytest.param({"temperature": "-40"}, "", id="cold"),
        pytest.param({"error_count": "0x10"}, "", id="hexadecimal"),
        pytest.param({"temperature": "85\n\n"}, "", id="space-around"),
        pytest.param({"status": "offline"}, "status is offline, not online", id="offline"),
        pytest.param({"status": "Online"}, "status is Online, not online", id="case-matters"),
        pytest.param({"status": "not ready"}, "status is 'not ready', not online", id="words"),
        pytest.param({"status": ""}, "status is empty, not online", id="empty-status"),
        pytest.param({"status": None}, "status is missing", id="no-status"),
        pytest.param({"status": "x" * 99}, f"status is '{'x' * 40}…', not online", id="long-status"),
        pytest.param({"error_count": "101"}, "error_count 101 is above 100", id="errors"),
        pytest.param({"error_count": "0x65"}, "error_count 0x65 is above 100", id="errors-hexadecimal"),
        pytest.param({"error_count": "abc"}, "error_count reads 'abc', not a number", id="no-number"),
        pytest.param({"error_count": ""}, "error_count is empty, not a number", id="empty-number"),
        pytest.param({"error_count": "1 2"}, "error_count reads '1 2', not a number", id="two-numbers"),
        pytest.param({"error_count": "9" * 5000}, f"error_count reads '{'9' * 40}…', not a number", id="endless"),
        pytest.param({"temperature": "91"}, "temperature 91 °C is above 85 °C", id="hot"),
        pytest.param({"temperature": "85.5"}, "temperature 85.5 °C is above 85 °C", id="a-fraction-too-hot"),
        pytest.param({"temperature": "85000"}, "temperature 85000 °C is above 85 °C", id="millidegrees"),
        pytest.param({"temperature": "nan"}, "temperature reads 'nan', not a number", id="nan"),
        pytest.param({"temperature": "٩١"}, "temperature reads '٩١', not a number", id="other-digits"),
        pytest.param(
            {"status": "offline", "temperature": "91"},
            "status is offline, not online; temperature 91 °C is above 85 °C",
            id="all-that-is-wrong",
        ),
    ],
)
def test_reason(tree: Tree, files: dict[str, str | None], reason: str) -> None:
    """P12: health carries a sentence that names value and limit."""
    tree.add("acc0", **files)

    assert tree.reasons() == {"acc0": reason}


def test_limits_are_settings(tree: Tree) -> None:
    """Both limits can be set, and the reason names the one in force."""
    tree.add("acc0", error_count="7", temperature="60")

    assert tree.reasons(max_error_count=7, max_temperature=60) == {"acc0": ""}
    assert tree.reasons(max_error_count=6, max_temperature=59.5) == {
        "acc0": "error_count 7 is above 6; temperature 60 °C is above 59.5 °C"
    }


@pytest.mark.parametrize("name", ["status", "error_count", "temperature"])
def test_unreadable_is_not_missing(name: str) -> None:
    """P13: a file that is there and cannot be read makes its device unhealthy with the system's reason."""
    with open_place() as place:
        tree = Tree(place)
        directory = tree.add("acc0")
        tree.add("acc1")
        (directory / name).chmod(0)

        with as_nobody():
            assert tree.reasons() == {"acc0": f"{name} cannot be read: Permission denied", "acc1": ""}


def test_unreadable_directory() -> None:
    """P13: a device's directory that cannot be entered is one unhealthy device."""
    with open_place() as place:
        tree = Tree(place)
        directory = tree.add("acc0")
        tree.add("acc1")
        directory.chmod(0)

        with as_nobody():
            reasons = tree.reasons()
        directory.chmod(0o755)

        assert reasons["acc0"].startswith("status cannot be read: Permission denied; error_count cannot be read:")
        assert reasons["acc1"] == ""


def test_device_file_that_cannot_be_looked_at() -> None:
    """A device directory without permission is a reason of its own, not a missing file."""
    with open_place() as place:
        tree = Tree(place)
        tree.add("acc0")
        tree.dev.chmod(0)

        with as_nobody():
            reasons = tree.reasons()
        tree.dev.chmod(0o755)

        assert reasons == {"acc0": f"device node {tree.dev}/acc0 cannot be looked at: Permission denied"}


def test_a_directory_in_place_of_a_file(tree: Tree) -> None:
    """What is no file is unreadable, not missing."""
    directory = tree.add("acc0", temperature=None)
    (directory / "temperature").mkdir()

    assert tree.reasons() == {"acc0": "temperature cannot be read: Is a directory"}


def test_a_file_that_is_being_rewritten(tree: Tree) -> None:
    """`echo online > status` empties the file before it fills it: that moment is not reported."""
    status = tree.add("acc0") / "status"

    def judged_healthy() -> bool:
        status.write_text("")
        with Inotify(sync_timeout=5) as inotify:
            inotify.add_watch(status, Mask.CLOSE_NOWRITE)
            writer = threading.Thread(target=lambda: inotify.sync_get() and status.write_text("online\n"))
            writer.start()
            health = tree.health()["acc0"]  # reads the empty file, whereupon it is written
            writer.join()
        return health.healthy

    eventually(judged_healthy)  # not at the first attempt, on a machine too busy to write within the pause


def test_devices_that_went_meanwhile(tree: Tree) -> None:
    """A device that goes between `discover` and `check` is judged like any other."""
    tree.add("acc0")
    devices = tree.discover()
    (tree.root / "acc0").rename(tree.place / "pulled")
    (tree.dev / "acc0").unlink()

    health = tree.backend.check(tree.node, tree.settings(), devices)
    assert health["acc0"].reason == f"device node {tree.dev}/acc0 is missing; status is missing"


@given(files=st.fixed_dictionaries({name: st.binary(max_size=20) for name in ("status", "error_count", "temperature")}))
def test_any_content_gets_an_answer(files: dict[str, bytes]) -> None:
    """P13: whatever the files hold, the device gets an answer of one printable line."""
    with tempfile.TemporaryDirectory() as name:
        tree = Tree(Path(name))
        directory = tree.add("acc0")
        for file, content in files.items():
            (directory / file).write_bytes(content)

        health = tree.health()["acc0"]

        assert health.healthy == (health.reason == "")
        assert len(health.reason.splitlines()) <= 1


@given(value=st.decimals(-1000, 1000, places=3), limit=st.integers(0, 1000))
def test_limit_is_the_last_healthy_value(value: object, limit: int) -> None:
    """A number up to the limit is healthy, and every higher one is not."""
    with tempfile.TemporaryDirectory() as name:
        tree = Tree(Path(name))
        tree.add("acc0", temperature=f"{value:f}")

        assert tree.health(max_temperature=limit)["acc0"].healthy == (float(f"{value:f}") <= limit)
