"""Waits for the end, and hears nothing of the hardware."""

import threading

from devbay.api import hookimpl
from tests.testing import widgets

CASE = "test_watch_wakes_on_a_change"


class Backend(widgets.Backend):
    """Widgets that nobody watches."""

    @hookimpl
    def watch(self, stop: threading.Event) -> None:  # type: ignore[override]  # a hook may name fewer arguments
        """Wait to be told to stop."""
        stop.wait()
