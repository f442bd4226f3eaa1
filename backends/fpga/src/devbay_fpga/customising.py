"""AMD's rules for names of one's own, as their device plugin reads them from ``NameCustomize.json``. Pure.

A key is ``<deviceType>-<shellVer>-<timestamp or uuid>``, each part ``*`` or equal but for case; a third part of six
characters is tried as the uuid first. An expression joins field names and quoted words with ``+``
(``server.go``, ``getMatchKey`` and ``getModifiedDSAtype``). What there ends the process, or chooses by chance among
several keys, is refused here when it is read, or decided by order.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

FIELDS = ("index", "shellVer", "deviceType", "uuid", "timestamp", "DBDF", "deviceID", "SN")
MAX_LENGTH = 60
_PARTS = 3
_UUID = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """One line of the file: the cards it is for, and what their name is made of.

    Attributes:
        card: the device type, the shell and the timestamp or uuid that a card must have.
        words: field names, and quoted words with their quotes.
    """

    card: tuple[str, str, str]
    words: tuple[str, ...]

    def means(self, fields: Mapping[str, str]) -> bool:
        """Whether it is for a card with these fields."""
        kind, shell, last = self.card
        if not (_same(kind, fields["deviceType"]) and _same(shell, fields["shellVer"])):
            return False
        return (len(last) == _UUID and _same(last, fields["uuid"])) or _same(last, fields["timestamp"])

    def name(self, fields: Mapping[str, str]) -> str:
        """Return the name of a card with these fields."""
        return "".join(word[1:-1] if word.startswith("'") else fields[word] for word in self.words)


def parse(key: str, text: str) -> Expression:
    """Return what one line of the file says.

    Raises:
        ValueError: the key has not three parts, or the expression names no field; the text says what would do.

    >>> parse("u200-*-*", "deviceType+'-fast'").name({"deviceType": "u200"})
    'u200-fast'
    """
    parts = key.split("-")
    if len(parts) != _PARTS:
        raise ValueError(f"customize: {key!r} must read <deviceType>-<shellVer>-<timestamp or uuid>, in three parts")
    words = tuple(word.strip() for word in text.split("+"))
    for word in words:
        if word not in FIELDS and not (len(word) > 1 and word[0] == word[-1] == "'"):
            known = ", ".join(FIELDS)
            raise ValueError(f"customize: {word!r} in {text!r} is neither a 'quoted word' nor one of {known}")
    return Expression(card=(parts[0], parts[1], parts[2]), words=words)


def customised(expressions: Iterable[Expression], fields: Mapping[str, str]) -> str:
    """Return the name that the first expression for a card makes; nothing where none is, or it grew too long."""
    found = next((each for each in expressions if each.means(fields)), None)
    name = "" if found is None else found.name(fields)
    return name if len(name) <= MAX_LENGTH else ""


def _same(wanted: str, value: str) -> bool:
    return wanted in ("*", value) or wanted.casefold() == value.casefold()
