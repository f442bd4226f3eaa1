"""Has room for a hundred devices, and says nothing of the others."""

from collections.abc import Iterator
from itertools import islice

from devbay.api import Device, Node
from tests.testing import widgets

CASE = "test_any_number_of_devices_will_do"


class Backend(widgets.Backend):
    """Widgets, as far as they go."""

    def widgets(self, node: Node) -> Iterator[Device]:
        """Yield the first hundred widgets."""
        return islice(super().widgets(node), 100)
