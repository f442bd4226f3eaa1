"""What the node has beside the GPUs that a container needs: control nodes, the driver's files, NVIDIA's hook.

Read by the thread that looks, frozen for the thread that answers. Files are looked for only where a strategy gives a
container all that it needs; otherwise NVIDIA's container runtime finds them itself.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from devbay.api import Hook, Mount, Node
from devbay_nvidia import driverfiles, toolkit
from devbay_nvidia.settings import Settings

CONTROL = ("/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools", "/dev/nvidia-modeset")
"""In the order in which NVIDIA's plugin gives them; each if it is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What containers get beside their devices.

    Attributes:
        control_nodes: nodes that every container with a GPU gets.
        display_nodes: nodes of the DRM driver, by PCI address.
        extra_nodes: nodes for GDS, GDRCopy and the Mellanox devices, as far as they are wanted.
        files: the driver's files, as mounts.
        hooks: what prepares the container's linker.
        named: the devices that NVIDIA's toolkit has names for.
        channels: the IMEX channels that are wanted and there.
    """

    control_nodes: tuple[str, ...] = ()
    display_nodes: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    extra_nodes: tuple[str, ...] = ()
    files: tuple[Mount, ...] = ()
    hooks: tuple[Hook, ...] = ()
    named: tuple[str, ...] = ()
    channels: tuple[int, ...] = ()

    @property
    def mark(self) -> str:
        """What changes when any of this does: answers that were made from it are then made anew."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:12]


def channel(number: int) -> str:
    """Return the device node of an IMEX channel."""
    return f"/dev/nvidia-caps-imex-channels/channel{number}"


def look(node: Node, settings: Settings, driver_version: str) -> Surroundings:
    """Return what the node has now."""
    channels = tuple(number for number in settings.imex_channel_ids if node.locate(channel(number)).exists())
    if not (settings.pass_device_specs or settings.complete):
        return Surroundings(channels=channels)
    control = tuple(path for path in CONTROL if node.locate(path).exists())
    if not settings.complete:
        return Surroundings(control_nodes=control, channels=channels)
    files = tuple(driverfiles.find(_root(settings), settings.driver_root, driver_version))
    return Surroundings(
        control_nodes=control,
        channels=channels,
        display_nodes=dict(_display_nodes(node)),
        extra_nodes=tuple(_extra_nodes(node, settings)),
        files=files,
        hooks=tuple(_hooks(settings, files)),
        named=() if settings.cdi == "host" else tuple(sorted(toolkit.names(settings.cdi_spec_dirs))),
    )


def _root(settings: Settings) -> Path:
    return Path(settings.driver_root_ctr_path or settings.driver_root)


def _display_nodes(node: Node) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the DRM nodes of each PCI function that has some and is NVIDIA's."""
    for drm in sorted((node.sys / "bus/pci/devices").glob("*/drm")):
        if _text(drm.parent / "vendor") != "0x10de":
            continue
        names = sorted(entry.name for entry in drm.iterdir() if entry.name.startswith(("card", "renderD")))
        paths = tuple(path for name in names if node.locate(path := f"/dev/dri/{name}").exists())
        if paths:
            yield drm.parent.name, paths


def _extra_nodes(node: Node, settings: Settings) -> Iterator[str]:
    wanted = (
        (settings.gdrcopy_enabled, ("gdrdrv",)),
        (settings.gds_enabled, ("nvidia-fs*",)),
        (settings.mofed_enabled, ("infiniband/uverbs*", "infiniband/rdma_cm")),
    )
    for is_wanted, patterns in wanted:
        for pattern in patterns if is_wanted else ():
            yield from sorted(f"/dev/{path.relative_to(node.dev)}" for path in node.dev.glob(pattern))


def _hooks(settings: Settings, files: tuple[Mount, ...]) -> Iterator[Hook]:
    """Yield the hook that makes a container's linker find the libraries, if NVIDIA's program for it is there."""
    program = settings.nvidia_cdi_hook_path
    libraries = [mount.container_path for mount in files if ".so" in mount.container_path]
    if not program or not libraries or not (_root(settings) / program.lstrip("/")).exists():
        return
    folders = sorted({path.rpartition("/")[0] for path in libraries})
    arguments = [argument for folder in folders for argument in ("--folder", folder)]
    yield Hook(
        hook_name="createContainer",
        path=program,
        args=(program.rpartition("/")[2], "update-ldcache", *arguments),
    )


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
