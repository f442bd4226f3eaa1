"""Mistake: the class cannot be made into an object without an argument."""

from devbay.api import ContainerEdits, Device, hookimpl


class Backend:
    """Wants a library that nobody hands it."""

    def __init__(self, library: object) -> None:
        self.library = library

    @hookimpl
    def discover(self) -> list[Device]:
        """Return nothing."""
        return []

    @hookimpl
    def edit(self) -> ContainerEdits:
        """Return nothing special."""
        return ContainerEdits()
