"""From a document and variables to settings.

Pure: texts and mappings come in, frozen values go out; who reads the file and the environment is above. A document is
one YAML mapping with the sections of `devbay.settings.Settings` and one more per backend, under the backend's name,
whose type the backend declares. Variables override it: ``DEVBAY_<SECTION>__<KEY>``, upper case, ``-`` as ``_``. What
is not understood is an error that names the place, the value and the nearest known name; nothing is guessed.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, TypeVar

import yaml

from devbay import selection
from devbay.conversion import PREFIX, Variable, convert, variable_name
from devbay.errors import ConfigError
from devbay.misfits import Loader, nearest, yaml_problem
from devbay.settings import SECTIONS, Settings

T = TypeVar("T")
RESERVED = ("DEVBAY_BACKENDS", "DEVBAY_CONFIG")


_BACKEND_NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")


def backend_name_problem(name: str) -> str | None:
    """Return why a backend cannot have this name, or None if it can: it is also a section's name and a variable's."""
    if not _BACKEND_NAME.fullmatch(name):
        return f"the name {name!r} is illegal: use lower-case letters and digits, with single '-' or '_' between"
    if name in SECTIONS or f"{PREFIX}{variable_name(name)}".upper() in RESERVED:
        return f"the name {name!r} is taken: the configuration of the host has a word for itself that reads so"
    return None


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
        return convert(own, Settings, self.file, (), variables)

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
        return convert({} if document is None else document, kind, self.file, (name,), variables)

    def check_sections(self, installed: Collection[str]) -> None:
        """Make sure that every section and variable belongs to the host or to an installed backend.

        Raises:
            ConfigError: one does not; the text names it and the nearest known one.
        """
        known = [*SECTIONS, *installed]
        for key in self.document:
            if key not in known:
                raise ConfigError(f"{self.file}: unknown section {key!r}{nearest(str(key), known)}")
        for variable in self.variables:
            if variable.path[0] not in {variable_name(name) for name in known}:
                raise ConfigError(
                    f"{variable.name}: unknown section {variable.path[0]!r}{nearest(variable.path[0], known)}"
                )


def read(text: str, file: str, environment: Mapping[str, str]) -> Sources:
    """Return what a document's text and the environment say.

    Raises:
        ConfigError: the text is no YAML mapping, has a key twice, or a ``DEVBAY_`` variable cannot be meant.
    """
    try:
        document = yaml.load(text, Loader)  # noqa: S506 - a SafeLoader that also refuses duplicate keys
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # PyYAML lets a date of no calendar through
        raise ConfigError(f"{file}: {yaml_problem(error)}") from None
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
