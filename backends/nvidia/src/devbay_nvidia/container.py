"""What a container gets for its devices: the variables, mounts and nodes that NVIDIA's plugin gives, or all of it.

Pure: settings, what the node has, and devices in; edits out.
"""

from collections.abc import Iterator, Sequence

from devbay.api import ContainerEdits, Device, DeviceNode, Mount
from devbay_nvidia import toolkit
from devbay_nvidia.settings import Settings
from devbay_nvidia.surroundings import Surroundings, channel

VISIBLE = "NVIDIA_VISIBLE_DEVICES"
VOLUMES = "/var/run/nvidia-container-devices"
"""Where NVIDIA's container runtime looks for mounts that name devices."""

_VOID = "void"
"""What tells NVIDIA's container runtime, where it is in use, to leave a container alone."""


def edits(settings: Settings, around: Surroundings, resource: str, devices: Sequence[Device]) -> ContainerEdits:
    """Return what a container needs to use `devices` together, in the request's order.

    Raises:
        LookupError: something that it must be given is not there.
    """
    if settings.imex_required and around.channels != settings.imex_channel_ids:
        raise LookupError(f"{channel(0)} is not there, and nvidia.imex_required wants it: is the IMEX service set up?")
    ids = [_told(settings, device) for device in devices]
    if settings.complete and settings.cdi != "host":
        names = toolkit.asked(ids, around.channels, settings.flags)
        missing = [name for name in names if name not in around.named]
        if not missing:
            annotations = toolkit.annotations(settings.cdi_annotation_prefix, resource, names)
            return ContainerEdits(env=_env(settings, around, ids), annotations=annotations)
        if settings.cdi == "toolkit":
            raise LookupError(
                f"NVIDIA's toolkit has no {', '.join(missing)} in {', '.join(settings.cdi_spec_dirs)}: run "
                "`nvidia-ctk cdi generate` on the node, or set nvidia.cdi to auto or host"
            )
    return ContainerEdits(
        env=_env(settings, around, ids),
        device_nodes=tuple(_nodes(settings, around, devices)),
        mounts=tuple(_mounts(settings, around, ids)),
        hooks=around.hooks if settings.complete else (),
    )


def _told(settings: Settings, device: Device) -> str:
    """Return what a container is told of a device."""
    return device.id if settings.device_id_strategy == "uuid" else str(device.attributes.get("index", device.id))


def _env(settings: Settings, around: Surroundings, ids: Sequence[str]) -> dict[str, str]:
    env: dict[str, str] = {}
    if "envvar" in settings.strategies:
        env[VISIBLE] = ",".join(ids)
        if around.channels:
            env["NVIDIA_IMEX_CHANNELS"] = ",".join(str(number) for number in around.channels)
    if "volume-mounts" in settings.strategies:
        env[VISIBLE] = VOLUMES  # theirs wins too, where both are asked for
    if settings.complete and VISIBLE not in env:
        env[VISIBLE] = _VOID
    return env | {f"NVIDIA_{name.upper()}": "enabled" for name in settings.flags}


def _nodes(settings: Settings, around: Surroundings, devices: Sequence[Device]) -> Iterator[DeviceNode]:
    if not (settings.pass_device_specs or settings.complete):
        return
    paths = [path for device in devices for path in device.paths]
    paths += around.control_nodes
    paths += [channel(number) for number in around.channels]
    if settings.complete:
        paths += [path for device in devices for path in around.display_nodes.get(_address(device), ())]
        paths += around.extra_nodes
    for path in dict.fromkeys(paths):
        yield DeviceNode(path=path, host_path=f"{settings.device_prefix}{path}", permissions="rw")


def _mounts(settings: Settings, around: Surroundings, ids: Sequence[str]) -> Iterator[Mount]:
    if "volume-mounts" in settings.strategies:
        names = [*ids, *(f"imex/{number}" for number in around.channels)]
        yield from (Mount(container_path=f"{VOLUMES}/{name}", host_path="/dev/null") for name in names)
    if settings.complete:
        yield from around.files


def _address(device: Device) -> str:
    """Return the PCI address whose display nodes belong to a device: a MIG device has none, but for graphics."""
    if device.parent is not None and "+gfx" not in str(device.attributes.get("profile")):
        return ""
    return str(device.attributes.get("pci_address", ""))
