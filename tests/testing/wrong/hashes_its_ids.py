"""Makes ids of a hash that Python seeds anew in each process."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from devbay.api import Device, Health, Node, hookimpl
from tests.testing import widgets

CASE = "test_ids_are_stable_over_processes"


class Backend(widgets.Backend):
    """Widgets with ids that do not outlive the process."""

    def widgets(self, node: Node) -> Iterator[Device]:
        """Yield the widgets under ids of this process."""
        for device in super().widgets(node):
            yield replace(device, id=f"{hash(device.id) & 0xFFFFFFFF:08x}-{device.id}")

    @hookimpl
    def check(self, node: Node, devices: Sequence[Device]) -> Mapping[str, Health]:
        """Return what each widget's status says."""
        return {device.id: self.status(node, replace(device, id=device.id.partition("-")[2])) for device in devices}
