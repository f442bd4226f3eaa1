"""Numbers of functions as people write them: ``ens1f0#0-3,7``. Pure.

The grammar is ``<name>["#" item ("," item)*]``, an item a number or two with ``-`` between, both meant. Without ``#``
all is meant.
"""

import re
from dataclasses import dataclass

_ITEM = re.compile(r"([0-9]{1,6})(?:-([0-9]{1,6}))?")


@dataclass(frozen=True, slots=True)
class Ranged:
    """A name, and which numbers of it.

    Attributes:
        name: as it is compared: in lower case.
        spans: first and last of each run of numbers; None means whatever number, and also none at all.
    """

    name: str
    spans: tuple[tuple[int, int], ...] | None = None

    def holds(self, name: str, index: int) -> bool:
        """Return whether number `index` of `name`, in lower case, is meant; -1 is no number."""
        if name != self.name:
            return False
        return self.spans is None or any(first <= index <= last for first, last in self.spans)

    def __str__(self) -> str:
        if self.spans is None:
            return self.name
        spans = (f"{first}" if first == last else f"{first}-{last}" for first, last in self.spans)
        return f"{self.name}#{','.join(spans)}"


def parse(text: str) -> Ranged:
    """Return what was written.

    Raises:
        ValueError: it follows no grammar; the text says what would.

    >>> parse("ens1f0#0-3,7").spans
    ((0, 3), (7, 7))
    """
    name, mark, numbers = text.partition("#")
    if not name:
        raise ValueError(f"{text!r} has no name before the '#'")
    return Ranged(name.lower(), tuple(_span(item, text) for item in numbers.split(",")) if mark else None)


def _span(item: str, text: str) -> tuple[int, int]:
    found = _ITEM.fullmatch(item)
    if found is None:
        raise ValueError(f"{text!r} has {item!r} where a number or a range is due; write it as {_example(text)}")
    first, last = int(found[1]), int(found[2] or found[1])
    if last < first:
        raise ValueError(f"{text!r} has the range {item!r}, which goes down and holds no number; write {last}-{first}")
    return first, last


def _example(text: str) -> str:
    return f"{text.partition('#')[0]}#0-3,7"
