"""Tells a device's memory as a list."""

from dataclasses import replace

from devbay.api import Device, Node, hookimpl
from tests.testing import widgets

CASE = "test_every_fact_of_a_device_can_be_used"


class Backend(widgets.Backend):
    """Widgets, the third of which is wrong."""

    @hookimpl
    def discover(self, node: Node) -> list[Device]:
        """Return the widgets."""
        found = list(self.widgets(node))
        return (
            [
                *found[:2],
                replace(
                    found[2],
                    attributes={"memory": ["1", "GiB"]},  # type: ignore[dict-item]  # that is the fault
                ),
            ]
            if len(found) == 3
            else found
        )
