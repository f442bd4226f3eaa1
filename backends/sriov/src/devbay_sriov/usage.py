"""What the node itself uses network functions for: a default route, an address, a port of a bond or bridge.

Reads only. Routes of any table, of IPv4 and IPv6, and addresses are asked of the kernel where this process is in the
node's own network namespace. Elsewhere they are read from ``/proc/1/net``, if that is the node's: then IPv4 routes
are those of the main table. Where neither is, `Usage.blindness` says so; ports of bonds and bridges are seen anyhow,
in sysfs.
"""

import socket
import struct
from collections.abc import Iterator, Mapping
from functools import cached_property

from devbay_sriov import netlink, sysfs
from devbay_sriov.functions import Function

_ROUTE = 0  # NETLINK_ROUTE
_GET_ADDRESS, _GET_ROUTE = 22, 26
_ROUTE_MESSAGE = struct.Struct("=8BI")
_ADDRESS_MESSAGE = struct.Struct("=4BI")
_HOP = struct.Struct("=HBBi")
_UNICAST = 1
_OUT, _MULTIPATH = 4, 9
_ADDRESS, _LOCAL = 1, 2
_LINK_SCOPE = 253
_FEW = 16
_DEPTH = 4

Carriers = Mapping[str, tuple[str, ...]]
"""What an interface is used for, by its name."""


class Usage:
    """What is used on a node whose ``/sys`` and ``/proc`` are at `sys` and `proc`; looked up once, when asked."""

    def __init__(self, sys: str, proc: str) -> None:
        self._net = f"{sys}/class/net"
        self._own = f"{proc}/1/net"

    def __call__(self, function: Function) -> tuple[str, ...]:
        """Return what the node uses a function for; nothing where it does not."""
        return tuple(self._of(function))

    @cached_property
    def blindness(self) -> str:
        """Why routes and addresses cannot be told; empty where they can."""
        if self._is_ours or self._is_told:
            return ""
        return (
            "neither this process's network namespace nor /proc/1/net is the node's: default routes and addresses "
            "are not known; run on the host's network, or mount the host's /proc and name it in node.proc"
        )

    def _of(self, function: Function) -> Iterator[str]:
        if function.kind == "pci" and function.subfunctions:
            yield f"it carries {len(function.subfunctions)} subfunctions"
        for name in function.netdevs:
            yield from (f"its interface {name} {what}" for what in self._carriers.get(name, ()))
            if master := sysfs.leaf(f"{self._net}/{name}/master"):
                yield f"its interface {name} is a port of {self._kind(master)}{master}"

    def _kind(self, name: str) -> str:
        lines = sysfs.text(f"{self._net}/{name}/uevent").splitlines()
        kinds = [line.partition("=")[2] for line in lines if line.startswith("DEVTYPE=")]
        return f"the {kinds[0]} " if kinds else ""

    @cached_property
    def _names(self) -> tuple[str, ...]:
        """The node's interfaces; ``bonding_masters`` beside them is none."""
        return tuple(name for name in sysfs.entries(self._net) if name != "bonding_masters")

    @cached_property
    def _is_ours(self) -> bool:
        """Whether this process is in the network namespace whose interfaces ``/sys`` shows."""
        ours = {name: index for index, name in socket.if_nameindex()}
        if not self._names or set(ours) != set(self._names):
            return False
        return all(sysfs.number(f"{self._net}/{name}/ifindex") == ours[name] for name in self._names[:_FEW])

    @cached_property
    def _is_told(self) -> bool:
        """Whether ``/proc/1/net`` is about these interfaces."""
        lines = _lines(f"{self._own}/dev")[2:]
        return bool(self._names) and {line.partition(":")[0].strip() for line in lines} == set(self._names)

    @cached_property
    def _carriers(self) -> Carriers:
        found: dict[str, tuple[str, ...]] = {}
        if self._is_ours:
            facts = _asked()
        elif self._is_told:
            facts = _told(self._own)
        else:
            facts = iter(())
        for name, what in facts:
            for below, words in self._below(name, what, _DEPTH):
                if words not in found.get(below, ()):
                    found[below] = (*found.get(below, ()), words)
        return found

    def _below(self, name: str, what: str, depth: int) -> Iterator[tuple[str, str]]:
        """Yield an interface with what it is used for, and those below it with the same: a VLAN's, a bond's."""
        yield name, what
        if not depth:
            return
        for entry in sysfs.entries(f"{self._net}/{name}"):
            if entry.startswith("lower_"):
                lower = entry.removeprefix("lower_")
                words = what if what.startswith("is below") else f"is below {name}, which {what}"
                yield from self._below(lower, words, depth - 1)


def _asked() -> Iterator[tuple[str, str]]:
    """Yield what the kernel says of this process's network namespace."""
    names = dict(socket.if_nameindex())
    for payload in netlink.ask(_ROUTE, _GET_ROUTE, bytes(_ROUTE_MESSAGE.size)):
        family, length, *_, kind, _flags = _ROUTE_MESSAGE.unpack_from(payload)
        if length == 0 and kind == _UNICAST:
            for index in _hops(payload[_ROUTE_MESSAGE.size :]):
                if names.get(index, "lo") != "lo":
                    yield names[index], f"carries an {_version(family)} default route"
    for payload in netlink.ask(_ROUTE, _GET_ADDRESS, bytes(_ADDRESS_MESSAGE.size)):
        family, _, _, scope, index = _ADDRESS_MESSAGE.unpack_from(payload)
        if scope < _LINK_SCOPE and family in {socket.AF_INET, socket.AF_INET6} and index in names:
            found = dict(netlink.attributes(payload[_ADDRESS_MESSAGE.size :]))
            address = socket.inet_ntop(family, found.get(_LOCAL) or found[_ADDRESS])
            yield names[index], f"has the address {address}"


def _hops(data: bytes) -> Iterator[int]:
    """Yield the interfaces of a route's next hops: with several, there are none on the route itself."""
    for kind, value in netlink.attributes(data):
        if kind == _OUT:
            yield int(struct.unpack("=I", value)[0])
        elif kind == _MULTIPATH:
            left = value
            while len(left) >= _HOP.size:
                length, _, _, index = _HOP.unpack_from(left)
                yield index
                left = left[max(length, _HOP.size) :]


def _told(place: str) -> Iterator[tuple[str, str]]:
    """Yield what ``/proc/1/net`` says."""
    for fields in map(str.split, _lines(f"{place}/route")[1:]):
        name, destination, gateway, mask = fields[0], fields[1], fields[2], fields[7]
        if destination == mask == "00000000":
            yield name, "carries an IPv4 default route"
        elif gateway == "00000000":
            yield name, "has an IPv4 address"  # else it had no network of its own
    for fields in map(str.split, _lines(f"{place}/ipv6_route")):
        if fields[1] == "00" and fields[-1] != "lo":
            yield fields[-1], "carries an IPv6 default route"
    for fields in map(str.split, _lines(f"{place}/if_inet6")):
        if fields[3] in {"00", "40"} and fields[-1] != "lo":
            address = socket.inet_ntop(socket.AF_INET6, bytes.fromhex(fields[0]))
            yield fields[-1], f"has the address {address}"


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="ascii", errors="replace") as file:  # noqa: PTH123 - as in `sysfs`
            return file.read().splitlines()
    except OSError:
        return []


def _version(family: int) -> str:
    return "IPv6" if family == socket.AF_INET6 else "IPv4"
