"""Reading the kernel's files: numbers as drivers print them, names in their order, errors one at a time."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devbay_fpga import pci, sysfs

PATIENT = settings(deadline=None)
"""A busy machine may take its time."""


@PATIENT
@given(st.integers(0, 2**64 - 1), st.sampled_from(["{}", "{:#x}", "{:#010x}", "0{}", " {}\n"]))
def test_numbers_are_read_as_they_are_printed(value: int, form: str) -> None:
    """A number in any of the kernel's forms is that number: `0x0` is no text that is not empty."""
    assert sysfs.number(form.format(value)) == value


@PATIENT
@given(st.text())
def test_any_text_is_a_number_or_none(text: str) -> None:
    """Whatever a driver prints, nothing is raised."""
    assert isinstance(sysfs.number(text), int | None)


@PATIENT
@given(st.lists(st.integers(0, 10**6), unique=True))
def test_names_are_in_the_order_of_their_numbers(numbers: list[int]) -> None:
    """`region10` comes after `region9`."""
    names = [f"region{number}" for number in numbers]

    assert sorted(names, key=sysfs.natural) == [f"region{number}" for number in sorted(numbers)]


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    """An error is the file's own, and says which file; what may be missing is nothing."""
    with pytest.raises(OSError, match="Is a directory") as raised:
        sysfs.read(tmp_path)

    assert sysfs.unreadable(tmp_path, raised.value) == f"{tmp_path.name} cannot be read: Is a directory"
    assert (sysfs.peek(tmp_path), sysfs.peek(tmp_path / "none"), sysfs.entries(tmp_path / "none")) == ("", "", [])


@PATIENT
@given(st.integers(0, 0xFFFF), st.integers(0, 255), st.integers(0, 31), st.integers(0, 7))
def test_a_functions_number(domain: int, bus: int, device: int, function: int) -> None:
    """XRT's number of a function counts domains by 65536, buses by 256, devices by 8."""
    address = f"{domain:04x}:{bus:02x}:{device:02x}.{function}"

    assert pci.instance(address) == domain * 65536 + bus * 256 + device * 8 + function
