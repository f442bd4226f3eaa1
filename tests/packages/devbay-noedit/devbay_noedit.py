"""Mistake: there is no `edit`."""

from devbay.api import Device, hookimpl


class Backend:
    """Finds a device and cannot give it to anyone."""

    @hookimpl
    def discover(self) -> list[Device]:
        """Return the device."""
        return [Device(id="noedit-0", resource="example.com/noedit")]
