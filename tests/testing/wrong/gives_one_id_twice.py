"""Gives two devices one id."""

from dataclasses import replace

from devbay.api import Device, Node, hookimpl
from tests.testing import widgets

CASE = "test_ids_are_legal"


class Backend(widgets.Backend):
    """Widgets, the third of which is wrong."""

    @hookimpl
    def discover(self, node: Node) -> list[Device]:
        """Return the widgets."""
        found = list(self.widgets(node))
        return [*found[:2], replace(found[2], id="widget1")] if len(found) == 3 else found
