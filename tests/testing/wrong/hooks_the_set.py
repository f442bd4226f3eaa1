"""Asks for a hook for several devices that none of them asks for alone: nothing can hold it."""

from collections.abc import Sequence
from dataclasses import replace

from devbay.api import ContainerEdits, Device, Hook, hookimpl
from tests.testing import widgets

CASE = "test_each_hook_is_a_devices_own"


class Backend(widgets.Backend):
    """Widgets that are bundled before a container starts."""

    @hookimpl
    def edit(self, devices: Sequence[Device]) -> ContainerEdits:
        """Return the widgets and, for three or more, what bundles them."""
        edits = super().edit(devices)
        return edits if len(devices) < 3 else replace(edits, hooks=[Hook(hook_name="createContainer", path="/bundle")])
