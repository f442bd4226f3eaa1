"""Calls a device unhealthy for ever when it was so once."""

from devbay.api import Device, Health, Node, unhealthy
from tests.testing import widgets

CASE = "test_a_device_that_was_mended_is_healthy"


class Backend(widgets.Backend):
    """Widgets that get no second chance."""

    def __init__(self) -> None:
        self._bad: set[str] = set()

    def status(self, node: Node, device: Device) -> Health:
        """Return what a widget's status says, or said."""
        health = super().status(node, device)
        if not health:
            self._bad.add(device.id)
        return unhealthy("it failed before") if device.id in self._bad else health
