"""Messages of the kernel's netlink: asking for a dump, and reading attributes. Reads only, needs no privilege.

A few fixed structures (``linux/netlink.h``, ``rtnetlink.h``), and not pyroute2: importing that costs 24 MiB and a
quarter of a second in a process whose memory has a budget, for four questions.
"""

import socket
import struct
from collections.abc import Iterator
from contextlib import closing

_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_ATTRIBUTE = struct.Struct("=HH")  # length, type
_REQUEST = 0x001
_DUMP = 0x300
_DONE = 3
_ERROR = 2
_TYPE_MASK = 0x3FFF  # without the marks for nested and for big-endian
_BUFFER = 1 << 16
_PATIENCE = 2.0  # seconds: the kernel answers at once, or a filter keeps the answer away
GENERIC = 16  # NETLINK_GENERIC


def ask(protocol: int, kind: int, body: bytes, *, dump: bool = True) -> Iterator[bytes]:
    """Yield the payload of each message that answers one request.

    Raises:
        OSError: the kernel does not know the question, or refuses it.
    """
    flags = _REQUEST | (_DUMP if dump else 0)
    with closing(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)) as link:
        link.settimeout(_PATIENCE)
        link.bind((0, 0))
        link.send(_HEADER.pack(_HEADER.size + len(body), kind, flags, 1, 0) + body)
        while True:
            for answer, payload in messages(link.recv(_BUFFER)):
                if answer == _DONE:
                    return
                if answer == _ERROR:
                    _raise(payload)
                    return
                yield payload
            if not dump:
                return


def messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield type and payload of each message in a packet."""
    while len(data) >= _HEADER.size:
        length, kind, *_ = _HEADER.unpack_from(data)
        if length < _HEADER.size:
            return
        yield kind, data[_HEADER.size : length]
        data = data[_aligned(length) :]


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield type and value of each attribute."""
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        if length < _ATTRIBUTE.size:
            return
        yield kind & _TYPE_MASK, data[_ATTRIBUTE.size : length]
        data = data[_aligned(length) :]


def attribute(kind: int, value: bytes) -> bytes:
    """Return an attribute as a message holds it."""
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, kind) + value + b"\0" * (_aligned(length) - length)


def _aligned(length: int) -> int:
    return (length + 3) & ~3


def _raise(payload: bytes) -> None:
    (code,) = struct.unpack_from("=i", payload)
    if code:
        raise OSError(-code, "netlink refused the request")
