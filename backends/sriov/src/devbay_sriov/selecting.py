"""Whether a selector means a function, and if not, which of its keys says so. Pure, but for facts that cost a look.

Keys are asked in the order of the SR-IOV network device plugin's own, cheap facts first. What costs a look at more of
the machine (partition keys, an interface's state, a parser's profile) is asked of `Lookup`, only where a selector has
the key and all keys before it hold.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from devbay_sriov.functions import Function
from devbay_sriov.pooling import CLASSES, Resource, Selector
from devbay_sriov.ranges import Ranged

NETWORKED = frozenset({"pfNames", "rootDevices", "linkTypes", "ddpProfiles", "pKeys", "isRdma", "netStates"})
"""Keys whose facts a function may lose from our sight while it is in a pod's network namespace."""


class Lookup(Protocol):
    """Facts that are looked up when they are asked for."""

    def pkey(self, function: Function) -> str:
        """Return the first partition key of a function's first RDMA device; empty where there is none."""

    def net_state(self, function: Function) -> str:
        """Return the operational state of a function's first interface; empty where there is none."""

    def ddp_profile(self, function: Function) -> str:
        """Return the name of the package that a NIC's parser has loaded; empty where there is none."""


class Refusal(Exception):  # noqa: N818 - no error: an answer
    """A key of a selector that a function does not fit: the key, what was wanted, and what is the case."""

    def __init__(self, key: str, wanted: Sequence[object], found: str) -> None:
        super().__init__(key, wanted, found)
        self.key = key
        self._wanted = wanted
        self._found = found

    def __str__(self) -> str:
        # Found only when somebody asks: a scan refuses thousands of times in silence.
        return f"{self.key} {' or '.join(map(str, self._wanted))}: it has {self._found or 'none'}"


def refusal(resource: Resource, selector: Selector, function: Function, lookup: Lookup) -> Refusal | None:
    """Return why one of a resource's selectors does not mean a function; None if it does."""
    try:
        _type(resource, selector, function)
        _identity(selector, function)
        _network(selector, function, lookup)
    except Refusal as why:
        return why
    return None


def _type(resource: Resource, selector: Selector, function: Function) -> None:
    kind = "auxiliary" if resource.device_type == "auxNetDevice" else "pci"
    if function.kind != kind:
        raise Refusal("deviceType", (resource.device_type,), f"kind {function.kind}")
    classes = selector.pci_classes or (CLASSES[resource.device_type],)
    if not function.pci_class.startswith(classes):
        raise Refusal("pciClasses", classes, function.pci_class)


def _identity(selector: Selector, function: Function) -> None:
    _among("vendors", selector.vendors, function.vendor)
    _among("devices", selector.devices, function.device)
    _among("drivers", selector.drivers, function.driver)
    _among("pciAddresses", selector.pci_addresses, function.address)
    _among("acpiIndexes", selector.acpi_indexes, function.acpi_index)
    _among("auxTypes", selector.aux_types, function.aux_type)
    _among("numaNodes", tuple(map(str, selector.numa_nodes)), str(function.numa))


def _network(selector: Selector, function: Function, lookup: Lookup) -> None:
    _ranged("pfNames", selector.pf_names, function.pf_netdevs, function.index)
    _ranged("rootDevices", selector.root_devices, (function.pf,) if function.pf else (), function.index)
    _among("linkTypes", selector.link_types, function.link_type)
    if selector.net_states:
        _among("netStates", selector.net_states, lookup.net_state(function))
    if selector.ddp_profiles:
        _among("ddpProfiles", selector.ddp_profiles, lookup.ddp_profile(function))
    if selector.pkeys:
        _pkey(selector.pkeys, function, lookup.pkey)
    if selector.rdma and not function.can_rdma:
        raise Refusal("isRdma", ("true",), "no RDMA device")
    if selector.vdpa and (function.vdpa is None or function.vdpa.kind != selector.vdpa):
        raise Refusal("vdpaType", (selector.vdpa,), f"{function.vdpa.kind or 'another'}" if function.vdpa else "")


def _among(key: str, wanted: Sequence[str], found: str) -> None:
    if wanted and (not found or found not in wanted):
        raise Refusal(key, wanted, found)


def _ranged(key: str, wanted: Sequence[Ranged], names: Sequence[str], index: int) -> None:
    folded = [name.lower() for name in names]
    if wanted and not any(each.holds(name, index) for each in wanted for name in folded):
        number = f", number {index}" if index >= 0 else ""
        raise Refusal(key, wanted, f"{' or '.join(names)}{number}")


def _pkey(wanted: Sequence[str], function: Function, lookup: Callable[[Function], str]) -> None:
    """Compare partition keys as numbers: the kernel writes ``0x0001`` where people write ``0x1``."""
    found = lookup(function) if function.link_type == "infiniband" else ""
    if not found or _number(found) not in set(map(_number, wanted)):
        raise Refusal("pKeys", wanted, found)


def _number(text: str) -> int | str:
    try:
        return int(text, 16)
    except ValueError:
        return text
