"""``devbay simulate DIRECTORY``: a simulated kubelet in the foreground, telling line by line what it sees."""

import asyncio
import contextlib
import signal
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from devbay.cli import Exit
from devbay.cli.simulate import choices
from devbay.errors import ConfigError
from devbay.simulator import Event, Finding, Kubelet, remote
from devbay.simulator import sockets as kubelet_sockets
from devbay.simulator.checkpoint import FILE as CHECKPOINT
from devbay.simulator.control import Control
from devbay.simulator.scenario import Day, Step, StepFailed
from devbay.simulator.versions import Behaviour

_DEFAULT = "/var/lib/kubelet/device-plugins"
_STATUS_PERIOD = 10.0
"""Seconds between two updates of the node's status, the kubelet's own."""
_NAMED = 3
"""How many files an error names."""


class _Nameless(click.Context):
    """The context of a command that nobody typed: it is called what the group is."""

    @property
    def command_path(self) -> str:
        return self.parent.command_path if self.parent else super().command_path


class _Foreground(click.Command):
    context_class = _Nameless


@click.command("foreground", cls=_Foreground, hidden=True)
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path), default=Path(_DEFAULT))
@click.option(
    "--version", default="1.36", show_default=True, help="The Kubernetes release to behave like, such as 1.32."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Decides what is random in a kubelet's choices.")
@click.option(
    "--scenario",
    type=click.Choice(["day"]),
    help="Play a script and end. 'day' waits for a device, gives it to a pod, lets a device fail and recover, restarts "
    "the kubelet, and deletes the pod. Exits with 1 if a part of it does not happen.",
)
@click.option(
    "--tree",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="For a scenario: the tree of a devbay-mock backend (TREE/DEVICE/status), in which a device is made to fail "
    "and to recover. Without it you are told what to do by hand.",
)
@click.option(
    "--resource", default="", help="For a scenario: the resource to play with; otherwise the first to appear."
)
@click.option(
    "--limit",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    help="For a scenario: how many seconds each step may take.",
)
@choices.node_options
def foreground(  # noqa: PLR0913 - one page of options, all named
    directory: Path,
    *,
    version: str,
    seed: int,
    scenario: str | None,
    tree: Path | None,
    resource: str,
    limit: float,
    **node: Any,
) -> Exit:
    """Run a simulated kubelet until it is asked to stop. The help is that of the group, which stands before this."""
    behaviour = Behaviour.of(version)  # says what is wrong with it before anything is touched
    _refuse(directory)
    if behaviour.cleanup == "files":
        _refuse_files(directory, version)
    kubelet = Kubelet(directory.absolute(), version=version, seed=seed, **choices.arguments(**node))
    return asyncio.run(_serve(kubelet, _day(kubelet, tree, resource, limit) if scenario else None))


def _refuse(directory: Path) -> None:
    """Refuse a directory where deleting all sockets would hurt somebody."""
    if remote.lives(directory.absolute()):
        raise ConfigError(
            f"a simulated kubelet runs on {directory} already; talk to it with devbay simulate node, pod and restart, "
            "or name another directory"
        )
    if kubelet_sockets.answers(directory / kubelet_sockets.NAME):
        raise ConfigError(
            f"a kubelet answers on {directory / kubelet_sockets.NAME}; name another directory: "
            "devbay simulate DIRECTORY"
        )
    if not directory.is_dir():
        return
    entries = [entry for entry in directory.iterdir() if not entry.name.startswith(".")]
    sockets = [entry for entry in entries if stat.S_ISSOCK(entry.lstat().st_mode)]
    others = [entry for entry in entries if entry not in sockets and entry.name not in (CHECKPOINT, "DEPRECATION")]
    if sockets and others:
        raise ConfigError(
            f"{directory} does not look like a directory for device plugins: it holds {others[0].name}. A starting "
            f"kubelet would delete the sockets in it, such as {sockets[0].name}; name another directory"
        )


def _refuse_files(directory: Path, version: str) -> None:
    """Refuse a directory with files of somebody's, where every file would be deleted: hidden ones too.

    That a simulator was here before says nothing of whose they are: one of a later release leaves them, and its mark.
    """
    entries = sorted(directory.iterdir()) if directory.is_dir() else []
    doomed = [entry.name for entry in entries if not stat.S_ISDIR(entry.lstat().st_mode) and not _a_kubelets(entry)]
    if doomed:
        raise ConfigError(
            f"{directory} holds {', '.join(doomed[:_NAMED])}{' and more' if len(doomed) > _NAMED else ''}. A starting "
            f"kubelet of release {version} would delete every file in it; move them away, or name another directory"
        )


def _a_kubelets(entry: Path) -> bool:
    """Whether a kubelet or a plugin left it there."""
    return stat.S_ISSOCK(entry.lstat().st_mode) or entry.name in (CHECKPOINT, "DEPRECATION")


def _day(kubelet: Kubelet, tree: Path | None, resource: str, limit: float) -> Day:
    def tell(step: Step) -> None:
        click.secho(f"\n  {step.title} ({_span(step.seconds)})", bold=True)
        click.echo(f"  {step.detail}\n")

    def ask(what: str) -> None:
        click.secho(f"\n  {what}\n", fg="yellow")

    return Day(kubelet, tell=tell, ask=ask, tree=tree, resource=resource, limit=limit)


async def _serve(kubelet: Kubelet, day: Day | None) -> Exit:
    """Run the kubelet until it is told to stop, or until the day is over."""
    with _asked_to_stop() as stop:
        tell = _teller(stop)
        kubelet.subscribe(_lines(kubelet.clock(), tell))
        kubelet.subscribe(_counts(kubelet, tell))
        async with kubelet, Control(kubelet):
            tell(f"waiting for device plugins in {kubelet.directory}; end with Ctrl-C")
            waiting = asyncio.create_task(stop.wait(), name="stop")
            working = asyncio.create_task(_node_status(kubelet) if day is None else _play(day), name="work")
            await asyncio.wait([waiting, working], return_when=asyncio.FIRST_COMPLETED)
            stopped = waiting.done()
            waiting.cancel()
            working.cancel()
            await asyncio.wait([waiting, working])
    if working.cancelled():
        return Exit.OK if stopped and day is None else Exit.FAILED
    return working.result()


async def _play(day: Day) -> Exit:
    try:
        await day.play()
    except StepFailed as failure:
        click.secho(f"\nThe day failed: {failure}", fg="red", err=True)
        return Exit.FAILED
    return Exit.OK


async def _node_status(kubelet: Kubelet) -> Exit:
    """Update the node's status from time to time, as a kubelet does: only that notices a plugin that stays away."""
    while True:
        _ = kubelet.capacity
        await asyncio.sleep(_STATUS_PERIOD)


@contextlib.contextmanager
def _asked_to_stop() -> Iterator[asyncio.Event]:
    """Take SIGINT and SIGTERM as an event."""
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked.set)
    try:
        yield asked
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _teller(stop: asyncio.Event) -> Callable[..., None]:
    """Return what prints a line; where nobody reads any more, as after ``| head``, it asks to stop instead."""

    def tell(line: str, **style: Any) -> None:
        try:
            click.secho(line, **style)
        except BrokenPipeError:
            stop.set()

    return tell


def _counts(kubelet: Kubelet, tell: Callable[..., None]) -> Callable[[Event], None]:
    """Return a listener that prints the node's capacity whenever it has changed."""
    last: dict[str, tuple[int, int]] = {}

    def listen(_event: Event) -> None:
        capacity, allocatable = kubelet.capacity, kubelet.allocatable
        for resource, count in sorted(capacity.items()):
            now = (count, allocatable.get(resource, 0))
            if last.get(resource) != now:
                last[resource] = now
                tell(f"          node: {resource} capacity {now[0]}, allocatable {now[1]}")

    return listen


def _lines(began: float, tell: Callable[..., None]) -> Callable[[Event], None]:
    """Return a listener that prints each event with its time."""

    def listen(event: Event) -> None:
        tell(f"{event.at - began:8.3f}  {event}", fg="red" if isinstance(event, Finding) else None)

    return listen


def _span(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
