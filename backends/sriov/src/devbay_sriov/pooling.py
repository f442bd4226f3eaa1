"""What pools are asked for, as values: resources, and their selectors. Pure.

How they are written is in `devbay_sriov.config`; what they select in `devbay_sriov.selecting`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeAlias

from devbay_sriov.ranges import Ranged

DeviceType: TypeAlias = Literal["netDevice", "accelerator", "auxNetDevice"]
CLASSES: Mapping[DeviceType, str] = MappingProxyType({"netDevice": "02", "accelerator": "12", "auxNetDevice": "02"})
"""The PCI base class of each device type; for an auxiliary device, that of the function it is on."""

_NOTHING: Mapping[str, Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """Which functions are meant, and what a container gets beside them. Keys are and-ed, values or-ed; empty is any.

    Attributes:
        vendors: PCI vendor ids.
        devices: PCI device ids.
        drivers: names of drivers of the PCI function.
        pci_addresses: whole PCI addresses.
        acpi_indexes: the firmware's indexes.
        pf_names: interfaces of the physical function, with numbers of functions.
        root_devices: PCI addresses of the physical function, likewise.
        link_types: ``ether``, ``infiniband``.
        ddp_profiles: names of the package that personalises an Intel NIC's parser.
        pkeys: partition keys of an InfiniBand port.
        aux_types: types of auxiliary devices.
        numa_nodes: NUMA nodes.
        pci_classes: beginnings of PCI classes; they replace the class of the device type.
        net_states: operational states of the function's own interface.
        rdma: only what has RDMA; and its character devices.
        vdpa: only what has a vDPA device of this kind; and its character device.
        vhost_net: the nodes of vhost-net and tun beside each function.
    """

    vendors: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    drivers: tuple[str, ...] = ()
    pci_addresses: tuple[str, ...] = ()
    acpi_indexes: tuple[str, ...] = ()
    pf_names: tuple[Ranged, ...] = ()
    root_devices: tuple[Ranged, ...] = ()
    link_types: tuple[str, ...] = ()
    ddp_profiles: tuple[str, ...] = ()
    pkeys: tuple[str, ...] = ()
    aux_types: tuple[str, ...] = ()
    numa_nodes: tuple[int, ...] = ()
    pci_classes: tuple[str, ...] = ()
    net_states: tuple[str, ...] = ()
    rdma: bool = False
    vdpa: str = ""
    vhost_net: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One pool.

    Attributes:
        prefix: the domain of its resource name.
        name: the rest of it.
        device_type: what kind of functions it has.
        selectors: any of them selects; the first that does counts.
        exclude_topology: whether its devices are said to be on no NUMA node.
        extra: more variables for containers, by PCI address or ``*``, and then by name.
        allow_in_use: whether functions that the node itself uses are offered as well.
        vfio: which of vfio's character devices a container gets.
    """

    prefix: str
    name: str
    device_type: DeviceType = "netDevice"
    selectors: tuple[Selector, ...] = (Selector(),)
    exclude_topology: bool = False
    extra: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: _NOTHING, hash=False)
    allow_in_use: bool = False
    vfio: Literal["group", "cdev", "both"] = "group"

    @property
    def full_name(self) -> str:
        """The extended resource name."""
        return f"{self.prefix}/{self.name}"

    @property
    def classes(self) -> frozenset[str]:
        """The beginnings of the PCI classes among which it selects."""
        own = (selector.pci_classes or (CLASSES[self.device_type],) for selector in self.selectors)
        return frozenset(each for classes in own for each in classes)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a configuration that is not as it must be.

    Attributes:
        keys: where: ``("resourceList", 0, "selectors", "pfName")``.
        text: what, and what would do.
    """

    keys: tuple[str | int, ...]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pools:
    """What is asked for, in the order in which it is served; and what was left out on the way, for people."""

    resources: tuple[Resource, ...] = ()
    remarks: tuple[Problem, ...] = ()
