"""The section of the configuration."""

import re
from pathlib import Path

import msgspec
import pytest

from devbay_nvidia import Settings

README = Path(__file__).parents[3] / "backends/nvidia/README.md"


@pytest.mark.parametrize(
    ("given", "strategies"),
    [
        ("envvar", ("envvar",)),
        ("envvar,cdi-cri,envvar", ("envvar", "cdi-cri")),
        (["envvar", "cdi-annotations"], ("envvar", "cdi-annotations")),
    ],
)
def test_strategies_are_one_or_several(given: object, strategies: tuple[str, ...]) -> None:
    """A strategy may be written alone or in a list (NVIDIA's own tests, FL1 and FL2)."""
    assert msgspec.convert({"device_list_strategy": given}, Settings).strategies == strategies


def test_xids_of_a_file_and_of_a_variable() -> None:
    """YAML has numbers for keys and a variable has text; both mean the same."""
    for section in ({"xids": {79: "ignore"}}, {"xids": {"79": "ignore"}}):
        assert msgspec.convert(section, Settings).meanings == {79: "ignore"}


@pytest.mark.parametrize("given", [{}, {"imex_channel_ids": []}, {"imex_channel_ids": [0]}])
def test_imex_channels(given: dict[str, object]) -> None:
    """No channel and channel 0 are what there is (NVIDIA's own tests, FL10 to FL14)."""
    assert msgspec.convert(given, Settings).imex_channel_ids in ((), (0,))


@pytest.mark.parametrize(
    ("section", "complaint"),
    [
        ({"imex_channel_ids": [2]}, "Invalid enum value 2"),
        ({"imex_channel_ids": [0, 0]}, "length <= 1"),
        ({"mig_strategy": "both"}, "Invalid enum value 'both'"),
        ({"device_list_strategy": "env"}, "'env' is none of envvar, volume-mounts, cdi-annotations, cdi-cri"),
        ({"device_list_strategy": ["env"]}, "Invalid enum value 'env'"),
        ({"xids": {"-1": "ignore"}}, "'-1' is no XID"),
        ({"device_id_strategy": "name"}, "Invalid enum value 'name'"),
        ({"xids": {"79": "panic"}}, "Invalid enum value 'panic'"),
        ({"recovery_seconds": -1}, ">= 0"),
        ({"driver_root": "driver"}, "matching regex"),
        ({"nvml": "real"}, "matching regex"),
        ({"resources": {"gpus": [{"name": "$invalid$"}]}}, "is no resource of nvidia.com"),
        ({"resources": {"gpus": [{"name": "amd.com/gpu"}]}}, "is no resource of nvidia.com"),
        ({"resources": {"gpus": [{"name": "x" * 53}]}}, "at most 63"),
        ({"resources": {"mig": [{"name": "small", "patern": "1g.*"}]}}, "unknown field `patern`"),
        ({"migStrategy": "single"}, "unknown field `migStrategy`"),
    ],
)
def test_what_does_not_fit_is_refused(section: dict[str, object], complaint: str) -> None:
    """A value out of its bounds is the operator's error, found before anything runs (FL15 is NVIDIA's own)."""
    with pytest.raises(msgspec.ValidationError, match=re.escape(complaint)):
        msgspec.convert(section, Settings, strict=False)


def test_every_key_is_documented() -> None:
    """The README's table has one row per key, in order: name, default and the words of the type."""
    _, _, chapter = README.read_text().partition("## Settings")
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+) \|$", chapter, re.MULTILINE)

    assert rows == [
        (field.name, _default(field), field.type.__metadata__[-1].description)
        for field in msgspec.structs.fields(Settings)
    ]


def _default(field: msgspec.structs.FieldInfo) -> str:
    value = field.default
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`[{', '.join(value)}]`"
    if isinstance(value, str | int):
        return f"`{value}`" if value != "" else "empty"
    return "`{}`"
