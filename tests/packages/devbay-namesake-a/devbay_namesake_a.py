"""Mistake, with its twin: two distributions declare the backend `namesake`. Each works when it is alone."""

from devbay.api import ContainerEdits, Device, hookimpl


class Backend:
    """One device without device nodes."""

    @hookimpl
    def discover(self) -> list[Device]:
        """Return the device."""
        return [Device(id="namesake-0", resource="example.com/namesake")]

    @hookimpl
    def edit(self) -> ContainerEdits:
        """Return nothing special."""
        return ContainerEdits()
