"""Hearing of changes: files that come and go in ``/dev``, and the kernel's uevents."""

import json
import logging
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest

from devbay.testing import CharacterDevice, FakeNode
from devbay_fpga import Settings, watcher

RECORDING = Path(__file__).parent / "recorded/dfl.umockdev"
LISTENER = """
import ctypes, json, sys, threading, types
from pathlib import Path
import msgspec
from devbay.api import Node
from devbay_fpga import Settings, watcher

library = ctypes.CDLL("libumockdev.so.0")
library.umockdev_testbed_new.restype = ctypes.c_void_p
bed = ctypes.c_void_p(library.umockdev_testbed_new())
assert library.umockdev_testbed_add_from_file(bed, sys.argv[1].encode(), None)
stop, woken = threading.Event(), threading.Semaphore(0)
node = Node(name="n", dev=Path(sys.argv[2]))
watching = threading.Thread(target=watcher.watch, args=(node, Settings(), woken.release, stop))
watching.start()
told = [woken.acquire(timeout=30)]
library.umockdev_testbed_uevent(bed, sys.argv[3].encode(), b"change")
told.append(woken.acquire(timeout=30))
stop.set()
watching.join(30)
print(json.dumps(told))
"""


class Watch:
    """A watch in a thread, and how often it woke."""

    def __init__(self, node: FakeNode) -> None:
        self._stop = threading.Event()
        self._woken = threading.Semaphore(0)
        arguments = (node.node, msgspec.convert({}, Settings), self._woken.release, self._stop, lambda: None)
        self._thread = threading.Thread(target=watcher.watch, args=arguments, daemon=True)
        self._thread.start()

    def woke(self) -> bool:
        """Wait until it wakes once more."""
        return self._woken.acquire(timeout=30)

    def end(self) -> bool:
        """Stop it; return whether it ended."""
        self._stop.set()
        self._thread.join(30)
        return not self._thread.is_alive()


def test_nodes_are_heard_of_without_uevents(fake_node: FakeNode) -> None:
    """Without uevents, a node that comes or goes wakes the host, in directories that come later too (P11)."""
    watch = Watch(fake_node)
    assert watch.woke()

    fake_node.add({"/dev/dfl-port.0": CharacterDevice()})
    assert watch.woke()
    fake_node.add({"/dev/dri/card0": CharacterDevice()})
    assert watch.woke()
    fake_node.add({"/dev/dri/renderD128": CharacterDevice()})
    assert watch.woke()
    fake_node.remove("/dev/dfl-port.0")
    assert watch.woke()

    assert watch.end()


@pytest.mark.skipif(shutil.which("umockdev-wrapper") is None, reason="needs the Debian package umockdev")
def test_uevents_are_heard(tmp_path: Path) -> None:
    """A uevent of the kernel's about a DFL port wakes the host, through pyudev and a recorded device (P11)."""
    port = "/sys/devices/pci0000:20/0000:20:02.0/0000:23:00.0/fpga_region/region0/dfl-port.0"

    done = subprocess.run(
        ["umockdev-wrapper", sys.executable, "-c", LISTENER, str(RECORDING), str(tmp_path), port],
        env=os.environ | {"PYTHONWARNINGS": "error"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [True, True]


def test_no_uevents_is_said(caplog: pytest.LogCaptureFixture) -> None:
    """Whether uevents can be heard here or not, the answer is a monitor, or None and a warning."""
    with caplog.at_level(logging.WARNING):
        monitor = watcher.uevents()

    assert (monitor is None) == ("no uevents are heard" in caplog.text)
