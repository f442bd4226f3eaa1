"""Reading the kernel's netlink, and asking devlink."""

import errno
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbay_sriov import devlink, netlink

ATTRIBUTES = st.lists(st.tuples(st.integers(0, 0x3FFF), st.binary(max_size=40)), max_size=8)


@given(attributes=ATTRIBUTES)
def test_attributes_are_read_as_they_are_written(attributes: list[tuple[int, bytes]]) -> None:
    """Whatever their length: each begins at a multiple of four bytes."""
    packed = b"".join(netlink.attribute(kind, value) for kind, value in attributes)

    assert list(netlink.attributes(packed)) == attributes


@given(data=st.binary(max_size=200))
def test_noise_ends(data: bytes) -> None:
    """What is no message holds nothing up and raises nothing."""
    assert len(list(netlink.messages(data))) <= len(data)
    assert len(list(netlink.attributes(data))) <= len(data)


def test_a_refusal_is_an_error() -> None:
    """The kernel's reason becomes the error's number."""
    with pytest.raises(OSError, match="refused") as caught:
        list(netlink.ask(0, 0x3FF0, bytes(16), dump=False))

    assert caught.value.errno in {errno.EOPNOTSUPP, errno.EINVAL, errno.EPERM}


def test_the_kernel_answers_a_dump() -> None:
    """Every Linux has an interface ``lo``: it comes, and others, until the kernel says that it is done."""
    found = list(netlink.ask(0, 18, struct.pack("=BBHiII", 0, 0, 0, 0, 0, 0)))

    names = [dict(netlink.attributes(payload[16:])).get(3) for payload in found]
    assert b"lo\0" in names


def test_without_devlink_nothing_is_known() -> None:
    """A function that no driver tells devlink of runs no version."""
    assert not devlink.running_version("ffff:ff:1f.7", "fw.app.name")
