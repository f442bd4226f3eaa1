"""Calls `check` by another name: the host rejects it."""

from collections.abc import Mapping, Sequence

from devbay.api import HEALTHY, Device, Health, hookimpl
from tests.testing import widgets

CASE = "test_it_loads"


class Backend(widgets.Backend):
    """Widgets with a hook that nobody asks for."""

    @hookimpl
    def chek(self, devices: Sequence[Device]) -> Mapping[str, Health]:
        """Return that all is well."""
        return {device.id: HEALTHY for device in devices}
