"""Calls a device unhealthy, and keeps the reason to itself."""

from devbay.api import HEALTHY, Device, Health, Node, unhealthy
from tests.testing import widgets

CASE = "test_health_has_a_reason"


class Backend(widgets.Backend):
    """Widgets that are well or not."""

    def status(self, node: Node, device: Device) -> Health:
        """Return whether a widget is well."""
        return HEALTHY if super().status(node, device) else unhealthy("")
