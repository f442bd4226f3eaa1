"""Checks no device if one has vanished."""

from devbay.api import HEALTHY, Device, Health, Node, unhealthy
from tests.testing import widgets

CASE = "test_a_device_that_vanishes_before_edit_costs_itself"


class Backend(widgets.Backend):
    """Widgets that are all there, or none is checked."""

    def status(self, node: Node, device: Device) -> Health:
        """Return what a widget's status says; raise where it has none."""
        text = node.locate(f"{widgets.CLASS}/{device.id}").read_text().strip()
        return HEALTHY if text == "online" else unhealthy(f"its status is {text}, not online")
