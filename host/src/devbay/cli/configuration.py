"""From files, environment and flags to a plan: the edge where text comes in."""

import os
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click

from devbay.conversion import Variable
from devbay.errors import ConfigError
from devbay.plan import Plan, node_name, plan
from devbay.sources import Sources, read

DEFAULT_FILE = Path("/etc/devbay/config.yaml")

F = TypeVar("F", bound=Callable[..., Any])

_FLAGS = {
    "kubelet_dir": ("kubelet", "directory"),
    "node_name": ("node", "name"),
    "log_level": ("log", "level"),
    "log_format": ("log", "format"),
}


def options(command: F) -> F:
    """Give a command the options that choose what runs here."""
    for option in (
        click.option("--node-name", metavar="NAME", help="This node's name; otherwise NODE_NAME, or the host name."),
        click.option(
            "--backends",
            metavar="LIST",
            help="Which backends to run: 'nvidia,sriov', '*' for all that are installed, or lines of "
            "'node-pattern: list' separated by ';'. Otherwise DEVBAY_BACKENDS, or the file.",
        ),
        click.option(
            "--config",
            metavar="FILE",
            help=f"Configuration file. Otherwise DEVBAY_CONFIG, or {DEFAULT_FILE} if it is there.",
        ),
    ):
        command = option(command)
    return command


def load(*, config: str | None, backends: str | None, **flags: str | None) -> Plan:
    """Return what is to run, from the configuration file, then the environment, then flags.

    Raises:
        ConfigError: something of it cannot be used; the text says what and where.
    """
    sources, node = said(config=config, backends=backends, **flags)
    return plan(sources, node)


def said(*, config: str | None, backends: str | None, **flags: str | None) -> tuple[Sources, str]:
    """Return what file, environment and flags say, and the node's name where they say none. Raises as `load` does."""
    path = file(config)
    sources = read(text(path, required=path != DEFAULT_FILE), os.fspath(path), os.environ)
    return _with_flags(sources, backends, flags), node_name(os.environ, socket.gethostname())


def file(config: str | None) -> Path:
    """Return which file counts, whether or not it is there."""
    return Path(config or os.environ.get("DEVBAY_CONFIG") or DEFAULT_FILE)


def text(path: Path, *, required: bool) -> str:
    """Return what a file says; nothing, where it need not be there and is not.

    Raises:
        ConfigError: it cannot be read, or is no text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if required:
            raise ConfigError(f"configuration file {path} does not exist") from None
        return ""
    except OSError as error:
        raise ConfigError(f"configuration file {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"configuration file {path} is not UTF-8 text: {error.reason} at byte {error.start}"
        ) from None


def _with_flags(sources: Sources, backends: str | None, flags: dict[str, str | None]) -> Sources:
    variables = [
        Variable(name=f"--{flag.replace('_', '-')}", path=_FLAGS[flag], text=text)
        for flag, text in flags.items()
        if text is not None
    ]
    sources = replace(sources, variables=(*sources.variables, *variables))
    return replace(sources, backends=backends, backends_source="--backends") if backends else sources
