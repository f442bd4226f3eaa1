"""Hearing of changes: the kernel's uevents, and files that come and go in ``/dev``. In a thread of its own.

Uevents come from the kernel by netlink, through pyudev: udev's own messages need the host's network namespace, the
kernel's own are heard in an ordinary pod (for PCI at least). Where none can be heard, ``/dev`` still tells of nodes,
and the regular scan of the rest. Files in ``/sys`` tell nobody when they change, but for a few: they are polled by
`check`.
"""

import errno
import logging
import re
import select
import threading
from collections.abc import Callable
from typing import Any, Self

from asyncinotify import Inotify, Mask

from devbay.api import Node
from devbay_fpga import sysfs
from devbay_fpga.settings import Settings

log = logging.getLogger(__name__)

_PATIENCE = 250  # milliseconds between looks at `stop`
_CHANGES = Mask.CREATE | Mask.DELETE | Mask.MOVE | Mask.ONLYDIR
_LIMITS = {
    errno.ENOSPC: "the limit of inotify watches is reached (sysctl fs.inotify.max_user_watches)",
    errno.EMFILE: "the limit of inotify instances (sysctl fs.inotify.max_user_instances) or of open files is reached",
}
_DIRECTORIES = ("dri", "xfpga")
_NODES = re.compile(r"dfl-(fme|port)\..*|intel-fpga-.*|xclmgmt.*|ama_transcoder.*|renderD\d+|dma\.qdma\..*|dri|xfpga")
_SUBSYSTEMS = frozenset({"pci", "platform", "fpga_region", "fpga_manager", "fpga", "dfl", "drm", "misc", "hwmon"})


def watch(
    node: Node,
    settings: Settings,
    wake: Callable[[], None],
    stop: threading.Event,
    listen: Callable[[], Any] | None = None,
) -> None:
    """Call `wake` at each change that may matter, until `stop` is set; at once too, for what came before.

    `listen` returns the monitor of uevents, if there is one; by default the kernel's.

    Raises:
        OSError: the kernel's limits leave no room for listening; the text names the setting.
    """
    try:
        _watch(_Ear(node, settings, (listen or uevents)()), wake, stop)
    except OSError as error:
        raise OSError(error.errno, _LIMITS.get(error.errno or 0, error.strerror), error.filename) from None


def uevents() -> Any:
    """Return pyudev's monitor of the kernel's uevents, which listens; None where there can be none, which is said."""
    try:
        # Here, since it loads libudev, which a node may lack: that costs the events, and not the backend.
        import pyudev  # type: ignore[import-untyped]  # noqa: PLC0415 - it publishes no types

        monitor = pyudev.Monitor.from_netlink(pyudev.Context(), source="kernel")
        monitor.start()
    except (ImportError, OSError) as error:
        log.warning("no uevents are heard, and the regular scan finds what they would tell: %s", error)
        return None
    return monitor


def _watch(ear: "_Ear", wake: Callable[[], None], stop: threading.Event) -> None:
    with ear:
        poll = select.poll()
        for file in ear.files():
            poll.register(file, select.POLLIN)
        ear.arm()
        wake()
        while not stop.is_set():
            if poll.poll(_PATIENCE) and ear.heard():
                ear.arm()
                wake()


class _Ear:
    """What is listened to, until it is left."""

    def __init__(self, node: Node, settings: Settings, monitor: Any) -> None:
        self._node = node
        self._monitor = monitor
        self._inotify = Inotify(sync_timeout=0)
        self._patterns = [rule.nodes for rule in settings.managers]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._inotify.close()

    def files(self) -> list[int]:
        """Return what to poll."""
        return [self._inotify.fd, *([] if self._monitor is None else [self._monitor.fileno()])]

    def arm(self) -> None:
        """Watch the directories of nodes that are there; one that is watched already stays so."""
        for directory in (self._node.dev, *(self._node.dev / name for name in _DIRECTORIES)):
            if sysfs.is_directory(directory):
                try:
                    self._inotify.add_watch(directory, _CHANGES)
                except FileNotFoundError:
                    continue  # gone since

    def heard(self) -> bool:
        """Take all that is to be heard; return whether any of it may matter."""
        return any([self._heard_file(), self._heard_event()])

    def _heard_file(self) -> bool:
        matters = False
        while (event := self._inotify.sync_get()) is not None:
            name = "" if event.name is None else str(event.name)
            matters |= bool(self._patterns or _NODES.fullmatch(name)) or Mask.Q_OVERFLOW in event.mask
        return matters

    def _heard_event(self) -> bool:
        matters = False
        try:
            while self._monitor is not None and (event := self._monitor.poll(timeout=0)) is not None:
                matters |= event.subsystem in _SUBSYSTEMS
        except OSError as error:
            if error.errno != errno.ENOBUFS:  # more came than there was room for: some of it may have mattered
                raise
            return True
        return matters
