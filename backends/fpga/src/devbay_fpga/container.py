"""What a container gets for its devices: exactly their nodes, and variables that list them. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from devbay.api import ContainerEdits, Device, DeviceNode, Hook, Mount
from devbay_fpga.settings import Settings

_UNKNOWN = "-"
_VARIABLES: Mapping[str, tuple[str, ...]] = {
    "FPGA_PCI_ADDRESSES": ("pci_addresses", "pci_address"),
    "FPGA_PORTS": ("port",),
    "FPGA_SERIALS": ("serial",),
    "FPGA_SHELLS": ("shell",),
    "FPGA_AFU_IDS": ("afu_id",),
    "FPGA_INTERFACE_IDS": ("interface_id",),
}
"""Variables beside ``FPGA_DEVICES``, and the attributes that each lists, in the order of the request."""

_XRT = frozenset({"xrt", "ama", "zocl"})
_ANNOTATION = "com.intel.fpga.mode"


def edits(settings: Settings, devices: Sequence[Device]) -> ContainerEdits:
    """Return what a container needs to use `devices` together, in the request's order."""
    paths = dict.fromkeys(path for device in devices for path in device.paths)
    hooked = bool(settings.hook) and any(device.attributes.get("mode") == "region" for device in devices)
    return ContainerEdits(
        env=_env(devices),
        device_nodes=tuple(DeviceNode(path=path) for path in paths),
        mounts=tuple(_mounts(settings)) if any(_stack(device) in _XRT for device in devices) else (),
        annotations={_ANNOTATION: "fpga.intel.com/region"} if hooked else {},
        hooks=(Hook(hook_name="createRuntime", path=settings.hook, args=(settings.hook,)),) if hooked else (),
    )


def _env(devices: Sequence[Device]) -> dict[str, str]:
    env = {"FPGA_DEVICES": ",".join(device.id for device in devices)}
    for variable, names in _VARIABLES.items():
        values = [next((str(d.attributes[name]) for name in names if name in d.attributes), "") for d in devices]
        if any(values):
            env[variable] = ",".join(value or _UNKNOWN for value in values)
    return env


def _mounts(settings: Settings) -> Iterator[Mount]:
    for path in dict.fromkeys([settings.opencl_file, *settings.libraries]):
        if path:
            yield Mount(container_path=path, host_path=path, read_only=True)


def _stack(device: Device) -> str:
    return str(device.attributes.get("stack", ""))
