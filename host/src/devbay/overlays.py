"""The list ``nodes:`` of a document: what is said for some nodes only, so that one file serves a mixed fleet.

Pure. Each entry is an overlay: ``match``, a glob of node names or a list of them, and a partial configuration. All
that match a node's name are laid over the rest of the document, in their order.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any

from devbay.layers import Layer
from devbay.misfits import Misfit

SECTION = "nodes"
"""What the list is called in a document; nothing else may be called so."""

_MATCH = "match"


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlay:
    """What is said for the nodes that match one of `patterns`.

    Attributes:
        number: its place in the list, from 0.
        patterns: globs of node names.
        document: the partial configuration.
    """

    number: int
    patterns: tuple[str, ...]
    document: Mapping[str, Any] = field(hash=False)

    def matches(self, node_name: str) -> bool:
        """Whether this is about a node."""
        return any(fnmatchcase(node_name, pattern) for pattern in self.patterns)

    def layer(self, file: str) -> Layer:
        """Return this as a layer of a file."""
        return Layer(name=file, place=(SECTION, str(self.number)), value=self.document)


def parse(value: object) -> tuple[tuple[Overlay, ...], tuple[Misfit, ...]]:
    """Return the overlays of a document's list, and what of it is none; the keys start at the document's root."""
    if value is None:
        return (), ()
    if not isinstance(value, list):
        example = "write '- match: gpu-*' with sections beside it"
        return (), (Misfit(keys=(SECTION,), problem=f"expected a list of overlays, not {value!r}; {example}"),)
    misfits: list[Misfit] = []
    overlays: list[Overlay] = []
    for number, entry in enumerate(value):
        if found := list(_misfits(entry)):
            misfits += [Misfit(keys=(SECTION, str(number), *each.keys), problem=each.problem) for each in found]
        else:
            document = {key: part for key, part in entry.items() if key != _MATCH}
            overlays.append(Overlay(number=number, patterns=_patterns(entry[_MATCH]), document=document))
    return tuple(overlays), tuple(misfits)


def _misfits(entry: object) -> Iterator[Misfit]:
    if not isinstance(entry, dict):
        yield Misfit(problem=f"expected a mapping with match and sections, not {entry!r}")
        return
    if _MATCH not in entry:
        near = get_close_matches(_MATCH, [str(key) for key in entry], n=1)
        meant = f"; is {near[0]!r} meant to be match?" if near else ""
        yield Misfit(problem=f"no match says which nodes this is for; write match: 'gpu-*', or a list of globs{meant}")
    else:
        yield from _bad_patterns(entry[_MATCH])
    if SECTION in entry:
        yield Misfit(keys=(SECTION,), problem="an overlay has no overlays; write another entry of nodes")
    node = entry.get("node")
    if isinstance(node, dict) and "name" in node:
        problem = "an overlay is chosen by the node's name, so it cannot set it; set NODE_NAME on the node"
        yield Misfit(keys=("node", "name"), problem=problem)


def _bad_patterns(match: object) -> Iterator[Misfit]:
    patterns = match if isinstance(match, list) else [match]
    if not patterns:
        yield Misfit(keys=(_MATCH,), problem="an empty list matches no node; write a glob of node names, such as gpu-*")
    for number, pattern in enumerate(patterns):
        keys = (_MATCH, str(number)) if isinstance(match, list) else (_MATCH,)
        if not isinstance(pattern, str):
            yield Misfit(keys=keys, problem=f"expected a glob of node names, not {pattern!r}; put it in quotes")
        elif not pattern or any(character.isspace() or character in ",;" for character in pattern):
            yield Misfit(keys=keys, problem=f"{pattern!r} matches no node's name; several globs are a list: [a-*, b-*]")


def _patterns(match: str | Sequence[str]) -> tuple[str, ...]:
    return (match,) if isinstance(match, str) else tuple(match)
