"""Where the pools come from: the settings, else a file that somebody else may change while we run.

A file that cannot be used keeps the last good pools and says so once; the text names file, line and column.
"""

import logging
from collections.abc import Callable
from pathlib import Path

from devbay.api import BackendUnavailable, Node
from devbay_sriov import config, document
from devbay_sriov.document import Document, Keys, Place
from devbay_sriov.pooling import Pools, Problem
from devbay_sriov.settings import Settings

log = logging.getLogger(__name__)


def path_of(node: Node, settings: Settings) -> Path:
    """Return where the file is, for this process."""
    return node.locate(settings.config_file.replace("{node}", node.name))


def read(text: str, prefix: str, file: str) -> Pools:
    """Return the pools that a file's text asks for.

    Raises:
        ValueError: it cannot be used. The text of the error has each problem with file, line, column and remedy.
    """
    try:
        found = document.read(text)
    except document.UnreadableError as error:
        raise ValueError(f"{file}: {error}") from None
    twice = [Problem(keys, "it is written twice, and only one of both can be meant") for keys in found.twice]
    try:
        pools = config.pools(found.data, prefix)
    except config.RejectedError as error:
        raise ValueError(_told(file, found, [*twice, *error.problems])) from None
    if twice:
        raise ValueError(_told(file, found, twice))
    return pools


class Source:
    """The pools of one node, read again when they change."""

    def __init__(self) -> None:
        self._seen: object = None
        self._pools: Pools | None = None
        self._said: set[str] = set()
        self.revision = ""

    def pools(self, node: Node, settings: Settings) -> Pools:
        """Return the pools as they are asked for now.

        Raises:
            BackendUnavailable: there are none, and never were any that could be used.
        """
        given = settings.pools()
        if given is not None:
            self._remark(given, config.path_of)
            return given
        path = path_of(node, settings)
        try:
            return self._of_file(path, settings)
        except FileNotFoundError:
            return self._last(f"no pools: {path} does not exist, and sriov.resourceList is not set")
        except OSError as error:
            return self._last(f"no pools: {path} cannot be read: {error.strerror}")
        except ValueError as error:
            return self._last(str(error))

    def _of_file(self, path: Path, settings: Settings) -> Pools:
        status = path.stat()
        seen = (path, settings.resource_prefix, status.st_mtime_ns, status.st_ino, status.st_size)
        if self._pools is None or seen != self._seen:
            self._pools = read(path.read_text(encoding="utf-8"), settings.resource_prefix, settings.config_file)
            self._remark(self._pools, lambda keys: f"{path}: {config.path_of(keys)}")
            self._seen, self.revision = seen, str(status.st_mtime_ns)
        return self._pools

    def _last(self, reason: str) -> Pools:
        """Return the last good pools, saying once why they are not the newest."""
        if self._pools is None:
            raise BackendUnavailable(reason)
        if reason not in self._said:
            self._said.add(reason)
            log.warning("the last good pools are kept: %s", reason)
        return self._pools

    def _remark(self, pools: Pools, where: Callable[[Keys], str]) -> None:
        for problem in pools.remarks:
            said = f"{where(problem.keys)}: {problem.text}"
            if said not in self._said:
                self._said.add(said)
                log.warning("%s", said)


def _told(file: str, found: Document, problems: list[Problem]) -> str:
    lines: list[str] = []
    for problem in problems:
        line, column = _place(found, problem.keys)
        lines.append(f"{file}: line {line}, column {column}: {config.path_of(problem.keys)}: {problem.text}")
    return "; ".join(lines)


def _place(found: Document, keys: Keys) -> Place:
    """Return where something stood; where it is missing, where it should."""
    while keys and keys not in found.places:
        keys = keys[:-1]
    return found.places.get(keys, (1, 1))
