"""Calls one device closer to another than that one to it."""

from devbay.api import Device, hookimpl
from tests.testing import widgets

CASE = "test_affinity_is_symmetric"


class Backend(widgets.Backend):
    """Widgets that look up to those before them."""

    @hookimpl
    def affinity(self, a: Device, b: Device) -> float:
        """Return whether the first widget comes first."""
        return float(a.id < b.id)
