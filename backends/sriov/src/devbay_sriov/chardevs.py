"""The character devices of functions, as sysfs tells them: RDMA, vfio, uio, vDPA.

Reads below ``/sys`` and changes nothing. Paths are the node's own; whether a node is really there is a question of
health, and not asked here.
"""

import os
from dataclasses import replace
from functools import cached_property

from devbay_sriov import sysfs
from devbay_sriov.functions import Function, Rdma, Vdpa

RDMA_CM = "/dev/infiniband/rdma_cm"
VHOST_NET = ("/dev/vhost-net", "/dev/net/tun")
VFIO = "vfio-pci"
UIO = frozenset({"uio", "igb_uio", "uio_pci_generic"})
_RDMA_CLASSES = (
    ("infiniband_cm", "ucm"),
    ("infiniband_mad", "issm"),
    ("infiniband_mad", "umad"),
    ("infiniband_verbs", "uverbs"),
)
"""Classes of character devices and their names, in the order in which a container gets them."""
_NOIOMMU = "vfio-noiommu"
_VDPA_DRIVERS = {"vhost_vdpa": "vhost", "virtio_vdpa": "virtio"}


class CharacterDevices:
    """The character devices of a machine; each class is read once, when it is asked for.

    `sys` and `dev` are where its ``/sys`` and ``/dev`` are found.
    """

    def __init__(self, sys: str, dev: str) -> None:
        self._sys = sys
        self._dev = dev
        self._classes: dict[str, tuple[str, ...]] = {}

    def of_rdma(self, name: str) -> Rdma:
        """Return an RDMA device with its character devices."""
        own = self._rdma.get(name, ())
        return Rdma(name=name, paths=tuple(f"/dev/infiniband/{each}" for each in own) + self._rdma_cm)

    def of_function(self, function: Function, place: str, listing: tuple[str, ...]) -> Function:
        """Return a function with what its driver made for programs."""
        found = replace(function, vdpa=self.vdpa(function.address))
        if function.driver == VFIO:
            group = sysfs.leaf(f"{place}/iommu_group") if "iommu_group" in listing else ""
            cdevs = sysfs.entries(f"{place}/vfio-dev") if "vfio-dev" in listing else ()
            has_node = bool(cdevs) and "dev" in sysfs.entries(f"{place}/vfio-dev/{cdevs[0]}")
            return replace(
                found,
                vfio_group=int(group) if group.isdigit() else -1,
                is_noiommu=bool(group) and sysfs.text(f"{place}/iommu_group/name") == _NOIOMMU,
                vfio_cdev=cdevs[0] if has_node else "",
            )
        if function.driver in UIO:
            names = sysfs.entries(f"{place}/uio")
            return replace(found, uio=names[0] if names else "")
        return found

    def vdpa(self, owner: str) -> Vdpa | None:
        """Return the first vDPA device on a PCI function, by its address, or on an auxiliary device, by its name."""
        return self._vdpa.get(owner)

    @cached_property
    def _rdma(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for directory, prefix in _RDMA_CLASSES:
            for entry in self._class(directory):
                if entry.startswith(prefix) and (name := sysfs.text(f"{self._sys}/class/{directory}/{entry}/ibdev")):
                    found[name] = (*found.get(name, ()), entry)
        return found

    def _class(self, name: str) -> tuple[str, ...]:
        if name not in self._classes:
            self._classes[name] = sysfs.entries(f"{self._sys}/class/{name}")
        return self._classes[name]

    def has(self, path: str) -> bool:
        """Return whether the machine has a device of class ``misc``: known to the kernel, or with a node to open.

        The node may be there first, since opening it loads the driver.
        """
        known = path.rpartition("/")[2] in self._class("misc")
        return known or os.path.exists(self._dev + path.removeprefix("/dev"))  # noqa: PTH110 - as in `sysfs`

    @cached_property
    def _rdma_cm(self) -> tuple[str, ...]:
        return (RDMA_CM,) if self.has(RDMA_CM) else ()

    @cached_property
    def _vdpa(self) -> dict[str, Vdpa]:
        found: dict[str, Vdpa] = {}
        bus = f"{self._sys}/bus/vdpa/devices"
        for name in sysfs.entries(bus):
            # The link leads through the management device: …/0000:3b:00.2/vdpa0, …/0000:3b:00.0/mlx5_core.sf.4/vdpa0.
            owner = sysfs.target(f"{bus}/{name}").split("/")[-2:-1]
            kind = _VDPA_DRIVERS.get(sysfs.leaf(f"{bus}/{name}/driver"), "")
            nodes = [each for each in sysfs.entries(f"{bus}/{name}") if each.startswith("vhost-vdpa")]
            path = f"/dev/{nodes[0]}" if kind == "vhost" and nodes else ""
            if owner:
                found.setdefault(owner[0], Vdpa(name=name, kind=kind, path=path))
        return found
