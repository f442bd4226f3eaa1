"""From a document and variables to settings.

Pure: texts and mappings come in, frozen values go out; who reads the file and the environment is above. A document is
one YAML mapping with the sections of `devbay.settings.Settings` and one more per backend, under the backend's name,
whose type the backend declares. Variables override it: ``DEVBAY_<SECTION>__<KEY>``, upper case, ``-`` as ``_``. What
is not understood is an error that names the place, the value and the nearest known name; nothing is guessed.
"""

import re
from collections.abc import Collection, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Literal, TypeVar

import msgspec
import yaml

from devbay import selection
from devbay.errors import ConfigError
from devbay.settings import SECTIONS, Settings

T = TypeVar("T")
PREFIX = "DEVBAY_"
RESERVED = ("DEVBAY_BACKENDS", "DEVBAY_CONFIG")


_BACKEND_NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")


def variable_name(name: str) -> str:
    """Return how a section or key is written in a variable's name, but for its case."""
    return name.lower().replace("-", "_")


def backend_name_problem(name: str) -> str | None:
    """Return why a backend cannot have this name, or None if it can: it is also a section's name and a variable's."""
    if not _BACKEND_NAME.fullmatch(name):
        return f"the name {name!r} is illegal: use lower-case letters and digits, with single '-' or '_' between"
    if name in SECTIONS or f"{PREFIX}{variable_name(name)}".upper() in RESERVED:
        return f"the name {name!r} is taken: the configuration of the host has a word for itself that reads so"
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One environment variable that sets one key.

    Attributes:
        name: as it stands in the environment.
        path: section and keys, in lower case.
        text: its value.
    """

    name: str
    path: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Everything that was said, before it is known what a backend's section must look like.

    Attributes:
        document: the file's content by section.
        file: its name, for messages.
        variables: the environment's part.
        backends: what overrides the document's selection of backends, None if nothing does.
        backends_source: where that stood: ``DEVBAY_BACKENDS`` or a flag.
    """

    document: Mapping[str, Any] = field(default_factory=dict, hash=False)
    file: str = "configuration"
    variables: tuple[Variable, ...] = ()
    backends: str | None = None
    backends_source: str = "DEVBAY_BACKENDS"

    def settings(self) -> Settings:
        """Return the host's own settings.

        Raises:
            ConfigError: a value does not fit; the text names source, key and value.
        """
        own = {key: value for key, value in self.document.items() if key in SECTIONS and value is not None}
        variables = [variable for variable in self.variables if variable.path[0] in SECTIONS]
        return _convert(own, Settings, self.file, (), variables)

    def selection(self) -> selection.Selection:
        """Return which backends run where.

        Raises:
            ConfigError: it cannot be understood.
        """
        if self.backends is not None:
            return selection.parse(self.backends, self.backends_source)
        return selection.parse(self.settings().backends, f"{self.file}: backends")

    def section(self, name: str, kind: type[T]) -> T:
        """Return a backend's section as its type; an empty one, if nothing was said about it.

        Raises:
            ConfigError: a value does not fit; the text names source, key and value.
        """
        document = self.document.get(name)
        variables = [variable for variable in self.variables if variable.path[0] == variable_name(name)]
        return _convert({} if document is None else document, kind, self.file, (name,), variables)

    def check_sections(self, installed: Collection[str]) -> None:
        """Make sure that every section and variable belongs to the host or to an installed backend.

        Raises:
            ConfigError: one does not; the text names it and the nearest known one.
        """
        known = [*SECTIONS, *installed]
        for key in self.document:
            if key not in known:
                raise ConfigError(f"{self.file}: unknown section {key!r}{_nearest(str(key), known)}")
        for variable in self.variables:
            if variable.path[0] not in {variable_name(name) for name in known}:
                raise ConfigError(
                    f"{variable.name}: unknown section {variable.path[0]!r}{_nearest(variable.path[0], known)}"
                )


def read(text: str, file: str, environment: Mapping[str, str]) -> Sources:
    """Return what a document's text and the environment say.

    Raises:
        ConfigError: the text is no YAML mapping, has a key twice, or a ``DEVBAY_`` variable cannot be meant.
    """
    try:
        document = yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader that also refuses duplicate keys
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # PyYAML lets a date of no calendar through
        raise ConfigError(f"{file}: {_yaml_problem(error)}") from None
    if document is None:
        document = {}
    if not isinstance(document, dict):
        raise ConfigError(f"{file}: expected a mapping of sections, not {type(document).__name__} {document!r}")
    return Sources(
        document=document,
        file=file,
        variables=tuple(_variables(environment)),
        backends=environment.get("DEVBAY_BACKENDS", "").strip() or None,
    )


# What Kubernetes puts into every container for a Service called devbay or devbay-...: not meant for us.
_SERVICE_LINK = re.compile(
    r"DEVBAY_([A-Z0-9_]*_)?(SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)|PORT(_\d+_(TCP|UDP|SCTP)(_[A-Z]+)?)?)"
)


def _variables(environment: Mapping[str, str]) -> Iterator[Variable]:
    for name, text in sorted(environment.items()):
        if not name.startswith(PREFIX) or name in RESERVED:
            continue
        if "__" not in name and _SERVICE_LINK.fullmatch(name):
            continue
        path = tuple(name.removeprefix(PREFIX).lower().split("__"))
        if len(path) == 1 or not all(path):
            section, _, key = name.removeprefix(PREFIX).partition("_")
            near = get_close_matches(name, RESERVED, n=1, cutoff=0.8)
            meant = near[0] if near else f"{PREFIX}{section}__{key.strip('_') or 'KEY'}"
            raise ConfigError(
                f"{name}: unknown variable; did you mean {meant}? (section and key are separated by '__')"
            )
        yield Variable(name=name, path=path, text=text)


def _convert(document: object, kind: type[T], file: str, path: tuple[str, ...], variables: Collection[Variable]) -> T:
    info = msgspec.inspect.type_info(kind)
    if not isinstance(document, dict):
        raise ConfigError(f"{file}: {'.'.join(path)}: expected a mapping, not {document!r}")
    if kind is dict and document:
        raise ConfigError(f"{file}: {'.'.join(path)}: this backend has no settings")
    _check_keys(document, info, file, path)
    merged, origins = document, dict[tuple[str, ...], str]()
    for variable in variables:
        keys, value = _resolve(variable, info, len(path))
        merged = _with(merged, keys, value, f"{file}: {'.'.join(path)}")
        origins[keys] = variable.name
    try:
        return msgspec.convert(merged, kind)
    except msgspec.ValidationError as error:
        place, problem = _value_problem(str(error), merged, path)
        blamed = [name for keys, name in origins.items() if all(a == b for a, b in zip(keys, place, strict=False))]
        raise ConfigError(f"{', '.join(blamed) or file}: {problem}") from None
    except Exception as error:  # noqa: BLE001 - a backend's own type may check itself, and raise anything
        raise ConfigError(f"{file}: {'.'.join(path)}: {type(error).__name__}: {error}") from None


def _resolve(variable: Variable, info: msgspec.inspect.Type, depth: int) -> tuple[tuple[str, ...], object]:
    """Return the keys that a variable sets, and its value as the type of that place."""
    keys: list[str] = []
    for key in variable.path[depth:]:
        fields = {f.encode_name: f for f in _fields(info)}
        name = next((name for name in fields if variable_name(name) == key), None)
        if name is None:
            known = [f"{PREFIX}{'__'.join([*variable.path[:depth], *keys, variable_name(n)])}".upper() for n in fields]
            raise ConfigError(f"{variable.name}: unknown key {key!r}{_nearest(variable.name, known)}")
        keys.append(name)
        info = fields[name].type
    if not keys:
        raise ConfigError(f"{variable.name}: names a section and no key")
    return tuple(keys), _value(variable, info)


def _value(variable: Variable, info: msgspec.inspect.Type) -> object:
    kind = _python_type(info)
    scalar = isinstance(
        info,
        msgspec.inspect.StrType
        | msgspec.inspect.IntType
        | msgspec.inspect.FloatType
        | msgspec.inspect.BoolType
        | msgspec.inspect.LiteralType,
    )
    try:
        if scalar:
            return msgspec.convert(variable.text, kind, strict=False)
        value = yaml.load(variable.text, _Loader)  # noqa: S506 - a SafeLoader that also refuses duplicate keys
    except (msgspec.ValidationError, yaml.YAMLError, ValueError, RecursionError) as error:
        if _takes_text(info):
            return variable.text
        hint = "; write true or false" if isinstance(info, msgspec.inspect.BoolType) else ""
        raise ConfigError(f"{variable.name}={variable.text!r}: {_yaml_problem(error)}{hint}") from None
    return value if any(_fits(value, member) for member in _members(info)) or not _takes_text(info) else variable.text


def _takes_text(info: msgspec.inspect.Type) -> bool:
    return any(isinstance(member, msgspec.inspect.StrType) for member in _members(info))


def _fits(value: object, info: msgspec.inspect.Type) -> bool:
    """Whether what YAML made of a variable's text may be one of these, and is not text that only looks otherwise."""
    if isinstance(info, msgspec.inspect.LiteralType):
        return value in info.values
    plain: dict[type, tuple[type, ...]] = {
        msgspec.inspect.NoneType: (type(None),),
        msgspec.inspect.StrType: (str,),
        msgspec.inspect.IntType: (int,),
        msgspec.inspect.FloatType: (int, float),
        msgspec.inspect.BoolType: (bool,),
    }
    return type(value) in plain.get(type(info), (list, dict))


def _python_type(info: msgspec.inspect.Type) -> Any:
    plain: dict[type, type] = {
        msgspec.inspect.StrType: str,
        msgspec.inspect.IntType: int,
        msgspec.inspect.FloatType: float,
        msgspec.inspect.BoolType: bool,
    }
    if isinstance(info, msgspec.inspect.LiteralType):
        return Literal[info.values]
    return plain.get(type(info), object)


def _check_keys(value: object, info: msgspec.inspect.Type, file: str, path: tuple[str, ...]) -> None:
    """Make sure that no key is unknown, however deep. msgspec does so for its own types, and not for dataclasses."""
    if isinstance(info, msgspec.inspect.AnyType):
        return
    if isinstance(value, list):
        for position, item in enumerate(value):
            for member in _members(info):
                _check_keys(item, getattr(member, "item_type", _ANYTHING), file, (*path, str(position)))
    if not isinstance(value, dict):
        return
    fields = {f.encode_name: f.type for f in _fields(info)}
    tags = {getattr(member, "tag_field", None) for member in _members(info)} - {None}
    inner = next((m.value_type for m in _members(info) if isinstance(m, msgspec.inspect.DictType)), _ANYTHING)
    for key, item in value.items():
        if fields and inner is _ANYTHING and key not in fields and key not in tags:
            place = ".".join([*path, str(key)])
            raise ConfigError(f"{file}: {place}: unknown key {key!r}{_nearest(str(key), fields)}")
        _check_keys(item, fields.get(key, inner), file, (*path, str(key)))


_ANYTHING = msgspec.inspect.AnyType()


def _members(info: msgspec.inspect.Type) -> tuple[msgspec.inspect.Type, ...]:
    """Return the types that a value here may have: those of a union, else the one."""
    while isinstance(info, msgspec.inspect.Metadata):
        info = info.type
    return info.types if isinstance(info, msgspec.inspect.UnionType) else (info,)


def _fields(info: msgspec.inspect.Type) -> tuple[msgspec.inspect.Field, ...]:
    kinds = msgspec.inspect.StructType | msgspec.inspect.DataclassType
    return tuple(f for member in _members(info) if isinstance(member, kinds) for f in member.fields)


def _with(document: Mapping[str, Any], keys: tuple[str, ...], value: object, place: str) -> dict[str, Any]:
    first, *rest = keys
    if not rest:
        return {**document, first: value}
    inner = document.get(first)
    inner = {} if inner is None else inner
    place = f"{place}{'' if place.endswith(' ') else '.'}{first}"
    if not isinstance(inner, dict):
        raise ConfigError(f"{place}: expected a mapping, not {inner!r}")
    return {**document, first: _with(inner, tuple(rest), value, place)}


_PLACE = re.compile(r" - at (?:`key` in )?`\$(.*)`$")


def _value_problem(text: str, document: object, path: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """Turn msgspec's "Expected `int`, got `str` - at `$.a.b`" into the keys and the house's words, with the value."""
    found = _PLACE.search(text)
    problem = text[: found.start()] if found else text
    keys = re.findall(r"\.{3}|[^.\[\]]+", found[1]) if found else []
    value: Any = document
    for key in keys:
        if isinstance(value, list) and key.isdigit():
            value = value[int(key)]
        elif isinstance(value, dict) and key in value:
            value = value[key]
        else:  # somewhere in a mapping: msgspec does not say where
            break
    where = ".".join([*path, *keys]).replace(".....", ".*.").replace("....", ".*") or "the whole"
    return tuple(keys), f"{where} = {value!r}: {problem[:1].lower()}{problem[1:]}"


def _nearest(name: str, known: Collection[str]) -> str:
    if not known:
        return "; there are none here"
    near = get_close_matches(name, [str(k) for k in known], n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(sorted(known))}"


def _yaml_problem(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"line {mark.line + 1}, column {mark.column + 1}: {error.problem}"
    return " ".join(str(error).split())


class _Loader(yaml.SafeLoader):
    """A safe loader to which a key written twice is a mistake, not the second one's victory."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":  # "<<", which may be followed by keys that override it
                continue
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise yaml.MarkedYAMLError(problem=f"{key!r} cannot be a key", problem_mark=key_node.start_mark)
            if key in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the key {key!r} stands here twice", problem_mark=key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)
