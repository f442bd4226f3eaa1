"""Leaves a file behind, wherever it runs."""

import tempfile
from pathlib import Path

from devbay.api import Device, Node, hookimpl
from tests.testing import widgets

CASE = "test_it_writes_nothing_outside_its_places"


class Backend(widgets.Backend):
    """Widgets with a note about them."""

    @hookimpl
    def discover(self, node: Node) -> list[Device]:
        """Return the widgets, and note how many there are."""
        found = list(self.widgets(node))
        Path(tempfile.gettempdir(), "devbay-widgets").write_text(f"{len(found)}\n")
        return found
