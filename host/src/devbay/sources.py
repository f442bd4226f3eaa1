"""From a document and variables to settings.

Pure: texts and mappings come in, frozen values go out; who reads the file and the environment is above. A document is
one YAML mapping with the sections of `devbay.settings.Settings` and one more per backend, under the backend's name,
whose type the backend declares. Its list ``nodes`` says more for some nodes (`devbay.overlays`). Variables override it:
``DEVBAY_<SECTION>__<KEY>``, upper case, ``-`` as ``_``. What is not understood is an error that names the place, the
value and the nearest known name; nothing is guessed.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any, TypeVar

import yaml

from devbay import overlays, selection
from devbay.conversion import PREFIX, Variable, assign, convert, misfits, variable_name
from devbay.errors import ConfigError
from devbay.layers import Keys, Layer, Merged, merge
from devbay.misfits import Loader, Misfit, nearest, position, yaml_problem
from devbay.overlays import SECTION as OVERLAYS
from devbay.overlays import Overlay
from devbay.settings import SECTIONS, WHOLE_SECTIONS, Settings

T = TypeVar("T")
RESERVED = ("DEVBAY_BACKENDS", "DEVBAY_CONFIG")


_BACKEND_NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")


def backend_name_problem(name: str) -> str | None:
    """Return why a backend cannot have this name, or None if it can: it is also a section's name and a variable's."""
    if not _BACKEND_NAME.fullmatch(name):
        return f"the name {name!r} is illegal: use lower-case letters and digits, with single '-' or '_' between"
    if name in (*SECTIONS, OVERLAYS) or f"{PREFIX}{variable_name(name)}".upper() in RESERVED:
        return f"the name {name!r} is taken: the configuration of the host has a word for itself that reads so"
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The part of a configuration that is of one type: all of the host's sections, or one backend's.

    Attributes:
        kind: the type.
        name: the backend; empty for the host.
    """

    kind: type
    name: str = ""

    @property
    def keys(self) -> Keys:
        """Where the part stands in a document."""
        return (self.name,) if self.name else ()

    def of(self, document: Mapping[str, Any]) -> Any:
        """Return the part as a document has it; an empty one, where that says nothing."""
        if self.name:
            section = document.get(self.name)
            return {} if section is None else section
        return {key: value for key, value in document.items() if key in SECTIONS and value is not None}

    def owns(self, variable: Variable) -> bool:
        """Whether a variable is about this part."""
        if self.name:
            return variable.path[0] == variable_name(self.name)
        return variable.path[0] in SECTIONS


HOST = Part(kind=Settings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Everything that was said, before it is known what a backend's section must look like.

    Attributes:
        document: the file's content by section, but for its overlays.
        file: its name, for messages.
        text: its text, for the line and column in messages; empty where there is none.
        overlays: what the file says for some nodes only.
        node: the node's name, by which overlays count; None before it is known, when none does.
        variables: the environment's part, and that of flags.
        backends: what overrides the document's selection of backends, None if nothing does.
        backends_source: where that stood: ``DEVBAY_BACKENDS`` or a flag.
    """

    document: Mapping[str, Any] = field(default_factory=dict, hash=False)
    file: str = "configuration"
    text: str = ""
    overlays: tuple[Overlay, ...] = ()
    node: str | None = None
    variables: tuple[Variable, ...] = ()
    backends: str | None = None
    backends_source: str = "DEVBAY_BACKENDS"

    def on(self, node_name: str) -> "Sources":
        """Return what is said for one node."""
        return replace(self, node=node_name)

    def settings(self) -> Settings:
        """Return the host's own settings.

        Raises:
            ConfigError: a value does not fit; the text names source, key and value.
        """
        return self._convert(HOST, Settings)

    def selection(self) -> selection.Selection:
        """Return which backends run where.

        Raises:
            ConfigError: it cannot be understood.
        """
        if self.backends is not None:
            return selection.parse(self.backends, self.backends_source)
        place = (*origin.place, "backends") if (origin := self.merged(HOST).origin(("backends",))) else ("backends",)
        return selection.parse(self.settings().backends, f"{self.file}: {'.'.join(place)}")

    def section(self, name: str, kind: type[T]) -> T:
        """Return a backend's section as its type; an empty one, if nothing was said about it.

        Raises:
            ConfigError: a value does not fit; the text names source, key and value.
        """
        return self._convert(Part(kind=kind, name=name), kind)

    def spoken(self, name: str) -> Any:
        """Return what the file says of a backend on this node, as it stands there; variables are not in it."""
        layers = [self._base, *(overlay.layer(self.file) for overlay in self._matching)]
        return merge(layers).document.get(name) or {}

    def check_sections(self, installed: Collection[str]) -> None:
        """Make sure that every section and variable belongs to the host or to an installed backend.

        Raises:
            ConfigError: one does not; the text names it and the nearest known one.
        """
        known = [*SECTIONS, *installed]
        for layer in (self._base, *(overlay.layer(self.file) for overlay in self._matching)):
            for problem in self.unknown_sections(layer, installed):
                raise ConfigError(problem)
        for variable in self.variables:
            if variable.path[0] not in {variable_name(name) for name in known}:
                raise ConfigError(
                    f"{variable.name}: unknown section {variable.path[0]!r}{nearest(variable.path[0], known)}"
                )

    def unknown_sections(self, layer: Layer, installed: Collection[str]) -> Iterator[str]:
        """Yield what is to be said of each section of a layer that is neither the host's nor an installed backend's."""
        known = [*SECTIONS, *installed]
        for key in layer.value:
            if key not in known:
                hint = nearest(str(key), [*known, OVERLAYS])
                if "did you mean" not in hint and _BACKEND_NAME.fullmatch(str(key)):
                    hint += f"; if it is a backend's, install that: pip install devbay-{key}"
                misfit = Misfit(problem=f"unknown section {key!r}{hint}")
                place = (*layer.place, str(key))
                yield self.sentence(layer, ".".join(place) if layer.place else "", misfit, place)

    def problems(self, part: Part, stack: Sequence[Layer]) -> Iterator[str]:
        """Yield what is to be said of everything that does not fit in some layers of a part."""
        merged = merge(stack)
        for misfit in misfits(part.of(merged.document), part.kind):
            keys = (*part.keys, *misfit.keys)
            blamed = merged.behind(keys)
            layer = next((layer for layer in reversed(blamed) if layer.place), blamed[-1])
            names = ", ".join(each.name for each in blamed) if not layer.place else layer.name
            place = (*layer.place, *keys)
            yield self.sentence(replace(layer, name=names), ".".join(place), misfit, place)

    def sentence(self, layer: Layer, where: str, misfit: Misfit, place: Keys) -> str:
        """Return what is to be said of a misfit, with its line and column where it stands in the file."""
        mark = position(self.text, place) if self.text and layer.name == self.file else ""
        return f"{layer.name}: {misfit.said(where)}" + (f" ({mark})" if mark else "")

    def stacks(self, part: Part) -> Iterator[list[Layer]]:
        """Yield the layers that must fit by themselves: the base, each overlay for this node on it, and all of it."""
        yield [self._base]
        for overlay in self._matching:
            yield [self._base, overlay.layer(self.file)]
        yield self._all(part)

    def elsewhere(self, part: Part, installed: Collection[str]) -> Iterator[str]:
        """Yield the problems of overlays that are for other nodes, each laid over the base alone."""
        for overlay in self.overlays:
            if overlay not in self._matching:
                layer = overlay.layer(self.file)
                yield from self.unknown_sections(layer, installed)
                yield from self.problems(part, [self._base, layer])

    def merged(self, part: Part) -> Merged:
        """Return everything that is said for this node, and who says it."""
        return merge(self._all(part))

    @property
    def _base(self) -> Layer:
        return Layer(name=self.file, value=self.document)

    @property
    def _matching(self) -> tuple[Overlay, ...]:
        return tuple(o for o in self.overlays if self.node is not None and o.matches(self.node))

    def _all(self, part: Part) -> list[Layer]:
        overlays = [overlay.layer(self.file) for overlay in self._matching]
        variables = [assign(variable, part.kind, part.keys) for variable in self.variables if part.owns(variable)]
        return [self._base, *overlays, *variables]

    def _convert(self, part: Part, kind: type[T]) -> T:
        for stack in self.stacks(part):
            for problem in self.problems(part, stack):
                raise ConfigError(problem)
        return convert(part.of(self.merged(part).document), kind)


def read(text: str, file: str, environment: Mapping[str, str]) -> Sources:
    """Return what a document's text and the environment say.

    Raises:
        ConfigError: the text is no YAML mapping, has a key twice or a list of overlays that is none, or a ``DEVBAY_``
            variable cannot be meant.
    """
    sources, misshapen = parse(text, file)
    for problem in misshapen:
        raise ConfigError(problem)
    return replace(
        sources,
        variables=tuple(_variables(environment)),
        backends=environment.get("DEVBAY_BACKENDS", "").strip() or None,
    )


def parse(text: str, file: str) -> tuple[Sources, tuple[str, ...]]:
    """Return what a document's text says, and what is to be said of overlays that are none.

    Raises:
        ConfigError: the text is no YAML mapping, or has a key twice.
    """
    try:
        document = yaml.load(text, Loader)  # noqa: S506 - a SafeLoader that also refuses duplicate keys
    # PyYAML lets a date of no calendar through, and "!!int" of nothing.
    except (yaml.YAMLError, ValueError, LookupError, RecursionError) as error:
        raise ConfigError(f"{file}: {yaml_problem(error)}") from None
    if document is None:
        document = {}
    if not isinstance(document, dict):
        raise ConfigError(f"{file}: expected a mapping of sections, not {type(document).__name__} {document!r}")
    found, misshapen = overlays.parse(document.get(OVERLAYS))
    base = {key: value for key, value in document.items() if key != OVERLAYS}
    sources = Sources(document=base, file=file, text=text, overlays=found)
    whole = Layer(name=file)
    return sources, tuple(sources.sentence(whole, ".".join(each.keys), each, each.keys) for each in misshapen)


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
        if (len(path) == 1 and path[0] not in WHOLE_SECTIONS) or not all(path):
            section, _, key = name.removeprefix(PREFIX).partition("_")
            near = get_close_matches(name, RESERVED, n=1, cutoff=0.8)
            meant = near[0] if near else f"{PREFIX}{section}__{key.strip('_') or 'KEY'}"
            raise ConfigError(
                f"{name}: unknown variable; did you mean {meant}? (section and key are separated by '__')"
            )
        yield Variable(name=name, path=path, text=text)
