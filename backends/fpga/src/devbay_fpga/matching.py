"""Which devices a rule of the settings means: patterns over what is known of them. Pure.

A selector maps names of attributes to what they must be: text with ``*``, ``?`` and ``[...]`` against the whole value,
a number or a truth value, or a list of any of them. All keys must hold.
"""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import TypeAlias

from devbay.api import Attribute

Wanted: TypeAlias = str | int | tuple[str | int, ...]
Select: TypeAlias = dict[str, Wanted]


def check(select: Select) -> None:
    """Refuse a selector that means nothing.

    Raises:
        ValueError: it has no keys, or a key without a value.
    """
    if not select:
        raise ValueError("select needs at least one key, such as pci_address, product or id")
    for name, wanted in select.items():
        if wanted in ("", ()):
            raise ValueError(f"select.{name} is empty, which selects no device")


def matches(select: Select, attributes: Mapping[str, Attribute]) -> bool:
    """Whether a device with these attributes is meant.

    >>> matches({"product": "u2*", "port": [0, 1]}, {"product": "u200", "port": 1})
    True
    """
    return all(name in attributes and _is(wanted, attributes[name]) for name, wanted in select.items())


def _is(wanted: Wanted, value: Attribute) -> bool:
    if isinstance(wanted, str | int):
        return fnmatchcase(_written(value), _written(wanted))
    return any(_is(each, value) for each in wanted)


def _written(value: Attribute) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
