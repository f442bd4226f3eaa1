"""Implements what concerns the use of a device, and writes into a file what it was asked: a diary for tests.

Lockers are the files of a directory; those whose names begin with the same letter are close to each other. A locker is
a device node and a mount beside it, a variable, and, if the settings say so, a hook.
"""

from collections.abc import Sequence
from pathlib import Path

from devbay.api import BackendSettings, BackendUnavailable, ContainerEdits, Device, DeviceNode, Hook, Mount, hookimpl


class Settings(BackendSettings, frozen=True):
    """Where the lockers are.

    Attributes:
        root: a directory with a file, or a link to a device node, per locker.
        diary: a file that is told of each `prepare` and `release`.
        refuse: what `prepare` is refused with; empty if it is not.
        hook: a program that the container runtime is to run; none if empty.
    """

    root: Path = Path("/nowhere")
    diary: Path = Path("/dev/null")
    refuse: str = ""
    hook: str = ""


class Backend:
    """Lockers, one per file."""

    @hookimpl
    def settings(self) -> type[Settings]:
        """Return the type of the section ``locker``."""
        return Settings

    @hookimpl
    def discover(self, settings: Settings) -> list[Device]:
        """Return the lockers."""
        try:
            files = sorted(settings.root.iterdir())
        except FileNotFoundError:
            raise BackendUnavailable(f"{settings.root} is not there") from None
        return [Device(id=path.name, resource="example.com/locker", paths=(f"{path}",)) for path in files]

    @hookimpl
    def affinity(self, a: Device, b: Device) -> float:
        """Return whether two names begin alike."""
        return float(a.id[0] == b.id[0])

    @hookimpl
    def edit(self, settings: Settings, devices: Sequence[Device]) -> ContainerEdits:
        """Return each locker's node and mount, and the names of all."""
        return ContainerEdits(
            env={"LOCKERS": ",".join(device.id for device in devices)},
            device_nodes=[
                DeviceNode(path=f"/dev/locker-{device.id}", host_path=f"{Path(device.paths[0]).resolve()}")
                for device in devices
            ],
            mounts=[Mount(container_path=f"/locker/{device.id}", host_path="/etc/hostname") for device in devices],
            hooks=[Hook(hook_name="createContainer", path=settings.hook)] if settings.hook else [],
        )

    @hookimpl
    def prepare(self, settings: Settings, devices: Sequence[Device]) -> None:
        """Note which lockers are made ready."""
        if settings.refuse:
            raise RuntimeError(settings.refuse)
        note(settings, "prepare", devices)

    @hookimpl
    def release(self, settings: Settings, devices: Sequence[Device]) -> None:
        """Note which lockers are free."""
        note(settings, "release", devices)


def note(settings: Settings, what: str, devices: Sequence[Device]) -> None:
    """Write a line into the diary."""
    with settings.diary.open("a", encoding="utf-8") as diary:
        diary.write(f"{what} {','.join(sorted(device.id for device in devices))}\n")
