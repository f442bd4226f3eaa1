"""``devbay simulate``: a simulated kubelet in the foreground, and the commands that talk to one that runs.

One name for both: what follows is a command if it is called as one, and otherwise the foreground's DIRECTORY or option.
"""

import difflib
from collections.abc import Sequence

import click

from devbay.cli.simulate.foreground import foreground
from devbay.cli.simulate.node import node, restart
from devbay.cli.simulate.pod import pod

_HELP = ("-h", "--help")


class _Simulate(click.Group):
    """A group that is itself a command: without one of its commands it is the foreground."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        first = args[0] if args else ""
        if first not in self.commands and first not in _HELP:
            if len(args) > 1 or "/" not in first:
                self._refuse_typing_error(ctx, args)
            args = [foreground.name or "", *args]
        return super().parse_args(ctx, args)

    def _refuse_typing_error(self, ctx: click.Context, args: Sequence[str]) -> None:
        """Refuse what was meant as a command: else 'nodes' would be made as a directory and simulated on."""
        near = difflib.get_close_matches(args[0], self.list_commands(ctx)) if args else []
        if near:
            raise click.UsageError(
                f"no such command {args[0]!r}; did you mean {near[0]!r}? A directory of that name is ./{args[0]}", ctx
            )

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return [name for name, command in self.commands.items() if not command.hidden]

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_usage(ctx.command_path, "[OPTIONS] [DIRECTORY]")
        formatter.write_usage(ctx.command_path, "COMMAND [ARGS]...")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        foreground.format_options(ctx, formatter)
        self.format_commands(ctx, formatter)


@click.group(cls=_Simulate, short_help="Be a kubelet for device plugins, without a cluster.")
def simulate() -> None:
    """Be a kubelet for device plugins, without a cluster.

    On a Kubernetes node, the kubelet is the agent that starts containers. A device plugin (such as "devbay run") tells
    it through a socket in DIRECTORY which devices the node has; the kubelet counts them, hands them to containers, and
    asks the plugin what a container needs to use one. This command plays the kubelet's part on real sockets and prints
    everything that happens, so that a plugin, in whatever language, can be tried on any machine.

    DIRECTORY is where the sockets are, /var/lib/kubelet/device-plugins by default. Like a real kubelet, this one
    deletes all sockets in it when it starts. It never takes the place of a kubelet that is there. Kubelets up to
    release 1.32 delete every file in it, and so does "--version 1.32", which therefore does not start in a directory
    that holds files of somebody's.

    \b
    One terminal:       devbay simulate /tmp/plugins
    Another terminal:   devbay run --kubelet-dir /tmp/plugins
    A third:            devbay simulate node
                        devbay simulate pod create p --limit example.com/widget=1
                        devbay simulate pod describe p

    End it with Ctrl-C; the sockets it made are removed.
    """  # noqa: D301 - click's mark for a paragraph that stays as it is


for command in (pod, node, restart, foreground):
    simulate.add_command(command)
