"""``devbay demo``: the main job on one terminal, from real events: no cluster, no hardware, no root."""

import asyncio
import os
import shutil
import sys
import tempfile
import time
from asyncio.subprocess import Process
from collections.abc import Mapping
from pathlib import Path

import click
import yaml

from devbay import plugins
from devbay.cli import Exit
from devbay.errors import ConfigError
from devbay.simulator import Kubelet
from devbay.simulator.scenario import CONTAINER, POD, Day, Step, StepFailed

_DEVICES = 4
_LIMIT = 8.0
"""Seconds that each part of the story may take; each takes milliseconds where all is well."""

_NEXT = """\
What to try next:
  {devbay} backends
      what is installed, and how it does on this machine
  {devbay} simulate /tmp/plugins
      a kubelet that tells what it sees; then, in another terminal,
  DEVBAY_MOCK__COUNT=4 DEVBAY_MOCK__MADE_DIR=/tmp/mock {devbay} run --kubelet-dir /tmp/plugins
      the host on it: write 'offline' into /tmp/mock/class/acc0/status and look at both
"""


@click.command(short_help="See the whole job on this terminal.")
@click.option("--log", "show_log", is_flag=True, help="Print the host's own log at the end.")
def demo(*, show_log: bool) -> Exit:
    """See the whole job on this terminal: no cluster, no hardware, no root.

    Starts a simulated kubelet and, as a process of its own, 'devbay run' with the mock backend on a directory tree
    that stands for four accelerators. Then: the accelerators are registered, a pod gets one, one fails and recovers,
    the kubelet restarts, the host is stopped. Every line is something that happened, with the time it took. Exits with
    1 if a part of the story did not happen.
    """
    installed, rejected = plugins.find()
    if "mock" not in installed:
        reasons = [one.reason for one in rejected if one.name == "mock"] or ["install it with: pip install devbay-mock"]
        raise ConfigError(f"the demo needs the mock backend; {reasons[0]}")
    with tempfile.TemporaryDirectory(prefix="devbay-") as directory:
        return asyncio.run(_tell_story(Path(directory), show_log=show_log))


async def _tell_story(place: Path, *, show_log: bool) -> Exit:
    (place / "plugins").mkdir()
    kubelet = Kubelet(place / "plugins")
    log = place / "host.log"
    click.echo(f"A simulated kubelet and the host, in {place}; {_DEVICES} mock accelerators, no hardware.\n")
    try:
        async with kubelet:
            host = await _start_host(place, log)
            try:
                await Day(kubelet, tell=_Tell(kubelet), ask=click.echo, tree=place / "class", limit=_LIMIT).play()
                await _stop_host(host, place)
            finally:
                if host.returncode is None:
                    host.kill()
                    await host.wait()
    except StepFailed as failure:
        click.secho(f"\n  did not happen: {failure}", fg="red", err=True)
        click.echo(f"\nThe host's log:\n{log.read_text(encoding='utf-8')}", err=True)
        return Exit.FAILED
    if show_log:
        click.echo(f"\nThe host's log:\n{log.read_text(encoding='utf-8')}")
    click.echo(f"\nAll of it happened, on real sockets.\n\n{_NEXT.format(devbay=_program())}", nl=False)
    return Exit.OK


async def _start_host(place: Path, log: Path) -> Process:
    """Start ``devbay run`` as a person would, with a configuration of its own and none of this machine's."""
    config = place / "config.yaml"
    mock = {"root": f"{place}/class", "device_dir": f"{place}/dev", "count": _DEVICES, "numa_nodes": 2}
    config.write_text(
        yaml.safe_dump(
            {"backends": ["mock"], "kubelet": {"directory": f"{place}/plugins"}, "web": {"listen": ""}, "mock": mock}
        ),
        encoding="utf-8",
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DEVBAY_")}
    command = [sys.executable, "-m", "devbay", "run", "--config", os.fspath(config), "--log-format", "console"]
    with log.open("wb") as output:
        return await asyncio.create_subprocess_exec(*command, stderr=output, env=environment)


def _left_behind(place: Path) -> list[str]:
    return sorted(path.name for path in [*place.glob("plugins/devbay-*"), *place.glob("class/*")])


async def _stop_host(host: Process, place: Path) -> None:
    began = time.monotonic()
    host.terminate()
    try:
        async with asyncio.timeout(_LIMIT):
            code = await host.wait()
    except TimeoutError:
        raise StepFailed(f"the host did not stop within {_LIMIT:g} s of SIGTERM") from None
    seconds = time.monotonic() - began
    if (left := _left_behind(place)) or code:
        raise StepFailed(f"the host was to exit with 0 and leave nothing; it exited with {code} and left {left}")
    _line("The host is stopped", "exit code 0, no socket left, and the accelerators it made are gone", seconds)


class _Tell:
    """Prints each step of the day when it has happened."""

    def __init__(self, kubelet: Kubelet) -> None:
        self._kubelet = kubelet

    def __call__(self, step: Step) -> None:
        if step.name == "pod":
            _line(step.title, f"{POD}/{CONTAINER} has {step.facts['device']}, and with it:", step.seconds)
            self._container()
        else:
            _line(step.title, step.detail, step.seconds)

    def _container(self) -> None:
        given = self._kubelet.pods[POD].container(CONTAINER)
        _facts("environment", given.env)
        _facts("device", {node.path: node.host_path for node in given.device_nodes})
        _facts("mount", {mount.container_path: mount.host_path for mount in given.mounts})


def _program() -> str:
    """Return how this command is typed here: by its name, where the shell finds it, else by its path."""
    beside = Path(sys.executable).parent / "devbay"
    if shutil.which("devbay") or not beside.exists():
        return "devbay"
    return os.path.relpath(beside) if beside.is_relative_to(Path.cwd()) else os.fspath(beside)


def _facts(kind: str, facts: Mapping[str, str]) -> None:
    for name, value in sorted(facts.items()):
        click.secho(f"        {kind:<12} {name} = {value}", dim=True)


def _line(title: str, detail: str, seconds: float) -> None:
    click.echo(click.style("  ✓ ", fg="green") + click.style(f"{title:<34}", bold=True) + f"{seconds * 1000:8.1f} ms")
    click.echo(f"      {detail}")
