"""Was tried with two devices, and raises for any other pair."""

from devbay.api import Device, hookimpl
from tests.testing import widgets

CASE = "test_affinity_is_a_number_for_every_pair"


class Backend(widgets.Backend):
    """Widgets of which the first two are known."""

    @hookimpl
    def affinity(self, a: Device, b: Device) -> float:
        """Return how close the first two are."""
        return {("widget0", "widget1"): 1.0, ("widget1", "widget0"): 1.0}[a.id, b.id]
