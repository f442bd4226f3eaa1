"""Wakes the host whenever its own time-out is over."""

import threading
from collections.abc import Callable

from devbay.api import Node, hookimpl
from tests.testing import widgets

CASE = "test_watch_is_silent_while_nothing_happens"


class Backend(widgets.Backend):
    """Widgets that are looked at all the time."""

    @hookimpl
    def watch(self, node: Node, wake: Callable[[], None], stop: threading.Event) -> None:  # noqa: ARG002 - the argument of the right one
        """Wake the host, changes or not."""
        while not stop.wait(0.2):
            wake()
