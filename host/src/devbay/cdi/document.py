"""A CDI specification as values, and to text and back.

Pure. The types have every field that the format has, since other people's files are read too, and no other: the
runtimes' loader refuses a whole file for one field that it does not know (specs-go/config.go, pkg/cdi/spec.go:255-262).
"""

import json
import re
from collections.abc import Hashable
from typing import Annotated, Any, TypeAlias

import msgspec
import yaml

from devbay.misfits import Loader, yaml_problem


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, rename="camel"):
    """What all parts of a document have in common: empty fields are not written, unknown ones not read."""


_Signed: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_Unsigned: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]


class DeviceNode(_Part, frozen=True):
    """A device node that a container gets. What is not said of it is looked up on the node when a container starts."""

    path: str
    host_path: str = ""
    type: str = ""
    major: _Signed = 0
    minor: _Signed = 0
    file_mode: _Unsigned | None = None
    permissions: str = ""
    uid: _Unsigned | None = None
    gid: _Unsigned | None = None


class Mount(_Part, frozen=True):
    """A file or directory that a container gets."""

    host_path: str
    container_path: str
    options: tuple[str, ...] = ()
    type: str = ""


class Hook(_Part, frozen=True):
    """A program that the runtime runs at a point of a container's life."""

    hook_name: str
    path: str
    args: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    timeout: _Signed | None = None


class NetDevice(_Part, frozen=True):
    """A network interface that moves into the container."""

    host_interface_name: str
    name: str


class IntelRdt(_Part, frozen=True):
    """A class of Intel's Resource Director Technology that the container joins."""

    clos_id: str = msgspec.field(name="closID", default="")
    l3_cache_schema: str = ""
    mem_bw_schema: str = ""
    schemata: tuple[str, ...] = ()
    enable_monitoring: bool = False


class Edits(_Part, frozen=True):
    """What a container gets."""

    env: tuple[str, ...] = ()
    device_nodes: tuple[DeviceNode, ...] = ()
    net_devices: tuple[NetDevice, ...] = ()
    hooks: tuple[Hook, ...] = ()
    mounts: tuple[Mount, ...] = ()
    intel_rdt: IntelRdt | None = None
    additional_gids: tuple[_Unsigned, ...] = ()


NOTHING = Edits()
"""No edits: not written where it is this very value."""


class Device(_Part, frozen=True):
    """One device of a kind, and what a container gets with it."""

    name: str
    annotations: dict[str, str] = {}
    container_edits: Edits = NOTHING


class Specification(_Part, frozen=True):
    """A file: devices of one kind, and what a container gets with any of them."""

    cdi_version: str
    kind: str
    annotations: dict[str, str] = {}
    devices: tuple[Device, ...] = ()
    container_edits: Edits = NOTHING


class NotASpecification(Exception):  # noqa: N818 - becomes a row or an error where it is known whose it is
    """A text that no runtime reads as a specification; the error says what stands where."""


def encode(specification: Specification) -> str:
    """Return a specification as the text of a ``.json`` file; equal ones give equal texts."""
    text = msgspec.json.format(msgspec.json.encode(specification), indent=2).decode() + "\n"
    return _NOT_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def decode(text: str) -> Specification:
    """Return the specification that a text holds, as runtimes read it: all of it is YAML to them.

    They are strict about fields, and loose about the rest: null is nothing, the case of a field's name does not matter,
    and a bare number serves where a text is wanted.

    Raises:
        NotASpecification: it holds none.
    """
    try:
        return msgspec.convert(_fitted(_parse(text), msgspec.inspect.type_info(Specification)), Specification)
    except (msgspec.ValidationError, RecursionError) as error:
        message = str(error)
        raise NotASpecification(message[:1].lower() + message[1:]) from None


_NOT_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""Characters that a JSON text may have as they are, and a YAML text may not, or not within a line."""
_NOT_YAML_ESCAPES = re.compile(r"(?<!\\)(?:\\\\)*\\(/|u[dD][89a-fA-F])")
"""Escapes that JSON has and YAML has not: of a slash, and of one character in two halves."""


class _Loader(Loader):
    """A loader to which ``41:00.0`` and ``2024-01-01`` are texts, as they are to runtimes."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag.rpartition(":")[2] in ("bool", "null", "merge")]
    for first, resolvers in Loader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"[-+]?(0|0o?[0-7]+|0x[0-9a-fA-F]+|[1-9][0-9]*)$"), list("-+0123456789")
)


def _parse(text: str) -> Any:
    try:
        document = json.loads(text, object_pairs_hook=_once)
    except json.JSONDecodeError:
        return _parse_yaml(text)
    except (ValueError, RecursionError) as error:
        raise NotASpecification(str(error)) from None
    if (found := _NOT_YAML_ESCAPES.search(text)) or (found := _NOT_YAML.search(text)):
        line = text.count("\n", 0, found.start()) + 1
        raise NotASpecification(f"line {line}: {found[0]!r} is JSON and not YAML, as which runtimes read it")
    return document


def _parse_yaml(text: str) -> Any:
    try:
        return next(yaml.load_all(text, _Loader), None)
    except (yaml.YAMLError, ValueError, LookupError, RecursionError) as error:  # a LookupError: of "!!int" alone
        raise NotASpecification(yaml_problem(error)) from None


def _once(pairs: list[tuple[Hashable, Any]]) -> dict[Hashable, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        twice = next(key for key in members if sum(key == other for other, _ in pairs) > 1)
        raise ValueError(f"the key {twice!r} stands here twice")
    return members


def _fitted(value: Any, info: msgspec.inspect.Type) -> Any:
    """Return a value in the form that its type has here, where runtimes take another form for it too."""
    match info:
        case msgspec.inspect.UnionType():
            return _fitted(value, next(each for each in info.types if not isinstance(each, msgspec.inspect.NoneType)))
        case msgspec.inspect.StructType() if isinstance(value, dict):
            fields = {field.encode_name.lower(): field for field in info.fields}
            known = [(fields.get(str(key).lower()), key, item) for key, item in value.items() if item is not None]
            return {
                field.encode_name if field else key: _fitted(item, field.type) if field else item
                for field, key, item in known
            }
        case msgspec.inspect.DictType() if isinstance(value, dict):
            return {_text(key): _text(item) for key, item in value.items() if item is not None}
        case msgspec.inspect.VarTupleType() if isinstance(value, list):
            return [_fitted(item, info.item_type) for item in value]
        case msgspec.inspect.StrType():
            return _text(value)
    return value


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value
