"""Listens on after it was told to stop."""

import threading
from collections.abc import Callable

from devbay.api import Node, hookimpl
from tests.testing import widgets

CASE = "test_watch_stops_within_a_second"


class Backend(widgets.Backend):
    """Widgets that are watched for ever."""

    @hookimpl
    def watch(self, node: Node, wake: Callable[[], None]) -> None:  # type: ignore[override]  # a hook may name fewer arguments
        """Listen, and do not stop."""
        super().watch(node, wake, threading.Event())
