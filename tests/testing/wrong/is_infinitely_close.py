"""Says of two devices on one board that nothing is closer, with a number that cannot be compared."""

import math

from devbay.api import Device, hookimpl
from tests.testing import widgets

CASE = "test_affinity_is_a_number_for_every_pair"


class Backend(widgets.Backend):
    """Widgets of which the last two are one."""

    @hookimpl
    def affinity(self, a: Device, b: Device) -> float:
        """Return infinity for the second and the third."""
        return math.inf if "widget0" not in {a.id, b.id} else 0.0
