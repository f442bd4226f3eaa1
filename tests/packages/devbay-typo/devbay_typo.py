"""Mistake: one hook is misspelt (`chekc`); the required ones are there."""

from devbay.api import ContainerEdits, Device, hookimpl


class Backend:
    """One device without device nodes."""

    @hookimpl
    def discover(self) -> list[Device]:
        """Return the device."""
        return [Device(id="typo-0", resource="example.com/typo")]

    @hookimpl
    def edit(self) -> ContainerEdits:
        """Return nothing special."""
        return ContainerEdits()

    @hookimpl
    def chekc(self) -> dict[str, object]:
        """Return nothing; meant to be `check`."""
        return {}
