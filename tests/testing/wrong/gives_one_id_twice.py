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
        return [replace(device, id="widget1") if device.id == "widget2" else device for device in self.widgets(node)]
