"""The section of the configuration."""

import re
from pathlib import Path

import msgspec
import pytest

from devbay_mock import Settings

README = Path(__file__).parents[3] / "backends/mock/README.md"


def test_defaults_are_the_guides() -> None:
    """Without a section the backend looks for the guide's accelerators, and makes none."""
    settings = msgspec.convert({}, Settings)

    assert (settings.root, settings.device_dir) == ("/sys/class/custom-accelerator", "/dev")
    assert settings.resource == "example.com/custom-accelerator"
    assert (settings.max_error_count, settings.max_temperature) == (100, 85)
    assert (settings.count, settings.annotations) == (0, False)


@pytest.mark.parametrize(
    ("section", "complaint"),
    [
        ({"count": -1}, "`int` >= 0"),
        ({"count": 10_001}, "`int` <= 10000"),
        ({"count": "four"}, "Expected `int`"),
        ({"root": "class"}, "matching regex"),
        ({"device_prefix": "a/b"}, "matching regex"),
        ({"prefix": "a b"}, "matching regex"),
        ({"prefix": ""}, "matching regex"),
        ({"prefix": "x" * 49}, "length <= 48"),
        ({"env_prefix": "1A"}, "matching regex"),
        ({"env": ["NAME"]}, "Invalid enum value 'NAME'"),
        ({"max_error_count": -1}, "`int` >= 0"),
        ({"library_mount": "maybe"}, "Invalid enum value 'maybe'"),
        ({"container_path": "dev/x{index}"}, "matching regex"),
        ({"container_path": "/dev/accelerator"}, r"container_path needs \{index\} or \{id\}"),
        ({"container_path": "/dev/{n}"}, r"container_path has \{n\}; it knows \{index\} and \{id\}"),
        ({"devices": 4}, "unknown field `devices`"),
    ],
)
def test_what_does_not_fit_is_refused(section: dict[str, object], complaint: str) -> None:
    """A value out of its bounds is the operator's error, found before anything runs."""
    with pytest.raises(msgspec.ValidationError, match=complaint):
        msgspec.convert(section, Settings)


def test_every_key_is_documented() -> None:
    """The README's table has one row per key, in order: name, default and the words of the type."""
    _, _, chapter = README.read_text().partition("## Settings")
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+) \|$", chapter, re.MULTILINE)

    assert rows == [
        (field.name, _default(field.default), _meaning(field)) for field in msgspec.structs.fields(Settings)
    ]


def _default(value: object) -> str:
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`[{', '.join(value)}]`"
    return f"`{value}`" if value != "" else "empty"


def _meaning(field: msgspec.structs.FieldInfo) -> str:
    meta = field.type.__metadata__[0]
    return str(meta.description)
