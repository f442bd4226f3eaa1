"""A backend as it should be, written as a class: the third-party package of the tests."""

from collections.abc import Sequence

from devbay.api import BackendSettings, ContainerEdits, Device, DeviceNode, Node, hookimpl


class Settings(BackendSettings, frozen=True):
    """How many widgets there are, and the device node that each of them has, if any."""

    count: int = 2
    path: str = ""


class Backend:
    """Widgets, as many as the settings say."""

    @hookimpl
    def settings(self) -> type[Settings]:
        """Return the type of the section ``widget``."""
        return Settings

    @hookimpl
    def discover(self, node: Node, settings: Settings) -> list[Device]:
        """Return the widgets; their ids name the node, as a serial number would."""
        paths = (settings.path,) if settings.path else ()
        ids = [f"{node.name}-widget-{number}" for number in range(settings.count)]
        return [Device(id=identity, resource="example.com/widget", paths=paths) for identity in ids]

    @hookimpl
    def edit(self, devices: Sequence[Device]) -> ContainerEdits:
        """Return the widgets' names and device nodes."""
        return ContainerEdits(
            env={"WIDGETS": ",".join(device.id for device in devices)},
            device_nodes=[DeviceNode(path=path) for device in devices for path in device.paths],
        )
