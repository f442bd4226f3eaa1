"""What is known of one PCI function or one auxiliary device: frozen facts, and no word of how they were found."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["pci", "auxiliary"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vdpa:
    """A vDPA device of a function.

    Attributes:
        name: as its bus calls it: ``vdpa0``.
        kind: ``vhost`` or ``virtio``, by the driver that is bound; empty where it is another or none.
        path: the character device of one for vhost; empty otherwise.
    """

    name: str
    kind: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rdma:
    """An RDMA device of a function: its name, and its character devices in the order a container gets them."""

    name: str
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A PCI function, or an auxiliary device on one.

    Attributes:
        id: the PCI address, or the auxiliary device's name.
        kind: which of both it is.
        address: the PCI address; that of the function it is on for an auxiliary device.
        vendor: four lower-case hexadecimal digits.
        device: likewise.
        pci_class: six of them.
        driver: the driver that is bound to the PCI function; empty where none is.
        numa: the NUMA node; -1 where it is unknown.
        path: the PCI addresses from the root port down to `address`: what it is connected through.
        pf: the PCI address of the physical function; empty for what is not part of one.
        pf_netdevs: the network interfaces of that, the uplink first.
        index: the number of the virtual function, or of the subfunction; -1 where there is none.
        aux_type: ``sf`` for ``mlx5_core.sf.4``.
        total_vfs: how many virtual functions there may be; -1 for what cannot have any.
        vfs: how many there are.
        subfunctions: the names of those that are on it.
        netdevs: its network interfaces.
        is_away: whether it is a network function whose interface is in another network namespace, or not there yet.
        link_type: ``ether`` or ``infiniband``; empty where it is unknown.
        acpi_index: the firmware's index.
        rdma: its RDMA devices that can be seen from here.
        can_rdma: whether it has any, wherever they are now.
        vfio_group: the number of its IOMMU group; -1 where there is none.
        is_noiommu: whether that group protects nothing.
        vfio_cdev: ``vfio1``, where the kernel has a character device for each function.
        uio: ``uio0``, where there is one.
        vdpa: its vDPA device.
        representor: the interface that stands for it on the embedded switch.
    """

    id: str
    kind: Kind = "pci"
    address: str
    vendor: str = ""
    device: str = ""
    pci_class: str = ""
    driver: str = ""
    numa: int = -1
    path: tuple[str, ...] = ()
    pf: str = ""
    pf_netdevs: tuple[str, ...] = ()
    index: int = -1
    aux_type: str = ""
    total_vfs: int = -1
    vfs: int = 0
    subfunctions: tuple[str, ...] = ()
    netdevs: tuple[str, ...] = ()
    is_away: bool = False
    link_type: str = ""
    acpi_index: str = ""
    rdma: tuple[Rdma, ...] = ()
    can_rdma: bool = False
    vfio_group: int = -1
    is_noiommu: bool = False
    vfio_cdev: str = ""
    uio: str = ""
    vdpa: Vdpa | None = None
    representor: str = ""

    @property
    def is_vf(self) -> bool:
        """Whether it is a virtual function of one that is here."""
        return self.kind == "pci" and bool(self.pf)
