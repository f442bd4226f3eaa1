"""A function in its pool as a `Device`: what people see, what selectors and containers are told. Pure.

Everything that a container needs to know of one function is in its `Device`, so that `edit` answers from that alone;
but for what the configuration gives containers beside it (``additionalInfo``), which may be secret, and is shown to
nobody.
"""

from collections.abc import Iterator

from devbay.api import Attribute, Device
from devbay_sriov.chardevs import UIO, VFIO, VHOST_NET
from devbay_sriov.functions import Function
from devbay_sriov.pools import Share

VFIO_CONTROL = "/dev/vfio/vfio"
IOMMU = "/dev/iommu"


def device(share: Share, *, has_vhost_net: bool, revision: str = "") -> Device:
    """Return what is offered of a function.

    `revision` tells two editions of the configuration's ``additionalInfo`` apart without showing any of it.
    """
    function, resource = share.function, share.resource
    nodes = tuple(dict.fromkeys(_nodes(share, has_vhost_net=has_vhost_net)))
    attributes = {key: value for key, value in _attributes(share) if value not in {"", None}}
    if share.selector.vhost_net and has_vhost_net:
        attributes["vhost_net"] = True
    if resource.extra and revision:
        attributes["additional_info"] = revision
    if resource.exclude_topology and nodes:
        # A device with paths and without NUMA nodes is placed by its paths: this one must not be.
        attributes["device_nodes"] = ",".join(nodes)
    return Device(
        id=function.id,
        resource=resource.full_name,
        numa_nodes=() if resource.exclude_topology or function.numa < 0 else (function.numa,),
        parent=function.pf or None,
        paths=() if resource.exclude_topology else nodes,
        attributes=attributes,
    )


def nodes_of(device: Device) -> tuple[str, ...]:
    """Return the device nodes of what is offered."""
    hidden = str(device.attributes.get("device_nodes", ""))
    return device.paths or (tuple(hidden.split(",")) if hidden else ())


def _nodes(share: Share, *, has_vhost_net: bool) -> Iterator[str]:
    function, selector = share.function, share.selector
    if function.driver == VFIO:
        yield from _vfio(function, share.resource.vfio)
    elif function.driver in UIO and function.uio:
        yield f"/dev/{function.uio}"
    if selector.vdpa:
        if function.vdpa is not None and function.vdpa.path:
            yield function.vdpa.path
    elif selector.rdma:
        for rdma in function.rdma:
            yield from rdma.paths
    if selector.vhost_net and has_vhost_net:
        yield from VHOST_NET


def _vfio(function: Function, which: str) -> Iterator[str]:
    cdev = which != "group" and bool(function.vfio_cdev)
    if which != "cdev" or not cdev:
        yield VFIO_CONTROL
        if function.vfio_group >= 0:
            yield f"/dev/vfio/{'noiommu-' if function.is_noiommu else ''}{function.vfio_group}"
    if cdev:
        yield IOMMU
        yield f"/dev/vfio/devices/{function.vfio_cdev}"


def _attributes(share: Share) -> Iterator[tuple[str, Attribute]]:
    function, selector = share.function, share.selector
    yield "pci_address", function.address
    yield "vendor", function.vendor
    yield "device", function.device
    yield "pci_class", function.pci_class
    yield "driver", function.driver
    yield "pf", function.pf
    yield "pf_name", function.pf_netdevs[0] if function.pf_netdevs else ""
    if function.index >= 0:
        yield "sf" if function.kind == "auxiliary" else "vf", function.index
    yield "netdev", function.netdevs[0] if function.netdevs else ""
    yield "link_type", function.link_type
    yield "acpi_index", function.acpi_index
    yield "representor", function.representor
    yield "pcie_path", "/".join(function.path)
    yield "rdma_devices", ",".join(rdma.name for rdma in function.rdma)
    if selector.rdma:
        yield "rdma", True
    if selector.vdpa and function.vdpa is not None:
        yield "vdpa", selector.vdpa
        yield "vdpa_device", function.vdpa.name
