"""Numbers devices by their place in the list: when the first goes, all others change their names."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePosixPath

from devbay.api import Device, Health, Node
from tests.testing import widgets

CASE = "test_ids_stay_when_another_device_goes"


class Backend(widgets.Backend):
    """Widgets that move up."""

    def widgets(self, node: Node) -> Iterator[Device]:
        """Yield the widgets, the first of them as number 0."""
        for number, device in enumerate(super().widgets(node)):
            yield replace(device, id=f"w{number}")

    def status(self, node: Node, device: Device) -> Health:
        """Return what a widget's status says, by its path."""
        return super().status(node, replace(device, id=PurePosixPath(device.paths[0]).name))
