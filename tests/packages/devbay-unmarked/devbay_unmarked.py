"""Mistake: no function carries `hookimpl`."""

from devbay.api import ContainerEdits, Device


class Backend:
    """One device without device nodes."""

    def discover(self) -> list[Device]:
        """Return the device."""
        return [Device(id="unmarked-0", resource="example.com/unmarked")]

    def edit(self) -> ContainerEdits:
        """Return nothing special."""
        return ContainerEdits()
