"""Names of CDI devices, and where a container asks for them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbay.simulator.cdi import InvalidName, QualifiedName, parse_name, requested


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("example.com/widget=a", ("example.com", "widget", "a")),
        ("vendor/cl.a_s-s=0000:41:00.0", ("vendor", "cl.a_s-s", "0000:41:00.0")),
        ("Ve_n-d.or1/class1=9", ("Ve_n-d.or1", "class1", "9")),
    ],
)
def test_cdi_1_a_qualified_name_has_three_parts(name: str, parts: tuple[str, str, str]) -> None:
    """CDI behaviour 1: a name is vendor/class=name, and says the same again."""
    assert parse_name(name) == QualifiedName(*parts)
    assert str(parse_name(name)) == name


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "missing vendor"),
        ("/dev/null", "missing vendor"),
        ("widget=a", "missing vendor"),
        ("example.com/widget", "missing vendor"),
        ("example.com/widget=", "missing vendor"),
        ("=a", "missing vendor"),
        ("/widget=a", "missing vendor"),
        ("1example.com/widget=a", "should start with letter"),
        ("example.com-/widget=a", "should end with a letter or digit"),
        ("exa mple/widget=a", "invalid character ' '"),
        ("example.com/wid/get=a", "invalid class. invalid character '/'"),
        ("v/widget=a", "crashes on a name of one character"),
        ("example.com/w=a", "crashes on a name of one character"),
        ("example.com/widget=a/b", "invalid character '/' in device name"),
        ("example.com/widget=a=b", "invalid character '=' in device name"),
        ("example.com/widget=:a", "should start with a letter or digit"),
        ("example.com/widget=a.", "should end with a letter or digit"),
    ],
)
def test_cdi_1_a_name_that_is_none_says_why(name: str, why: str) -> None:
    """CDI behaviour 1: what is not a qualified name is refused in the library's words."""
    with pytest.raises(InvalidName) as error:
        parse_name(name)

    assert why in str(error.value)


@given(st.text(max_size=12), st.text(max_size=12), st.text(max_size=12))
def test_cdi_1_what_parses_is_what_was_put_together(vendor: str, class_name: str, name: str) -> None:
    """CDI behaviour 1: a name that is accepted has exactly the characters that names may have."""
    try:
        parsed = parse_name(f"{vendor}/{class_name}={name}")
    except InvalidName:
        return

    assert str(parsed) == f"{vendor}/{class_name}={name}"
    assert (vendor + class_name + name).isascii()
    assert parsed.vendor[0].isalpha()
    assert not set(parsed.vendor + parsed.class_name) & set("/=: ")


def test_cdi_1_annotations_come_after_the_field_and_nothing_twice() -> None:
    """CDI behaviour 1: devices of cdi.k8s.io annotations follow those of the field, each once, and no other's."""
    annotations = {
        "cdi.k8s.io/vendor.com_b": "example.com/widget=c,example.com/widget=a",
        "cdi.k8s.io/vendor.com_a": "example.com/widget=b",
        "example.com/other": "not a name",
    }

    assert requested(["example.com/widget=a", "anything", "anything"], annotations) == (
        "example.com/widget=a",
        "anything",
        "example.com/widget=b",
        "example.com/widget=c",
    )


@pytest.mark.parametrize("value", ["", "widget", "example.com/widget=a,", "example.com/widget=a, example.com/widget=b"])
def test_cdi_1_an_annotation_with_an_invalid_name_is_an_error(value: str) -> None:
    """CDI behaviour 1: one name that is none fails the whole request."""
    with pytest.raises(InvalidName, match=r"^invalid CDI device name "):
        requested([], {"cdi.k8s.io/x": value})
