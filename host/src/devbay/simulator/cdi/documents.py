"""The text of a CDI file as plain data, read as strictly as runtimes read it, and as loosely. Pure.

Runtimes read both kinds of file as YAML 1.1, strictly, and then into typed fields (pkg/cdi/spec.go:255-262,
sigs.k8s.io/yaml): a key that occurs twice is an error and so is an escape that only JSON has, while null is the same as
nothing, the case of keys does not matter, a bare number or boolean serves where a text is wanted, and what follows the
first document is not looked at. podman was asked about each of these.
"""

import json
import re
from collections.abc import Hashable, Iterable
from typing import Any

import yaml

_TAG = "tag:yaml.org,2002:"
_BOOL = re.compile(r"(?:y|Y|yes|Yes|YES|n|N|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$")
_INT = re.compile(r"[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)$")
_FLOAT = re.compile(r"(?:[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan)$")
_REPLACED = {f"{_TAG}{kind}" for kind in ("bool", "int", "float", "timestamp")}
_NOT_YAML = re.compile(r"(?<!\\)(?:\\\\)*\\(/|u[dD][89a-fA-F])")
"""Escapes in JSON that runtimes refuse: of a slash, and of a character in two halves."""
_HALF = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile("[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that are no part of a YAML text, though JSON has some of them."""

_TEXTS = (
    *("cdiVersion", "kind", "name", "path", "hostPath", "type", "permissions", "containerPath", "hookName"),
    *("closID", "l3CacheSchema", "memBwSchema", "hostInterfaceName"),
)
_LISTS_OF_TEXTS = ("env", "options", "args", "schemata")
_OTHERS = (
    *("annotations", "devices", "containerEdits", "deviceNodes", "netDevices", "hooks", "mounts", "intelRdt"),
    *("additionalGids", "major", "minor", "fileMode", "uid", "gid", "timeout", "enableMonitoring"),
)
_KEYS = {key.lower(): key for key in (*_TEXTS, *_LISTS_OF_TEXTS, *_OTHERS)}


class Unreadable(ValueError):  # noqa: N818 - says what is wrong with what was read
    """A text that is neither YAML nor JSON, or that names a key twice."""


class _Loader(yaml.SafeLoader):
    """YAML as runtimes read it: no key twice, no numbers to the base of 60 (``41:00.0`` is a text), no dates."""

    bool_values = {**yaml.SafeLoader.bool_values, "y": True, "n": False}  # noqa: RUF012 - the base class's own way

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> str:
        value = str(super().construct_scalar(node))
        if _HALF.search(value):
            raise Unreadable("found invalid Unicode character escape code")
        return value

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        self.flatten_mapping(node)  # what is merged in counts as written here
        _refuse_twice([key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)])
        return super().construct_mapping(node, deep=deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _REPLACED]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(f"{_TAG}bool", _BOOL, list("yYnNtTfFoO"))
_Loader.add_implicit_resolver(f"{_TAG}int", _INT, list("-+0123456789"))
_Loader.add_implicit_resolver(f"{_TAG}float", _FLOAT, list("-+0123456789."))


def read(text: str) -> object:
    """Return what a file says: mappings, lists, texts, numbers and booleans, without what is null.

    Raises:
        Unreadable: it cannot be read.
    """
    try:
        return _plain(_load(text))
    except Unreadable:
        raise
    except RecursionError as error:
        raise Unreadable("nested too deeply") from error
    except Exception as error:  # a value that is not of its tag's type raises whatever int() or dict do
        raise Unreadable(" ".join(str(error).split())) from error


def _load(text: str) -> object:
    try:
        # JSON is YAML; only PyYAML thinks otherwise where tabs indent it.
        document: object = json.loads(text, object_pairs_hook=_pairs)
    except json.JSONDecodeError:
        return next(yaml.load_all(text, Loader=_Loader), None)
    if wrong := _NOT_YAML.search(text):
        raise Unreadable(f"found unknown escape character in \\{wrong[1]}, which is JSON's and not YAML's")
    if _CONTROL.search(text):
        raise Unreadable("control characters are not allowed")
    return document


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    _refuse_twice([key for key, _ in pairs])
    return dict(pairs)


def _refuse_twice(keys: list[str]) -> None:
    for key in {key for key in keys if keys.count(key) > 1} if len(set(keys)) < len(keys) else ():
        raise Unreadable(f'key "{key}" already set in map')


def _plain(value: object, key: str = "") -> object:
    """Return `value` without nulls, and with texts where `key` wants them."""
    if isinstance(value, dict) and key == "annotations":
        return {str(_text(name)): _text(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, dict):
        return {name: _plain(inner, name) for name, inner in _known(value.items()) if inner is not None}
    if isinstance(value, list):
        return [_text(inner) if key in _LISTS_OF_TEXTS else _plain(inner) for inner in value]
    if key in _TEXTS:
        return _text(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _known(items: Iterable[tuple[object, object]]) -> list[tuple[str, object]]:
    """Return a mapping's keys as they are spelt where they are known; where one has two spellings the later wins."""
    named = sorted((str(_text(name)), number, inner) for number, (name, inner) in enumerate(items))
    return [(_KEYS.get(name.lower(), name), inner) for name, _, inner in named]


def _text(value: object) -> object:
    """Return a bare scalar as the text that it becomes where one is wanted."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value) if isinstance(value, int) else value
