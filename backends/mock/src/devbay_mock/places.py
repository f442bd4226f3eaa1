"""Where things are: the tree's root and the device files, as the node calls them and as this process finds them.

Called by every part that touches a file. Looks at mounts, changes nothing.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from devbay.api import Node
from devbay_mock.settings import Settings

_MOUNTS = Path("/proc/self/mountinfo")


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where devices are found.

    Attributes:
        node: where we run; turns the node's paths into this process's.
        root: the directory with one subdirectory per device, as the node calls it.
        device_dir: the directory of the device files, as the node calls it.
        device_prefix: what stands before the id in a device file's name.
    """

    node: Node
    root: str
    device_dir: str
    device_prefix: str

    @property
    def tree(self) -> Path:
        """Where this process finds the root."""
        return self.node.locate(self.root)

    @property
    def devices(self) -> Path:
        """Where this process finds the directory of the device files."""
        return self.node.locate(self.device_dir)

    def device_file(self, device_id: str) -> str:
        """Return the path of a device's file, as the node calls it."""
        return f"{self.device_dir.rstrip('/')}/{self.device_prefix}{device_id}"


def places(node: Node, settings: Settings) -> Places:
    """Return where the devices are, made ones elsewhere if the root is on a real ``/sys``."""
    root, device_dir = settings.root, settings.device_dir
    if settings.count and on_sysfs(node.locate(root)):
        root = f"{settings.made_dir}/class"
        if device_dir == "/dev":
            device_dir = f"{settings.made_dir}/dev"
    return Places(node=node, root=root, device_dir=device_dir, device_prefix=settings.device_prefix)


def nearest_existing(path: Path) -> Path:
    """Return `path`, or the closest of its parents that is there."""
    return next((place for place in (path, *path.parents) if os.path.lexists(place)), path)


def on_sysfs(path: Path) -> bool:
    """Return whether `path` is, or would be created, on the kernel's sysfs, wherever that is mounted."""
    try:
        device = nearest_existing(path).stat().st_dev
        mounts = _MOUNTS.read_text(errors="replace").splitlines()
    except OSError:
        return False  # whoever then tries to write there learns more than we can tell
    number = f"{os.major(device)}:{os.minor(device)}"
    return any(fields[2] == number and fields[fields.index("-") + 1] == "sysfs" for fields in map(str.split, mounts))
