"""A configuration's text as plain data that remembers where it stood.

JSON as the SR-IOV network device plugin reads it, with the slips that people make in it (a comma before a closing
bracket, comments, tabs), and YAML: one reader for both. What is no such text is an error with line and column.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeAlias

import yaml

Keys: TypeAlias = tuple[str | int, ...]
Place: TypeAlias = tuple[int, int]
"""Line and column, both from 1."""


class UnreadableError(ValueError):
    """A text that is no document. The text of the error has place and remedy."""


@dataclass(frozen=True, slots=True)
class Document:
    """Plain data, and where each part of it stood.

    Attributes:
        data: what was written.
        places: where each value stood, by its keys; a key of a mapping stands where it was written.
        twice: keys that were written twice in one mapping.
    """

    data: Any
    places: Mapping[Keys, Place] = field(default_factory=lambda: MappingProxyType({}))
    twice: tuple[Keys, ...] = ()


def read(text: str) -> Document:
    """Return what a text says.

    Raises:
        UnreadableError: it is neither JSON nor YAML.
    """
    try:
        # Columns stay, and no text within quotes may hold a bare tab, in JSON; YAML would refuse it as indentation.
        root = yaml.compose(text.replace("\t", " "), Loader=yaml.SafeLoader)
        places: dict[Keys, Place] = {}
        twice: list[Keys] = []
        data = None if root is None else _plain(root, (), places, twice)
    except yaml.MarkedYAMLError as error:
        raise UnreadableError(_words(error)) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UnreadableError(f"it cannot be read: {error}") from None
    return Document(data, places, tuple(twice))


def _plain(node: yaml.Node, keys: Keys, places: dict[Keys, Place], twice: list[Keys]) -> Any:
    places.setdefault(keys, _place(node))
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, (*keys, number), places, twice) for number, item in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        return dict(_pairs(node, keys, places, twice))
    return yaml.SafeLoader("").construct_object(node)


def _pairs(
    node: yaml.MappingNode, keys: Keys, places: dict[Keys, Place], twice: list[Keys]
) -> Iterator[tuple[str, Any]]:
    seen: set[str] = set()
    for key, value in node.value:
        name = str(key.value)
        here = (*keys, name)
        if name in seen:
            twice.append(here)
        seen.add(name)
        places[here] = _place(key)
        yield name, _plain(value, here, places, twice)


def _place(node: yaml.Node) -> Place:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _words(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    problem = (error.problem or "it cannot be read").replace("<stream end>", "the end of the text")
    context = f" {error.context}" if error.context else ""
    begun = f" that begins in line {error.context_mark.line + 1}" if error.context_mark and context else ""
    is_syntax = "expected" in problem or "found" in problem
    hint = "; is a comma, a quote or a bracket missing before it?" if is_syntax else ""
    return f"{where}{problem}{context}{begun}{hint}"
