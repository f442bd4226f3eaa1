"""Hearing that something changed: the kernel's uevents, and what it tells of interfaces, addresses and default routes.

In a thread of its own; changes nothing. Uevents of PCI functions are heard in any network namespace that the first user
namespace owns, as pods' are; those of interfaces, and all of rtnetlink, only in the node's own. So a look at a few
names, four times a second, finds what was not heard, and a change of the configuration's file.
"""

import os
import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing

from devbay.api import Node
from devbay_sriov import netlink, source, sysfs
from devbay_sriov.settings import Settings

_PATIENCE = 0.25  # seconds between looks at `stop`, and at what may not be heard
_UEVENT = 15  # NETLINK_KOBJECT_UEVENT, which Python has no name for
_KERNEL_EVENTS = 1  # the multicast group of the kernel's own uevents
_GROUPS = 0x1 | 0x10 | 0x40 | 0x100 | 0x400  # links, IPv4 addresses and routes, IPv6 addresses and routes
_SUBSYSTEMS = frozenset(
    {"pci", "auxiliary", "net", "infiniband", "infiniband_verbs", "infiniband_mad", "vfio", "vfio-dev", "uio", "vdpa"}
)
_LINKS, _ADDRESSES, _ROUTES = (16, 17), (20, 21), (24, 25)
_LINK_HEADER, _INTERFACE_NAME = 16, 3
_BUFFER = 1 << 18
_RECEIVED = 1 << 21  # bytes of events that the kernel keeps for us: 254 functions come in one burst


def watch(node: Node, settings: Settings, wake: Callable[[], None], stop: threading.Event) -> None:
    """Call `wake` at each change that may matter, until `stop` is set; at once too, for what came before."""
    with ExitStack() as stack:
        events = stack.enter_context(closing(_listen(_UEVENT, _KERNEL_EVENTS)))
        routes = stack.enter_context(closing(_listen(socket.NETLINK_ROUTE, _GROUPS)))
        known, due = glance(node, settings), time.monotonic() + _PATIENCE
        wake()
        while not stop.is_set():
            ready, _, _ = select.select([events, routes], [], [], _PATIENCE)
            heard = [_drain(each, is_event if each is events else _is_link(node)) for each in ready]
            if time.monotonic() >= due:
                now, due = glance(node, settings), time.monotonic() + _PATIENCE
                heard.append(now != known)
                known = now
            if any(heard):
                wake()


def glance(node: Node, settings: Settings) -> tuple[object, ...]:
    """Return what changes when functions or interfaces come and go, or the configuration's file."""
    names = (sysfs.entries(f"{node.sys}/{place}") for place in ("bus/pci/devices", "class/net", "class/infiniband"))
    try:
        status = os.stat(source.path_of(node, settings))  # noqa: PTH116 - as in `sysfs`
    except OSError:
        return (*names, None)
    return (*names, (status.st_mtime_ns, status.st_ino, status.st_size))


def is_event(packet: bytes) -> bool:
    """Return whether a uevent may matter: of a subsystem that functions have to do with, and no virtual interface's."""
    fields = dict(field.partition("=")[::2] for field in packet.decode(errors="replace").split("\0") if "=" in field)
    if fields.get("SUBSYSTEM") not in _SUBSYSTEMS:
        return False
    return fields["SUBSYSTEM"] != "net" or not fields.get("DEVPATH", "").startswith("/devices/virtual/")


def _is_link(node: Node) -> Callable[[bytes], bool]:
    def matters(packet: bytes) -> bool:
        return any(_matters(f"{node.sys}/class/net", kind, payload) for kind, payload in netlink.messages(packet))

    return matters


def _matters(interfaces: str, kind: int, payload: bytes) -> bool:
    """Return whether a message is about hardware's interfaces, or a default route: nodes see many others."""
    try:
        if kind in _ROUTES:
            return payload[1] == 0
        if kind in _LINKS:
            name = dict(netlink.attributes(payload[_LINK_HEADER:])).get(_INTERFACE_NAME, b"").rstrip(b"\0").decode()
        elif kind in _ADDRESSES:
            name = socket.if_indextoname(struct.unpack_from("=I", payload, 4)[0])
        else:
            return False
    except (OSError, ValueError, struct.error, IndexError):
        return True
    # A bond's or a VLAN's address is that of the hardware below it.
    place = f"{interfaces}/{name}"
    return os.path.exists(f"{place}/device") or any(e.startswith("lower_") for e in sysfs.entries(place))  # noqa: PTH110 - as in `sysfs`


def _listen(protocol: int, groups: int) -> socket.socket:
    link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, protocol)
    try:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVED)
        link.bind((0, groups))
    except OSError:
        link.close()
        raise
    return link


def _drain(link: socket.socket, matters: Callable[[bytes], bool]) -> bool:
    """Take what has come, and return whether any of it matters; a burst that overflowed does."""
    found = False
    while True:
        try:
            packet = link.recv(_BUFFER)
        except BlockingIOError:
            return found
        except OSError:  # ENOBUFS: more came than is kept
            return True
        found = found or matters(packet)
