"""What a backend author imports, and all of it: ``from devbay.api import Device, hookimpl, ...``.

A backend is a class (or a module) with two functions, and one line of packaging::

    class Backend:
        @hookimpl
        def discover(self, node):
            return [Device(id="widget-0", resource="example.com/widget", paths=("/dev/widget0",))]

        @hookimpl
        def edit(self, devices):
            return ContainerEdits(device_nodes=[DeviceNode(path=path) for d in devices for path in d.paths])

    [project.entry-points."devbay.backends.v1"]
    widget = "devbay_widget:Backend"

`devbay.hookspecs` is the whole contract: what each hook returns, when and in which thread it is called, what to raise.
"""

import msgspec

from devbay.errors import BackendUnavailable
from devbay.hookspecs import API_VERSION, hookimpl
from devbay.model import (
    HEALTHY,
    Attribute,
    ContainerEdits,
    Device,
    DeviceNode,
    Health,
    Hook,
    Mount,
    Node,
    unhealthy,
)

__all__ = [
    "API_VERSION",
    "HEALTHY",
    "Attribute",
    "BackendSettings",
    "BackendUnavailable",
    "ContainerEdits",
    "Device",
    "DeviceNode",
    "Health",
    "Hook",
    "Mount",
    "Node",
    "hookimpl",
    "unhealthy",
]


class BackendSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of a backend's section of the configuration: subclass it, give every field a type and a default.

    Write ``class Settings(BackendSettings, frozen=True)``: type checkers do not see that `frozen` is inherited.
    ``Annotated[int, msgspec.Meta(ge=0, description="…")]`` bounds and documents a field.
    """
