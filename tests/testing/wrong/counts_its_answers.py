"""Numbers the containers that it answers for: the same devices get another answer."""

from collections.abc import Sequence
from dataclasses import replace

from devbay.api import ContainerEdits, Device, hookimpl
from tests.testing import widgets

CASE = "test_edit_is_pure"


class Backend(widgets.Backend):
    """Widgets that are counted out."""

    def __init__(self) -> None:
        self._given = 0

    @hookimpl
    def edit(self, devices: Sequence[Device]) -> ContainerEdits:
        """Return the widgets and the container's number."""
        self._given += 1
        edits = super().edit(devices)
        return replace(edits, annotations={"example.com/number": str(self._given)})
