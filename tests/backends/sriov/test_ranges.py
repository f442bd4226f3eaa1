"""Numbers of functions as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbay_sriov import ranges

SPANS = st.lists(
    st.tuples(st.integers(0, 300), st.integers(0, 300)).map(lambda pair: (min(pair), max(pair))), min_size=1
)


@given(spans=SPANS, index=st.integers(-1, 301))
def test_what_is_written_is_what_is_meant(spans: list[tuple[int, int]], index: int) -> None:
    """A number is meant if and only if one of the items holds it; no number is in no range."""
    items = [f"{first}" if first == last else f"{first}-{last}" for first, last in spans]

    found = ranges.parse(f"ens1f0#{','.join(items)}")

    assert found.holds("ens1f0", index) == any(first <= index <= last for first, last in spans)
    assert not found.holds("ens1f1", index)


@given(text=st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing that a person may type does anything but select, or say what is wrong."""
    complaint = ""
    try:
        ranges.parse(text)
    except ValueError as error:
        complaint = str(error)

    assert not complaint or repr(text) in complaint


@pytest.mark.parametrize(
    ("text", "name", "index", "holds"),
    [
        ("0000:86:00.0", "0000:86:00.0", -1, True),
        ("0000:86:00.0", "0000:a0:00.0", -1, False),
        ("0000:86:00.1#1", "0000:86:00.1", 1, True),
        *[("0000:86:00.2#0-2,5,7", "0000:86:00.2", index, True) for index in (0, 1, 2, 5, 7)],
        *[("0000:86:00.2#0-2,5,7", "0000:86:00.2", index, False) for index in (-1, 3, 4, 6)],
        ("ENS1F0", "ens1f0", 3, True),
    ],
)
def test_known_answers(text: str, name: str, index: int, holds: bool) -> None:  # noqa: FBT001 - a column of a table
    """The network device plugin's own cases have its answers."""
    assert ranges.parse(text).holds(name, index) is holds


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("eth0#1#2", "'1#2' where a number"),
        ("eth0#0-", "'0-' where a number"),
        ("eth0#0-1-2", "write it as eth0#0-3,7"),
        ("eth0#0, 1", "' 1' where a number"),
        ("eth0#", "'' where a number"),
        ("eth0#4-2", "goes down and holds no number; write 2-4"),
        ("#1", "has no name"),
    ],
)
def test_what_follows_no_grammar_is_refused(text: str, complaint: str) -> None:
    """A slip is told, where it selected nothing in silence before."""
    with pytest.raises(ValueError, match=complaint):
        ranges.parse(text)
