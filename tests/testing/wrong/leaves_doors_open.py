"""Opens what it reads anew with each look, and never closes it."""

import os
from collections.abc import Mapping, Sequence

from devbay.api import Device, Health, Node, hookimpl
from tests.testing import widgets

CASE = "test_looks_leave_nothing_open"


class Backend(widgets.Backend):
    """Widgets whose directory is held open."""

    @hookimpl
    def check(self, node: Node, devices: Sequence[Device]) -> Mapping[str, Health]:
        """Return what each widget's status says."""
        os.open(node.sys, os.O_RDONLY)
        return super().check(node, devices)
