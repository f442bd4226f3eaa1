"""What a container gets for its devices. Pure: devices and configuration in, edits out.

The variables are those of the SR-IOV network device plugin, byte for byte: ``PCIDEVICE_<RESOURCE>`` lists the ids in
the request's order, ``PCIDEVICE_<RESOURCE>_INFO`` tells of each what is known, as JSON. A name with a hyphen cannot be
addressed from a shell, so the same values come under a name without one, too.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence

from devbay.api import ContainerEdits, Device, DeviceNode
from devbay_sriov.chardevs import UIO, VFIO, VHOST_NET
from devbay_sriov.offers import IOMMU, VFIO_CONTROL, nodes_of
from devbay_sriov.pooling import Resource

_GROUP = re.compile(r"/dev/vfio/(?:noiommu-)?([0-9]+)")
_CDEV = "/dev/vfio/devices/"
_ESCAPED = str.maketrans({character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"})
"""What Go's JSON writes as an escape, and Python's does not."""
_NOT_IN_A_NAME = re.compile(r"[^A-Z0-9_]")
_RDMA_KINDS = ("issm", "umad", "uverbs", "rdma_cm")

Info = Mapping[str, str]


def edits(resource: str, devices: Sequence[Device], configured: Resource | None) -> ContainerEdits:
    """Return what a container needs to use `devices` of `resource` together, in the request's order."""
    paths = dict.fromkeys(path for device in devices for path in nodes_of(device))
    return ContainerEdits(
        env=_env(resource, devices, configured),
        device_nodes=tuple(DeviceNode(path=_inside(path), host_path=path) for path in paths),
    )


def _inside(path: str) -> str:
    """Return where a container sees a node: a group without an IOMMU looks there as one with."""
    group = _GROUP.fullmatch(path)
    return f"/dev/vfio/{group[1]}" if group else path


def _env(resource: str, devices: Sequence[Device], configured: Resource | None) -> dict[str, str]:
    extra = configured.extra if configured else {}
    information = {device.id: dict(_providers(device, extra)) for device in devices}
    values = {"": ",".join(device.id for device in devices), "_INFO": _json(information)}
    domain, _, kind = resource.partition("/")
    name = f"PCIDEVICE_{domain}_{kind}".upper().replace(".", "_")
    plain = _NOT_IN_A_NAME.sub("_", name)
    return {f"{each}{suffix}": value for each in (name, plain) for suffix, value in values.items()}


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).translate(_ESCAPED)


def _providers(device: Device, extra: Mapping[str, Info]) -> Iterator[tuple[str, Info]]:
    """Yield what each part of a device tells about itself, in the plugin's own words."""
    yield "generic", {"deviceID": device.id}
    nodes = nodes_of(device)
    driver = device.attributes.get("driver")
    if driver == VFIO:
        yield "vfio", dict(_vfio(nodes))
    elif driver in UIO:
        yield "uio", _mount(nodes, "/dev/uio")
    if extra:
        yield "extra", {**extra.get("*", {}), **extra.get(str(device.attributes.get("pci_address")), {})}
    if "vdpa" in device.attributes:
        yield "vdpa", _mount(nodes, "/dev/vhost-vdpa")
    elif "rdma" in device.attributes:
        yield "rdma", dict(_rdma(device, nodes))
    if "vhost_net" in device.attributes:
        yield "vhost", dict(zip(("net-mount", "tun-mount"), VHOST_NET, strict=True))


def _mount(nodes: Sequence[str], beginning: str) -> Info:
    """Return where the first node of a kind is; nothing, where there is none."""
    return next(({"mount": node} for node in nodes if node.startswith(beginning)), {})


def _vfio(nodes: Sequence[str]) -> Iterator[tuple[str, str]]:
    for node in nodes:
        if node == VFIO_CONTROL:
            yield "mount", node
        elif _GROUP.fullmatch(node):
            yield "dev-mount", _inside(node)
        elif node == IOMMU:
            yield "iommu-mount", node
        elif node.startswith(_CDEV):
            yield "cdev-mount", node


def _rdma(device: Device, nodes: Sequence[str]) -> Iterator[tuple[str, str]]:
    for node in nodes:
        for kind in _RDMA_KINDS:
            if node.startswith(f"/dev/infiniband/{kind}"):
                yield kind, node
    if names := str(device.attributes.get("rdma_devices", "")):
        yield "rdma_dev", names.partition(",")[0]
