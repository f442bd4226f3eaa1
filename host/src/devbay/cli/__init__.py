"""The command line: arguments in, exit code out. One module per command, imported when it is typed.

A command returns an `Exit`, or nothing for success; it raises our own errors for what the user must mend. Nothing here
exits.
"""

import importlib
from collections.abc import Sequence
from enum import IntEnum
from typing import Any

import click

from devbay.errors import ConfigError, DevbayError

_COMMANDS = (
    "run",
    "backends",
    "devices",
    "explain",
    "doctor",
    "cleanup",
    "config",
    "cdi",
    "manifest",
    "simulate",
    "demo",
    "new-backend",
)


class Exit(IntEnum):
    """Exit codes. The README lists them."""

    OK = 0
    """Done, or stopped because asked to."""
    FAILED = 1
    """What the command is for did not come about."""
    USAGE = 2
    """The arguments or the configuration cannot be used; nothing was started."""


class _Commands(click.Group):
    """A group whose commands are modules of this package, imported when they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in _COMMANDS:
            return None
        module = cmd_name.replace("-", "_")  # both the module's name and the function's
        command: click.Command = getattr(importlib.import_module(f"devbay.cli.{module}"), module)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="devbay")
def cli() -> None:
    """Put a node's hardware into Kubernetes.

    Kubernetes gives pods CPU and memory by itself. For anything else on a machine (a GPU, an FPGA, a network card's
    virtual function) it asks a "device plugin": a process on each node that says which devices there are, whether they
    work, and what a container needs to use one. devbay is that process, for all kinds of hardware at once. What it
    knows about a kind of hardware comes from a backend, a small package of its own: pip install devbay-mock.

    \b
    Try it without a cluster and without hardware:   devbay demo
    See what would be offered on this machine:       devbay devices
    Run it on a node:                                devbay run
    """  # noqa: D301 - click's mark for a paragraph that stays as it is


def run_command_line(arguments: Sequence[str]) -> int:
    """Run the command that `arguments` name; return the exit code."""
    try:
        result: Any = cli.main(list(arguments), prog_name="devbay", standalone_mode=False)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return Exit.USAGE
    except click.Abort:
        return Exit.OK
    except DevbayError as error:
        click.echo(f"devbay: {error}", err=True)
        return Exit.USAGE if isinstance(error, ConfigError) else Exit.FAILED
    return int(result) if isinstance(result, int) else Exit.OK
