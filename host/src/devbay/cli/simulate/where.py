"""Which running simulator a command means, and asking it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from devbay.errors import ConfigError, KubeletUnavailable
from devbay.simulator import remote
from devbay.simulator.questions import Question

F = TypeVar("F", bound=Callable[..., Any])
_T = TypeVar("_T")

directory_option: Callable[[F], F] = click.option(
    "--directory",
    "-d",
    type=click.Path(file_okay=False, path_type=Path),
    help="The DIRECTORY of the simulator to talk to. Needed only where several run, and not just one of them in the "
    "current directory or below it.",
)

namespace_option: Callable[[F], F] = click.option(
    "--namespace", "-n", default="default", show_default=True, help="The pod's namespace."
)


def ask(directory: Path | None, question: Question, answer: type[_T]) -> _T:
    """Ask the simulator on `directory`, or the only one that runs, or that runs here."""
    try:
        return remote.ask(directory.absolute() if directory else _only(remote.running()), question, answer)
    except KeyboardInterrupt:
        raise KubeletUnavailable("not waited for; the simulated kubelet goes on with what it was asked") from None


def _only(running: list[Path]) -> Path:
    """Return the one simulator that runs; of several, the one on the current directory or below it."""
    if not running:
        raise KubeletUnavailable(
            "no simulated kubelet of yours runs here; start one with: devbay simulate DIRECTORY "
            "(or name its directory with --directory)"
        )
    here = Path.cwd()
    near = [directory for directory in running if directory.resolve().is_relative_to(here)]
    if len(running) > 1 and len(near) != 1:
        raise ConfigError(f"several simulators run, on {', '.join(map(str, running))}; choose one with --directory")
    return near[0] if near else running[0]
