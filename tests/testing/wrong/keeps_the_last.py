"""Sets the variable anew for each device, and so keeps the last one."""

from collections.abc import Sequence
from dataclasses import replace

from devbay.api import ContainerEdits, Device, hookimpl
from tests.testing import widgets

CASE = "test_edit_leaves_no_device_out"


class Backend(widgets.Backend):
    """Widgets, of which a container hears about one."""

    @hookimpl
    def edit(self, devices: Sequence[Device]) -> ContainerEdits:
        """Return the widgets' nodes, and a variable."""
        env = {}
        for device in devices:
            env["WIDGETS"] = device.id
        return replace(super().edit(devices), env=env)
