"""Calls all devices unhealthy when one is."""

from collections.abc import Mapping, Sequence

from devbay.api import HEALTHY, Device, Health, Node, hookimpl, unhealthy
from tests.testing import widgets

CASE = "test_a_failure_is_one_devices"


class Backend(widgets.Backend):
    """Widgets that fail together."""

    @hookimpl
    def check(self, node: Node, devices: Sequence[Device]) -> Mapping[str, Health]:
        """Return that all widgets are well, or none; one that is gone is no matter."""
        here = [device for device in devices if node.locate(device.paths[0]).exists()]
        well = all(self.status(node, device) for device in here)
        return dict.fromkeys((device.id for device in devices), HEALTHY if well else unhealthy("a widget is broken"))
