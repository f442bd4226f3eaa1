"""Falls over where there is no driver, instead of saying so."""

import os

from devbay.api import Device, Node, hookimpl
from tests.testing import widgets

CASE = "test_without_hardware_it_is_unavailable_or_empty"


class Backend(widgets.Backend):
    """Widgets that are taken for granted."""

    @hookimpl
    def discover(self, node: Node) -> list[Device]:
        """Return the widgets; raise whatever comes where there is no driver."""
        os.listdir(node.locate(widgets.CLASS))  # noqa: PTH208 - as a script would
        return list(self.widgets(node))
