"""Names a device's node from nowhere."""

from dataclasses import replace

from devbay.api import Device, Node, hookimpl
from tests.testing import widgets

CASE = "test_every_path_is_absolute"


class Backend(widgets.Backend):
    """Widgets, the third of which is wrong."""

    @hookimpl
    def discover(self, node: Node) -> list[Device]:
        """Return the widgets."""
        return [
            replace(device, paths=("dev/widget2",)) if device.id == "widget2" else device
            for device in self.widgets(node)
        ]
