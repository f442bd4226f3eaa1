"""Puts devices in an order of its own."""

from collections.abc import Sequence

from devbay.api import ContainerEdits, Device, hookimpl
from tests.testing import widgets

CASE = "test_edit_follows_the_order_of_the_request"


class Backend(widgets.Backend):
    """Widgets in alphabetical order."""

    @hookimpl
    def edit(self, devices: Sequence[Device]) -> ContainerEdits:
        """Return the widgets, sorted."""
        return super().edit(sorted(devices, key=lambda device: device.id))
