"""Reading one section of an ELF file that is in memory. Pure; whatever the bytes are, the worst is `NoSection`."""

import struct
from collections.abc import Iterator

_MAGIC = b"\x7fELF"
_LITTLE = 1
_HEADERS = {1: ("<I", 0x20, "<HHH", 0x2E), 2: ("<Q", 0x28, "<HHH", 0x3A)}
"""By class (32 or 64 bit): the form and place of the section table's offset, then of its entry size, count, names."""
_SECTIONS = {1: ("<IIIIII", 40), 2: ("<IIQQQQ", 64)}
"""By class: a section's first fields (name, type, flags, address, offset, size), and the least size of an entry."""


class NoSection(Exception):  # noqa: N818 - says what a file lacks
    """A file that is no ELF file, is cut off, or lacks the section; the text says which."""


def section(data: bytes, name: str) -> bytes:
    """Return a section's content.

    Raises:
        NoSection: there is none.
    """
    try:
        entries = list(_entries(data))
        names = _content(data, *entries[_indices(data)[2]][1:])
        wanted = name.encode() + b"\0"
        for start, offset, size in entries:
            if names[start : start + len(wanted)] == wanted:
                return _content(data, offset, size)
    except (struct.error, IndexError, KeyError, OverflowError):
        raise NoSection("it is no ELF file, or is cut off") from None
    raise NoSection(f"it has no section {name}")


def _entries(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield the name's place, the offset and the size of each section."""
    kind = data[4] if data[:4] == _MAGIC and data[5] == _LITTLE else 0
    form, where, _, _ = _HEADERS[kind]
    (table,) = struct.unpack_from(form, data, where)
    size, count, _ = _indices(data)
    fields, least = _SECTIONS[kind]
    if size < least:
        raise struct.error
    for number in range(count):
        name, _, _, _, offset, length = struct.unpack_from(fields, data, table + number * size)
        yield name, offset, length


def _indices(data: bytes) -> tuple[int, int, int]:
    """Return the size of a section's entry, their number, and which of them holds the names."""
    _, _, form, where = _HEADERS[data[4]]
    size, count, names = struct.unpack_from(form, data, where)
    return size, count, names


def _content(data: bytes, offset: int, size: int) -> bytes:
    if offset + size > len(data):
        raise struct.error
    return data[offset : offset + size]
