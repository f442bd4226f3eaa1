"""Mistake: `edit` asks for an argument that its hook does not have."""

from collections.abc import Sequence

from devbay.api import ContainerEdits, Device, hookimpl


class Backend:
    """Asks for `device_ids`; the hook offers `devices`."""

    @hookimpl
    def discover(self) -> list[Device]:
        """Return the device."""
        return [Device(id="argument-0", resource="example.com/argument")]

    @hookimpl
    def edit(self, device_ids: Sequence[str]) -> ContainerEdits:
        """Return the ids."""
        return ContainerEdits(env={"IDS": ",".join(device_ids)})
