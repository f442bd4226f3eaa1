"""A backend as it should be, written as a module: one gadget, with the two required hooks alone."""

from collections.abc import Sequence

from devbay.api import ContainerEdits, Device, hookimpl


@hookimpl
def discover() -> list[Device]:
    """Return the gadget."""
    return [Device(id="gadget-0", resource="example.com/gadget")]


@hookimpl
def edit(devices: Sequence[Device]) -> ContainerEdits:
    """Return the gadget's name."""
    return ContainerEdits(env={"GADGET": devices[0].id})
