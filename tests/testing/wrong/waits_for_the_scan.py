"""Guards everything with one lock: while the hardware does not answer, no pod is admitted."""

import threading
from collections.abc import Sequence

from devbay.api import ContainerEdits, Device, Node, hookimpl
from tests.testing import widgets

CASE = "test_edit_does_not_wait_for_discover"


class Backend(widgets.Backend):
    """Widgets, one call at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    @hookimpl
    def discover(self, node: Node) -> list[Device]:
        """Return the widgets."""
        with self._lock:
            return list(self.widgets(node))

    @hookimpl
    def edit(self, devices: Sequence[Device]) -> ContainerEdits:
        """Return what a container needs, when nobody looks for widgets."""
        with self._lock:
            return super().edit(devices)
