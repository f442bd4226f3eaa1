"""The inventory: one pass over the PCI functions and the auxiliary devices on them, into `Function` values.

Reads below ``/sys`` and changes nothing. One entry that cannot be read or understood costs that entry alone. The pass
is made once for all pools, and reads only functions of the classes that some pool asks for.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

from devbay_sriov import chardevs, sysfs
from devbay_sriov.functions import Function

_ADDRESS = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_MODALIAS = re.compile(r"pci:v0000(.{4})d0000(.{4})sv.{8}sd.{8}bc(..)sc(..)i(..)")
_AUXILIARY = re.compile(r"[^.\s]+\.([^.\s]+)\.[0-9]+")
_UPLINK = re.compile(r"p[0-9]+")
_REPRESENTS = re.compile(r"(?:c[0-9]+)?pf[0-9]+(vf|sf)([0-9]+)")
_RDMA_AUXILIARIES = frozenset({"rdma", "roce", "iwarp"})
"""What the drivers of mlx5, bnxt, ice and i40e call the auxiliary device whose driver makes the RDMA device. It stays
where it is when that device moves into a pod's network namespace."""

_LINK_TYPES = {"1": "ether", "32": "infiniband", "772": "loopback"}  # linux/if_arp.h
NETWORK = "02"
_USERSPACE = frozenset({"vfio-pci", "uio", "igb_uio", "uio_pci_generic"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What an embedded switch calls the interfaces of its physical function.

    Attributes:
        netdevs: the interfaces, the uplink first.
        representors: the interface that stands for a function, by ``vf`` or ``sf`` and its number.
    """

    netdevs: tuple[str, ...] = ()
    representors: dict[tuple[str, int], str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Physical:
    """A physical function, asked once for all that is on it."""

    place: str
    listing: tuple[str, ...]

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The number of each virtual function by its address. Numbers may have gaps."""
        links = [name for name in self.listing if name.startswith("virtfn") and name[6:].isdigit()]
        return {sysfs.leaf(f"{self.place}/{name}"): int(name[6:]) for name in links}

    @cached_property
    def ports(self) -> Ports:
        """Its interfaces."""
        return ports(self.place) if "net" in self.listing else Ports()


class Scan:
    """One look at the functions of a machine whose ``/sys`` and ``/dev`` are at `sys` and `dev`."""

    def __init__(self, sys: str, dev: str, classes: frozenset[str]) -> None:
        self._devices = f"{sys}/bus/pci/devices"
        self._chardevs = chardevs.CharacterDevices(sys, dev)
        self._classes = tuple(classes)
        self._physical: dict[str, _Physical] = {}

    def functions(self) -> Iterator[Function]:
        """Yield what is there, each function before the auxiliary devices on it."""
        for address in sysfs.entries(self._devices):
            if not _ADDRESS.fullmatch(address):
                continue
            known = _MODALIAS.match(sysfs.text(f"{self._devices}/{address}/modalias"))
            if known is None:
                continue
            vendor, device, *parts = (part.lower() for part in known.groups())
            if (pci_class := "".join(parts)).startswith(self._classes):
                yield from self._function(address, vendor, device, pci_class)

    def _function(self, address: str, vendor: str, device: str, pci_class: str) -> Iterator[Function]:
        place = f"{self._devices}/{address}"
        listing = sysfs.entries(place)
        pf = sysfs.leaf(f"{place}/physfn") if "physfn" in listing else ""
        auxiliaries = {name: kind[1] for name in listing if (kind := _AUXILIARY.fullmatch(name))}
        plain = Function(
            id=address,
            address=address,
            vendor=vendor,
            device=device,
            pci_class=pci_class,
            driver=sysfs.leaf(f"{place}/driver") if "driver" in listing else "",
            numa=sysfs.number(f"{place}/numa_node") if "numa_node" in listing else -1,
            path=tuple(part for part in sysfs.target(place).split("/") if _ADDRESS.fullmatch(part)),
            acpi_index=sysfs.text(f"{place}/acpi_index") if "acpi_index" in listing else "",
            subfunctions=tuple(name for name, kind in auxiliaries.items() if kind == "sf"),
        )
        whole = self._with_network(self._with_family(plain, place, listing, pf), place, listing)
        whole = replace(whole, can_rdma=bool(whole.rdma) or not _RDMA_AUXILIARIES.isdisjoint(auxiliaries.values()))
        yield self._chardevs.of_function(whole, place, listing)
        for name in whole.subfunctions:
            yield self._auxiliary(whole, f"{place}/{name}", name)

    def _with_family(self, function: Function, place: str, listing: tuple[str, ...], pf: str) -> Function:
        """Add what it is part of, or what is part of it."""
        if not pf:
            own = self._physical[function.address] = _Physical(place, listing)
            totals = sysfs.number(f"{place}/sriov_totalvfs", 0) if "sriov_totalvfs" in listing else -1
            vfs = sysfs.number(f"{place}/sriov_numvfs", 0) if "sriov_numvfs" in listing else 0
            # It has no physical function: selectors by that find what is on it, and never the function itself.
            return replace(function, total_vfs=totals, vfs=vfs, netdevs=own.ports.netdevs)
        physical = self._family(pf)
        index = physical.numbers.get(function.address, -1)
        return replace(
            function,
            pf=pf,
            pf_netdevs=physical.ports.netdevs,
            index=index,
            representor=physical.ports.representors.get(("vf", index), ""),
        )

    def _family(self, address: str) -> _Physical:
        if address not in self._physical:
            place = f"{self._devices}/{address}"
            self._physical[address] = _Physical(place, sysfs.entries(place))
        return self._physical[address]

    def _with_network(self, function: Function, place: str, listing: tuple[str, ...]) -> Function:
        netdevs = function.netdevs
        if function.pf and "net" in listing:
            netdevs = sysfs.entries(f"{place}/net")
        names = sysfs.entries(f"{place}/infiniband") if "infiniband" in listing else ()
        network = function.pci_class.startswith(NETWORK) and bool(function.driver)
        return replace(
            function,
            netdevs=netdevs,
            is_away=network and not netdevs and function.driver not in _USERSPACE,
            link_type=self._link_type(netdevs, place, function),
            rdma=tuple(self._chardevs.of_rdma(name) for name in names),
        )

    def _link_type(self, netdevs: tuple[str, ...], place: str, function: Function) -> str:
        if netdevs:
            return link_type(f"{place}/net/{netdevs[0]}")
        if function.pf_netdevs:
            return link_type(f"{self._devices}/{function.pf}/net/{function.pf_netdevs[0]}")
        return ""

    def _auxiliary(self, on: Function, place: str, name: str) -> Function:
        """Return an auxiliary device on a function: its driver, identity and place are that function's."""
        listing = sysfs.entries(place)
        netdevs = sysfs.entries(f"{place}/net") if "net" in listing else ()
        names = sysfs.entries(f"{place}/infiniband") if "infiniband" in listing else ()
        rdma = tuple(self._chardevs.of_rdma(each) for each in names)
        index = sysfs.number(f"{place}/sfnum")
        kinds = {kind[1] for each in listing if (kind := _AUXILIARY.fullmatch(each))}
        physical = self._family(on.address)
        return replace(
            on,
            id=name,
            kind="auxiliary",
            aux_type=name.split(".")[1],
            pf=on.address,
            pf_netdevs=physical.ports.netdevs,
            index=index,
            total_vfs=-1,
            vfs=0,
            subfunctions=(),
            netdevs=netdevs,
            is_away="driver" in listing and not netdevs,
            link_type=link_type(f"{place}/net/{netdevs[0]}") if netdevs else on.link_type,
            rdma=rdma,
            can_rdma=bool(rdma) or not _RDMA_AUXILIARIES.isdisjoint(kinds),
            vdpa=self._chardevs.vdpa(name),
            representor=physical.ports.representors.get(("sf", index), ""),
        )


def link_type(place: str) -> str:
    """Return what kind of link an interface has, in the words of ``ip link``."""
    kind = sysfs.text(f"{place}/type")
    return _LINK_TYPES.get(kind, kind)


def ports(place: str) -> Ports:
    """Return the interfaces of the physical function at `place`: with an embedded switch, the uplink is one of many."""
    names = sysfs.entries(f"{place}/net")
    if len(names) < 2:  # noqa: PLR2004 - one is the uplink, whatever it is called
        return Ports(netdevs=names)
    called = {name: sysfs.text(f"{place}/net/{name}/phys_port_name") for name in names}
    found = {name: _REPRESENTS.fullmatch(port) for name, port in called.items()}
    representors = {(match[1], int(match[2])): name for name, match in found.items() if match}
    others = [name for name in names if not found[name]]
    return Ports(netdevs=tuple(sorted(others, key=lambda n: _rank(called[n]))), representors=representors)


def _rank(port: str) -> int:
    """Return how much a port's name looks like an uplink's: less is more."""
    return 0 if _UPLINK.fullmatch(port) else 1
