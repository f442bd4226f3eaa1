"""Mistake: its backends are called `config` and `deadlines`, which are words of the host's own configuration."""

from devbay.api import ContainerEdits, Device, hookimpl


class Backend:
    """One device without device nodes."""

    @hookimpl
    def discover(self) -> list[Device]:
        """Return the device."""
        return [Device(id="reserved-0", resource="example.com/reserved")]

    @hookimpl
    def edit(self) -> ContainerEdits:
        """Return nothing special."""
        return ContainerEdits()
