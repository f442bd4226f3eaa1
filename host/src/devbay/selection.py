"""Which backends run on which node: the text of ``DEVBAY_BACKENDS``, read once.

Pure. The text is a list of names (``nvidia,sriov``), ``*`` for all that are installed, or lines of
``node-pattern: list`` separated by newlines or ``;``, of which the first that matches the node's name counts
(``gpu-*: nvidia,sriov; *: mock``). A pattern is a shell glob, or several separated by commas; a list may be empty,
which means none. One DaemonSet therefore serves every kind of node.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase

from devbay.errors import ConfigError

ALL = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line: for nodes that match one of `patterns`, the backends `names`."""

    patterns: tuple[str, ...]
    names: tuple[str, ...]

    def matches(self, node_name: str) -> bool:
        """Whether this line is about the node."""
        return any(fnmatchcase(node_name, pattern) for pattern in self.patterns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a selection means on one node.

    Attributes:
        enabled: the backends to run, sorted.
        line: the pattern that decided, as it was written; empty if no line matches this node.
        warnings: names in other nodes' lines that are not installed here; sentences.
    """

    enabled: tuple[str, ...]
    line: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The whole text, understood, and where it came from."""

    lines: tuple[Line, ...]
    source: str

    def on(self, node_name: str, installed: Collection[str]) -> Choice:
        """Return what this selection means on a node where `installed` backends can be had.

        Raises:
            ConfigError: this node's line names a backend that is not installed; the text lists those that are.
        """
        line = next((line for line in self.lines if line.matches(node_name)), None)
        warnings = tuple(
            f"{self.source}: {_unknown(name, installed)} (in the line for {', '.join(other.patterns)}, not this node's)"
            for other in self.lines
            if other is not line
            for name in other.names
            if name != ALL and name not in installed
        )
        if line is None:
            return Choice(enabled=(), line="", warnings=warnings)
        for name in line.names:
            if name != ALL and name not in installed:
                raise ConfigError(f"{self.source}: {_unknown(name, installed)}")
        enabled = installed if ALL in line.names else line.names
        return Choice(enabled=tuple(sorted(set(enabled))), line=", ".join(line.patterns), warnings=warnings)

    def unknown(self, installed: Collection[str]) -> tuple[str, ...]:
        """Return what is to be said of every name, whatever node its line is for, that is not installed."""
        names = dict.fromkeys(name for line in self.lines for name in line.names)
        return tuple(f"{self.source}: {_unknown(n, installed)}" for n in names if n != ALL and n not in installed)


def parse(value: str | Sequence[str] | Mapping[str, str | Sequence[str]], source: str) -> Selection:
    """Return the selection that a text means, or a list of names, or a mapping of node pattern to names.

    Raises:
        ConfigError: some lines have a node pattern and some have none, or a name is empty.
    """
    if isinstance(value, Mapping):
        return Selection(lines=tuple(_line(pattern, names, source) for pattern, names in value.items()), source=source)
    if not isinstance(value, str):
        if not value:
            return Selection(lines=(Line(patterns=(ALL,), names=()),), source=source)
        value = "\n".join(value) if any(":" in item for item in value) else ",".join(value)
    texts = [text.strip() for text in value.replace(";", "\n").splitlines() if text.strip()]
    if not any(":" in text for text in texts):
        names = _names(",".join(texts), source) or (ALL,)
        return Selection(lines=(Line(patterns=(ALL,), names=names),), source=source)
    return Selection(lines=tuple(_text_line(text, source) for text in texts), source=source)


def _text_line(text: str, source: str) -> Line:
    pattern, colon, names = text.partition(":")
    if not colon:
        raise ConfigError(
            f"{source}: the line {text!r} has no node pattern, while others have; "
            f"write 'node-pattern: {text}', or '*: {text}' for all other nodes"
        )
    return _line(pattern, names, source)


def _line(pattern: str, names: str | Sequence[str], source: str) -> Line:
    line = Line(patterns=_names(pattern, source), names=_names(names, source))
    if not line.patterns:
        raise ConfigError(f"{source}: the line for {', '.join(line.names) or 'nothing'} has an empty node pattern")
    return line


def _names(text: str | Sequence[str], source: str) -> tuple[str, ...]:
    parts = text.split(",") if isinstance(text, str) else [str(part) for part in text]
    names = tuple(part.strip() for part in parts if part.strip())
    for name in names:
        if any(character.isspace() for character in name):
            raise ConfigError(f"{source}: {name!r} is one name with a space in it; separate names with commas")
    return names


def _unknown(name: str, installed: Collection[str]) -> str:
    near = get_close_matches(name, list(installed), n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    remedy = "" if near else f" To have it, install its package: pip install devbay-{name}"
    return f"no backend {name!r} is installed.{hint} Installed: {', '.join(sorted(installed)) or 'none'}.{remedy}"
