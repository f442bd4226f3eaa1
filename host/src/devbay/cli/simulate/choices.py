"""The options that say what kind of node the foreground plays: its container runtime, its NUMA nodes, its sockets.

Each becomes an argument of `Kubelet` of the same name.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, get_args

import click

from devbay.errors import ConfigError
from devbay.simulator import sockets
from devbay.simulator.topology import Policy, Scope

F = TypeVar("F", bound=Callable[..., Any])

_PART = re.compile(r"\s*(\d{1,4})\s*(?:-\s*(\d{1,4})\s*)?")


def _nodes(_context: click.Context, _parameter: click.Parameter, value: str) -> tuple[int, ...]:
    """Return NUMA nodes, given as the kernel lists them, such as ``0-1,4``."""
    nodes: set[int] = set()
    for part in value.split(","):
        match = _PART.fullmatch(part)
        if match is None or int(match[2] or match[1]) < int(match[1]):
            raise click.BadParameter(f"{value!r} are not NUMA nodes; write them as 0-3 or 0,2")
        nodes.update(range(int(match[1]), int(match[2] or match[1]) + 1))
    return tuple(sorted(nodes))


_OPTIONS = (
    click.option(
        "--cdi-dir",
        "cdi_dirs",
        multiple=True,
        type=click.Path(file_okay=False, path_type=Path),
        help="Where the container runtime looks for CDI files, which say in JSON or YAML what a device needs in a "
        "container; some plugins answer with names from them. May be given more than once: the later wins. Without "
        "it there is nowhere to look, and a container that needs a CDI device is not created. Real runtimes look into "
        "/etc/cdi and /var/run/cdi.",
    ),
    click.option("--no-cdi", is_flag=True, help="Play a container runtime in which CDI is switched off."),
    click.option(
        "--topology-policy",
        type=click.Choice(get_args(Policy)),
        default="none",
        show_default=True,
        help="Whether a container's devices must be close to each other. A NUMA node is a part of a machine whose "
        "processors, memory and devices are close. 'best-effort' prefers devices of as few nodes as possible, "
        "'restricted' rejects a pod that cannot have that, 'single-numa-node' one whose devices are not on one node.",
    ),
    click.option(
        "--topology-scope",
        type=click.Choice(get_args(Scope)),
        default="container",
        show_default=True,
        help="Whether that is decided for each container, or for all containers of a pod together.",
    ),
    click.option(
        "--numa-nodes",
        callback=_nodes,
        default="0-1",
        show_default=True,
        metavar="NODES",
        help="The machine's NUMA nodes, such as 0-3 or 0,2.",
    ),
    click.option(
        "--plugins-registry",
        type=click.Path(file_okay=False, path_type=Path),
        help="Also look for plugins' sockets in this directory, and ask what is found there what it is: another way in "
        "which some plugins register. A real kubelet looks into /var/lib/kubelet/plugins_registry.",
    ),
    click.option(
        "--pod-resources-socket",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Also serve the kubelet's pod-resources API on this socket: it tells which container holds which device, "
        "and monitoring agents and some plugins ask it. A real kubelet has it at "
        "/var/lib/kubelet/pod-resources/kubelet.sock.",
    ),
)


def node_options(function: F) -> F:
    """Give a command these options."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def arguments(cdi_dirs: tuple[Path, ...], *, no_cdi: bool, pod_resources_socket: Path | None, **rest: Any) -> Any:
    """Return what the options say as arguments of `Kubelet`, after a look whether anybody would be hurt.

    Raises:
        ConfigError: the pod-resources socket is somebody's, or its place is taken by something else.
    """
    socket = None if pod_resources_socket is None else pod_resources_socket.absolute()
    if socket is not None:
        _refuse(socket)
    directories = tuple(directory.absolute() for directory in cdi_dirs)
    return {**rest, "cdi_dirs": directories, "cdi_enabled": not no_cdi, "pod_resources_socket": socket}


def _refuse(socket: Path) -> None:
    """Refuse a path at which a starting kubelet, which deletes what is there, would hurt somebody."""
    if sockets.answers(socket):
        raise ConfigError(f"a kubelet answers on {socket}; name another path with --pod-resources-socket")
    if socket.exists() and not socket.is_socket():
        raise ConfigError(f"{socket} is no socket, and would be deleted; name another path with --pod-resources-socket")
