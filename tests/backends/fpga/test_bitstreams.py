"""GBS and AOCX files: what they say, and that nothing else is taken for one."""

import gzip
import struct
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devbay_fpga.programming.bitstreams import BadBitstream, Bitstream, load, parse
from tests.backends.fpga.bitstreams import MAGIC, aocx, elf, gbs
from tests.backends.fpga.trees import AFU, INTERFACE, OTHER_AFU

PATIENT = settings(deadline=None)
"""A busy machine may take its time."""

HEX = st.text("0123456789abcdef", min_size=32, max_size=32)


@PATIENT
@given(HEX, HEX, st.binary(min_size=1), st.booleans())
def test_what_is_packed_is_read(interface: str, afu: str, data: bytes, wide: bool) -> None:  # noqa: FBT001 - given by hypothesis
    """A GBS, alone or in an AOCX of 32 or 64 bits, says its interface, its function and its data."""
    wanted = Bitstream(interface_id=interface, afu_id=afu, data=data)

    assert parse(gbs(interface, afu, data)) == wanted
    assert parse(aocx(gbs(interface, afu, data), wide=wide)) == wanted


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "too short"),
        (b"MZ" * 40, "does not begin as a GBS does"),
        (gbs(data=b""), "nothing to program"),
        (MAGIC + struct.pack("<I", 4096) + bytes(5000), "its metadata has 4096 bytes"),
        (MAGIC + struct.pack("<I", 50) + b"{}", "its metadata has 50 bytes"),
        (MAGIC + struct.pack("<I", 2) + b"{}bits", "names no interface-uuid"),
        (MAGIC + struct.pack("<I", 4) + b"nullbits", "names no interface-uuid"),
        (gbs(interface="x" * 32), "names no interface-uuid"),
        (elf(".text", b"code"), "it has no section .acl.fpga.bin"),
        (elf(".acl.fpga.bin", b"code"), "it is no ELF file, or is cut off"),
        (elf(".acl.fpga.bin", elf(".acl.gbs.gz", b"code")), "cannot be unpacked"),
        (elf(".acl.fpga.bin", elf(".acl.gbs.gz", gzip.compress(gbs())[:-20])), "cut off, or too large"),
        (aocx(b"code" * 9), "does not begin as a GBS does"),
        (aocx(gbs())[:100], "it is no ELF file, or is cut off"),
    ],
)
def test_what_is_no_bitstream(content: bytes, complaint: str) -> None:
    """A file that is no bitstream is refused with one sentence that says why."""
    with pytest.raises(BadBitstream, match=complaint):
        parse(content)


@PATIENT
@given(st.binary(), st.sampled_from([b"", MAGIC, b"\x7fELF\x02\x01", b"\x7fELF\x01\x01"]))
def test_any_bytes_are_judged(content: bytes, start: bytes) -> None:
    """Whatever a file holds, it is a bitstream or is refused: nothing else is raised."""
    with pytest.raises(BadBitstream):
        parse(start + content)


@PATIENT
@given(st.data())
def test_damage_is_noticed_or_harmless(data: st.DataObject) -> None:
    """A damaged file is refused, or says what it can say: nothing else is raised."""
    content = bytearray(data.draw(st.sampled_from([gbs(), aocx(gbs()), aocx(gbs(afu=OTHER_AFU), wide=False)])))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))

    with suppress(BadBitstream):
        assert len(parse(bytes(content)).afu_id) == 32


def test_a_file_is_named(tmp_path: Path) -> None:
    """What is wrong with a file is said with its name; a file that is right is read."""
    (tmp_path / "bad.gbs").write_bytes(b"bad")
    (tmp_path / "good.aocx").write_bytes(aocx(gbs()))

    assert load(tmp_path / "good.aocx") == Bitstream(interface_id=INTERFACE, afu_id=AFU, data=b"bits")
    with pytest.raises(BadBitstream, match=r"none\.gbs cannot be read: No such file"):
        load(tmp_path / "none.gbs")
    with pytest.raises(BadBitstream, match=r"bad\.gbs: it is too short"):
        load(tmp_path / "bad.gbs")
