"""Bitstream files: GBS, and AOCX, which holds one. Pure but for reading the file; what is wrong is one sentence.

A GBS is two magic words, the length of its metadata, the metadata as JSON, and what the hardware takes. An AOCX is an
ELF file that holds an ELF file that holds a GBS, compressed.
"""

import json
import re
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from devbay_fpga.programming import elf

_HEADER = struct.Struct("<QQI")
_MAGIC = (0x414750466E6F6558, 0x31303076534247B7)
_MAX_METADATA = 4096
_MAX_SIZE = 512 * 2**20
"""The most that is unpacked: a Stratix 10's whole bitstream has a tenth of it."""
_ID = re.compile(r"[0-9a-f]{32}")


class BadBitstream(Exception):  # noqa: N818 - says what a file is
    """A file that is no bitstream which can be understood; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bitstream:
    """What a file programs, and into what.

    Attributes:
        interface_id: the interface that a region must have.
        afu_id: what the region's port is afterwards.
        data: what the hardware takes.
    """

    interface_id: str
    afu_id: str
    data: bytes = field(repr=False)


def load(path: Path) -> Bitstream:
    """Return the bitstream of a file.

    Raises:
        BadBitstream: it cannot be read or understood; the text names it.
    """
    try:
        content = path.read_bytes()
        return parse(content)
    except OSError as error:
        raise BadBitstream(f"{path} cannot be read: {error.strerror}") from None
    except BadBitstream as error:
        raise BadBitstream(f"{path}: {error}") from None


def parse(content: bytes) -> Bitstream:
    """Return the bitstream that a file's content is: AOCX if it is an ELF file, GBS otherwise.

    Raises:
        BadBitstream: it is neither.
    """
    return gbs(_unpacked(content) if content[:4] == b"\x7fELF" else content)


def gbs(content: bytes) -> Bitstream:
    """Return what a GBS says.

    Raises:
        BadBitstream: it is none.
    """
    if len(content) < _HEADER.size:
        raise BadBitstream("it is too short for a GBS")
    first, second, length = _HEADER.unpack_from(content)
    if (first, second) != _MAGIC:
        raise BadBitstream("it does not begin as a GBS does")
    start = _HEADER.size + length
    if length >= _MAX_METADATA or start > len(content):
        raise BadBitstream(f"its metadata has {length} bytes, of at most {_MAX_METADATA - 1} and of what is there")
    interface, afu = _ids(content[_HEADER.size : start])
    if start == len(content):
        raise BadBitstream("it has metadata, and nothing to program")
    return Bitstream(interface_id=interface, afu_id=afu, data=content[start:])


def _ids(metadata: bytes) -> tuple[str, str]:
    try:
        image: Any = json.loads(metadata.rstrip(b"\0"))["afu-image"]
        return _id(image["interface-uuid"]), _id(image["accelerator-clusters"][0]["accelerator-type-uuid"])
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        raise BadBitstream("its metadata names no interface-uuid and accelerator-type-uuid of 32 digits") from None


def _id(text: object) -> str:
    found = text.replace("-", "").lower() if isinstance(text, str) else ""
    if not _ID.fullmatch(found):
        raise ValueError
    return found


def _unpacked(content: bytes) -> bytes:
    try:
        packed = elf.section(elf.section(content, ".acl.fpga.bin"), ".acl.gbs.gz")
        unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)  # 16: with a header of gzip
        found = unpacker.decompress(packed, _MAX_SIZE)
    except elf.NoSection as error:
        raise BadBitstream(f"as an AOCX: {error}") from None
    except zlib.error as error:
        raise BadBitstream(f"as an AOCX: its GBS cannot be unpacked: {error}") from None
    if not unpacker.eof:
        raise BadBitstream("as an AOCX: its GBS is cut off, or too large")
    return found
