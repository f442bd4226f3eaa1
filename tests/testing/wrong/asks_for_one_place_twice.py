"""Gives all devices one place in the container: no runtime can do that."""

from collections.abc import Sequence
from dataclasses import replace

from devbay.api import ContainerEdits, Device, DeviceNode, hookimpl
from tests.testing import widgets

CASE = "test_a_container_gets_the_devices"


class Backend(widgets.Backend):
    """Widgets that lie one above the other."""

    @hookimpl
    def edit(self, devices: Sequence[Device]) -> ContainerEdits:
        """Return the widgets at one place."""
        nodes = [DeviceNode(path="/dev/widget", host_path=device.paths[0]) for device in devices]
        return replace(super().edit(devices), device_nodes=nodes)
