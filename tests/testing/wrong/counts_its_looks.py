"""Numbers devices as they are found: the next look gives them other ids."""

from collections.abc import Iterator
from dataclasses import replace

from devbay.api import Device, Node
from tests.testing import widgets

CASE = "test_ids_are_stable_over_scans"


class Backend(widgets.Backend):
    """Widgets that are numbered by whoever looks."""

    def __init__(self) -> None:
        self._looks = 0

    def widgets(self, node: Node) -> Iterator[Device]:
        """Yield the widgets under new ids from the third look on."""
        self._looks += 1
        for device in super().widgets(node):
            yield device if self._looks < 3 else replace(device, id=f"look{self._looks}-{device.id}")
