"""Was never asked to release a device."""

from collections.abc import Sequence

from devbay.api import Device, hookimpl
from tests.testing import widgets

CASE = "test_prepare_and_release_surround_a_container"


class Backend(widgets.Backend):
    """Widgets that cannot be reset."""

    @hookimpl
    def release(self, devices: Sequence[Device]) -> None:
        """Reset the widgets."""
        raise NotImplementedError(f"a reset of {len(devices)} widgets")
