"""Bitstream files made by hand, after the forms that Intel's tools write."""

import gzip
import json
import struct

from tests.backends.fpga.trees import AFU, INTERFACE

MAGIC = struct.pack("<QQ", 0x414750466E6F6558, 0x31303076534247B7)


def dashed(text: str) -> str:
    """Return an id as the tools write it."""
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}".upper()


def gbs(interface: str = INTERFACE, afu: str = AFU, data: bytes = b"bits") -> bytes:
    """Return a GBS file."""
    image = {"interface-uuid": dashed(interface), "accelerator-clusters": [{"accelerator-type-uuid": dashed(afu)}]}
    metadata = json.dumps({"version": 1, "afu-image": image}).encode()
    return MAGIC + struct.pack("<I", len(metadata)) + metadata + data


def elf(name: str, content: bytes, *, wide: bool = True) -> bytes:
    """Return an ELF file of 64 or 32 bits with one section beside the names."""
    names = b"\0.shstrtab\0" + name.encode() + b"\0"
    head = 64 if wide else 52
    table = head + len(names) + len(content)
    ident = b"\x7fELF" + bytes([2 if wide else 1, 1, 1]) + bytes(9)
    form, entry = ("<HHIQQQIHHHHHH", "<IIQQQQIIQQ") if wide else ("<HHIIIIIHHHHHH", "<IIIIIIIIII")
    header = ident + struct.pack(form, 2, 62, 1, 0, 0, table, 0, head, 0, 0, struct.calcsize(entry), 3, 1)
    sections = [(0, 0, 0), (1, head, len(names)), (11, head + len(names), len(content))]
    rows = (struct.pack(entry, name, 1, 0, 0, at, size, 0, 0, 1, 0) for name, at, size in sections)
    return header + names + content + b"".join(rows)


def aocx(content: bytes, *, wide: bool = True) -> bytes:
    """Return an AOCX file that holds a GBS."""
    return elf(".acl.fpga.bin", elf(".acl.gbs.gz", gzip.compress(content), wide=wide), wide=wide)
