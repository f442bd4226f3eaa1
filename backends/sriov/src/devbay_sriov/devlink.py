"""Asking devlink about a NIC: which versions its firmware runs. Reads only.

Where the kernel has no devlink, the function has no such driver, or we may not ask, the answer is empty.
"""

import struct
from collections.abc import Iterator

from devbay_sriov import netlink

_GENERIC = struct.Struct("=BBH")  # command, version, reserved
_CONTROL = 0x10  # GENL_ID_CTRL
_GET_FAMILY, _FAMILY_ID, _FAMILY_NAME = 3, 1, 2
_INFO_GET = 51
_BUS_NAME, _DEV_NAME = 1, 2
_RUNNING = 101
_VERSION_NAME, _VERSION_VALUE = 103, 104


def running_version(address: str, name: str) -> str:
    """Return what a PCI function's firmware runs under a name; empty where nothing says so."""
    try:
        return next((value for key, value in _running(address) if key == name), "")
    except (OSError, struct.error):
        return ""


def _running(address: str) -> Iterator[tuple[str, str]]:
    handle = _text(_BUS_NAME, "pci") + _text(_DEV_NAME, address)
    for answer in netlink.ask(netlink.GENERIC, _family(), _GENERIC.pack(_INFO_GET, 1, 0) + handle, dump=False):
        for kind, value in netlink.attributes(answer[_GENERIC.size :]):
            if kind == _RUNNING:
                inner = dict(netlink.attributes(value))
                yield _plain(inner.get(_VERSION_NAME, b"")), _plain(inner.get(_VERSION_VALUE, b""))


def _family() -> int:
    body = _GENERIC.pack(_GET_FAMILY, 1, 0) + _text(_FAMILY_NAME, "devlink")
    for answer in netlink.ask(netlink.GENERIC, _CONTROL, body, dump=False):
        for kind, value in netlink.attributes(answer[_GENERIC.size :]):
            if kind == _FAMILY_ID:
                return int.from_bytes(value, "little" if struct.pack("=H", 1)[0] else "big")
    raise FileNotFoundError("the kernel has no devlink")


def _text(kind: int, text: str) -> bytes:
    return netlink.attribute(kind, text.encode() + b"\0")


def _plain(value: bytes) -> str:
    return value.rstrip(b"\0").decode(errors="replace")
