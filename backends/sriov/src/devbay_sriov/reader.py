"""Reading plain data that a person wrote, and noting what is wrong with it instead of falling over it. Pure.

Keys are told whatever their case, and each value is handed on with where it stood. What the keys mean is in
`devbay_sriov.config`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, TypeAlias

from devbay_sriov.document import Keys
from devbay_sriov.pooling import Problem

Found: TypeAlias = tuple[Any, Keys]
"""A value, and where it stood."""

COUNTS = frozenset({"numaNodes", "acpiIndexes"})
"""Keys whose values may be written as numbers."""


class Reader:
    """Reads values, and keeps what is wrong in `problems`."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def problem(self, keys: Keys, text: str) -> None:
        """Note that something is wrong."""
        self.problems.append(Problem(keys, text))

    def texts(self, section: Mapping[str, Found], key: str) -> tuple[str, ...]:
        """Return a list of texts; none where there is nothing."""
        data, keys = section.get(key.lower(), (None, ()))
        # Unquoted, 0012 would be ten: hexadecimal digits are texts, and only plain counts are numbers.
        kinds = (str, int) if key in COUNTS else (str,)
        plain = [item for item in self.items(data, keys) if isinstance(item, kinds) and not isinstance(item, bool)]
        if isinstance(data, list) and len(plain) < len(data):
            self.problem(keys, 'expected a list of texts, each in quotes, such as ["8086"]')
        return tuple(map(str, plain))

    def flag(self, section: Mapping[str, Found], key: str) -> bool:
        """Return a truth value; false where there is none."""
        data, keys = section.get(key.lower(), (None, ()))
        if data is not None and not isinstance(data, bool):
            self.problem(keys, f"expected true or false, not {data!r}")
        return data is True

    def one_of(self, section: Mapping[str, Found], key: str, known: Sequence[str], otherwise: str) -> str:
        """Return one of the known texts; `otherwise` where there is none."""
        data, keys = section.get(key.lower(), (None, ()))
        if data is None or data == "":
            return otherwise
        if data not in known:
            self.problem(keys, f"{data!r} is not known{nearest(str(data), known)}")
            return otherwise
        return str(data)

    def items(self, data: object, at: Keys) -> list[Any]:
        """Return a list; an empty one where there is nothing."""
        if data is None:
            return []
        if not isinstance(data, list):
            self.problem(at, f"expected a list, not {_shown(data)}" + (f'; write ["{data}"]' * isinstance(data, str)))
            return []
        return data

    def mapping(
        self,
        data: object,
        at: Keys,
        known: Sequence[str],
        hint: Callable[[str], str] = lambda _: "",
        ignored: Sequence[str] = (),
    ) -> dict[str, Found]:
        """Return what is under each known key, by the key in lower case, with where it stood.

        `hint` may know better what an unknown key, in lower case, was meant for; `ignored` ones are read in silence.
        """
        if not isinstance(data, dict):
            self.problem(at, f"expected an object with keys, not {_shown(data)}")
            return {}
        names = {name.lower(): name for name in known}
        section: dict[str, Found] = {}
        for key, value in data.items():
            folded = str(key).lower()
            if folded in names:
                section[folded] = (value, (*at, str(key)))
            elif folded not in ignored:
                told = hint(folded) or f"unknown key{nearest(str(key), known)}"
                self.problem((*at, str(key)), told)
        return section


def nearest(text: str, known: Sequence[str]) -> str:
    """Return which known text was probably meant, as the end of a sentence."""
    folded = {name.lower(): name for name in known}
    close = get_close_matches(text.lower(), folded, n=1)
    return f"; did you mean {folded[close[0]]!r}?" if close else f"; known are {', '.join(known)}"


def _shown(data: object) -> str:
    names: Iterator[str] = (
        name for kind, name in ((dict, "an object"), (list, "a list"), (str, "a text")) if isinstance(data, kind)
    )
    return next(names, "nothing" if data is None else repr(data))
