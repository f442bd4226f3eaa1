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
        own = {key: value for key, value in self.document.items() if key in SECTIONS}
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
    except yaml.YAMLError as error:
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
        if not name.startswith(PREFIX) or name in RESERVED or _SERVICE_LINK.fullmatch(name):
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
    _check_keys(document, info, file, path)
    merged = document
    origin = file
    for variable in variables:
        keys, value = _resolve(variable, info, len(path))
        merged = _with(merged, keys, value)
    try:
        return msgspec.convert(merged, kind)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{origin}: {_value_problem(str(error), merged, path)}") from None


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
        return yaml.load(variable.text, _Loader)  # noqa: S506 - a SafeLoader that also refuses duplicate keys
    except (msgspec.ValidationError, yaml.YAMLError) as error:
        raise ConfigError(f"{variable.name}={variable.text!r}: {error}") from None


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


def _check_keys(document: Mapping[Any, Any], info: msgspec.inspect.Type, file: str, path: tuple[str, ...]) -> None:
    fields = {f.encode_name: f for f in _fields(info)}
    if not fields:
        return
    for key, value in document.items():
        if key not in fields:
            place = ".".join([*path, str(key)])
            raise ConfigError(f"{file}: {place}: unknown key {key!r}{_nearest(str(key), fields)}")
        if isinstance(value, dict):
            _check_keys(value, fields[key].type, file, (*path, key))


def _fields(info: msgspec.inspect.Type) -> tuple[msgspec.inspect.Field, ...]:
    if isinstance(info, msgspec.inspect.StructType | msgspec.inspect.DataclassType):
        return info.fields
    return ()


def _with(document: Mapping[str, Any], keys: tuple[str, ...], value: object) -> dict[str, Any]:
    first, *rest = keys
    inner = document.get(first)
    nested = _with(inner if isinstance(inner, dict) else {}, tuple(rest), value) if rest else value
    return {**document, first: nested}


def _value_problem(text: str, document: object, path: tuple[str, ...]) -> str:
    """Turn msgspec's "Expected `int`, got `str` - at `$.a.b`" into the house's words, with the value itself."""
    problem, _, place = text.partition(" - at `$")
    keys = [key for key in re.split(r"[.\[\]`]+", place) if key]
    value: Any = document
    for key in keys:
        value = (
            value[int(key)]
            if isinstance(value, list) and key.isdigit()
            else value.get(key)
            if isinstance(value, dict)
            else value
        )
    where = ".".join([*path, *keys])
    return f"{where} = {value!r}: {problem[:1].lower()}{problem[1:]}"


def _nearest(name: str, known: Collection[str]) -> str:
    near = get_close_matches(name, [str(k) for k in known], n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(sorted(known))}"


def _yaml_problem(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"line {mark.line + 1}, column {mark.column + 1}: {error.problem}"
    return str(error)


class _Loader(yaml.SafeLoader):
    """A safe loader to which a key written twice is a mistake, not the second one's victory."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and key in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the key {key!r} stands here twice", problem_mark=key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)
