"""Layers of one configuration: what is said first, what is laid over it, and who said what in the end.

Pure. A layer is a source's part: a file's own sections, one of its overlays, a variable, a flag. Mappings are merged
key by key, however deep; lists and single values are replaced.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Keys: TypeAlias = tuple[str, ...]
"""The way from a document's root to a value."""

_REPLACED = {("backends",)}
"""Mappings whose order of lines is what they mean: merged, a line would come too late to count."""

_PUT_FIRST = {("resources",)}
"""Mappings in which an earlier pattern counts before a later one: what is laid over another is put before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One source's part.

    Attributes:
        name: the file, variable or flag, as messages begin.
        place: where in the file the part stands; empty for the file as a whole, and for what is no file's.
        keys: which value it sets as a whole; empty where `value` is a document of its own.
        value: what it says.
    """

    name: str
    place: Keys = ()
    keys: Keys = ()
    value: Any = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """Layers in one document.

    Attributes:
        base: the lowest.
        document: what they say together.
        origins: which layer but `base` set a value, by its keys.
    """

    base: Layer
    document: Mapping[str, Any] = field(hash=False)
    origins: Mapping[Keys, Layer] = field(hash=False)

    def origin(self, keys: Keys) -> Layer | None:
        """Return the layer that set a value; None if nobody did, so that it has its default."""
        for length in range(len(keys), 0, -1):
            if (layer := self.origins.get(keys[:length])) is not None:
                return layer if not layer.keys or _has(layer.value, keys[length:]) else None
        return self.base if _has(self.base.value, keys) else None

    def behind(self, keys: Keys) -> tuple[Layer, ...]:
        """Return the layers to blame for a value: those that set it or parts of it, the lowest where none did."""
        found = [layer for made, layer in self.origins.items() if all(a == b for a, b in zip(made, keys, strict=False))]
        return tuple(found) or (self.base,)


def merge(layers: Sequence[Layer]) -> Merged:
    """Return what layers say together; the first is the base, and each later one counts before those under it."""
    base, *others = layers
    document: dict[str, Any] = dict(base.value)
    origins: dict[Keys, Layer] = {}
    for layer in others:
        if layer.keys:
            document = _with(document, layer.keys, layer.value)
            _note(origins, layer.keys, layer)
        else:
            said = {
                key: value for key, value in layer.value.items() if value is not None
            }  # an empty section says nothing
            document = _over(document, said, (), layer, origins)
    return Merged(base=base, document=document, origins=origins)


def _over(
    under: Mapping[str, Any], over: Mapping[str, Any], keys: Keys, layer: Layer, origins: dict[Keys, Layer]
) -> dict[str, Any]:
    merged = dict(under)
    for key, value in over.items():
        here = (*keys, str(key))
        below = under.get(key)
        if isinstance(value, dict) and (isinstance(below, dict) or below is None) and here not in _REPLACED:
            merged[key] = _over(below or {}, value, here, layer, origins)
            if not value and below is None:
                _note(origins, here, layer)
        else:
            merged[key] = value
            _note(origins, here, layer)
    if keys in _PUT_FIRST:
        return {key: merged[key] for key in (*(k for k in over if k not in under), *under)}
    return merged


def _with(document: Mapping[str, Any], keys: Keys, value: object) -> dict[str, Any]:
    first, *rest = keys
    if not rest:
        return {**document, first: value}
    inner = document.get(first)
    return {**document, first: _with(inner if isinstance(inner, dict) else {}, tuple(rest), value)}


def _note(origins: dict[Keys, Layer], keys: Keys, layer: Layer) -> None:
    for inner in [known for known in origins if known[: len(keys)] == keys]:
        del origins[inner]
    origins[keys] = layer


def _has(value: Any, keys: Keys) -> bool:
    for key in keys:
        if isinstance(value, list) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        elif isinstance(value, dict) and key in value:
            value = value[key]
        else:
            return False
    return True
