"""Tells a device's memory as a list."""

from dataclasses import replace

from devbay.api import Device, Node, hookimpl
from tests.testing import widgets

CASE = "test_every_fact_of_a_device_can_be_used"


class Backend(widgets.Backend):
    """Widgets, the third of which is wrong."""

    @hookimpl
    def discover(self, node: Node) -> list[Device]:
        """Return the widgets."""
        odd = {"memory": ["1", "GiB"]}
        return [
            replace(device, attributes=odd) if device.id == "widget2" else device  # type: ignore[arg-type]  # that is the fault
            for device in self.widgets(node)
        ]
