"""``devbay cdi``: what container runtimes are told about devices, for people, and for nodes without a kubelet."""

import click

from devbay.cli.cdi.generating import generate
from devbay.cli.cdi.reading import list_, show, validate


@click.group(short_help="See and write the device files of container runtimes.")
def cdi() -> None:
    """See and write the device files of container runtimes (CDI).

    A container runtime (containerd, CRI-O, podman, docker) is the program that starts containers. What a container
    needs to use a device, such as device nodes and libraries, it can read from files: a specification lists devices by
    names like devbay.example.com/widget=w0, and whoever starts a container gives such a name. This is the Container
    Device Interface, CDI. Runtimes look for specifications in /etc/cdi, where people put them, and in /var/run/cdi,
    where programs do; the latter wins.

    "devbay run" writes them itself for resources whose delivery is set to CDI. These commands show what is there, from
    whatever program, and make specifications for machines where no kubelet is:

    \b
    What can be named on this machine:        devbay cdi list
    What a container would get with it:       devbay cdi show devbay.example.com/widget=w0
    Why a runtime does not find a device:     devbay cdi validate /etc/cdi/*.json
    Devices for podman, without Kubernetes:   devbay cdi generate --output-dir /var/run/cdi
                                              podman run --device devbay.example.com/widget=w0 ...
    """  # noqa: D301 - click's mark for a paragraph that stays as it is


for command in (list_, show, generate, validate):
    cdi.add_command(command)
