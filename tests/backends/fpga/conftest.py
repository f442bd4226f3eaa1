"""What the tests of the fpga backend share: a backend on a node of files, asked as the host asks it."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import msgspec
import pytest

from devbay.api import ContainerEdits, Device
from devbay.testing import FakeNode
from devbay_fpga import Backend, Settings


class Asked:
    """A backend on a fake node."""

    def __init__(self, node: FakeNode, backend: Backend, settings: Mapping[str, Any]) -> None:
        self.node = node
        self.backend = backend
        self.settings = msgspec.convert(dict(settings), Settings)

    def devices(self) -> list[Device]:
        """Return what is found."""
        return sorted(self.backend.discover(self.node.node, self.settings), key=lambda device: device.id)

    def names(self) -> dict[str, str]:
        """Return the resource of each device that is found."""
        return {device.id: device.resource for device in self.devices()}

    def health(self) -> dict[str, str]:
        """Return why each device is unhealthy; nothing, where it is not."""
        devices = self.devices()
        told = self.backend.check(self.node.node, self.settings, devices)
        return {device.id: told[device.id].reason for device in devices}

    def edits(self, *ids: str) -> ContainerEdits:
        """Return what a container gets for these devices, in this order."""
        found = {device.id: device for device in self.devices()}
        return self.backend.edit(self.settings, [found[each] for each in ids or found])

    def nodes(self, *ids: str) -> list[str]:
        """Return the device nodes that a container gets."""
        return [node.path for node in self.edits(*ids).device_nodes]

    def prepare(self) -> None:
        """Make all devices ready for a container."""
        devices = self.devices()
        self.backend.prepare(self.node.node, self.settings, devices[0].resource, devices)


Ask: TypeAlias = Callable[..., Asked]


@pytest.fixture
def ask(fake_node: FakeNode) -> Ask:
    """Return a function from a tree and settings to a backend that is asked about them."""

    def asked(tree: Mapping[str, Any], backend: Backend | None = None, **settings: Any) -> Asked:
        fake_node.replace(dict(tree))
        return Asked(fake_node, backend or Backend(), settings)

    return asked
