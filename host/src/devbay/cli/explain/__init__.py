"""``devbay explain``: what the host would do, and why, without doing it."""

import click

from devbay.cli.explain.allocating import allocate
from devbay.cli.explain.devices import device
from devbay.cli.explain.resources import resource


@click.group(short_help="Say what the host would do, and why.")
def explain() -> None:
    """Say what the host would do, and why, without doing it.

    Looks at the hardware once, as 'devbay devices' does, and offers nothing to anybody: safe beside a running devbay.

    \b
    Why a device is here, healthy or not, shared or not:   devbay explain device gpu-0
    What becomes of a resource, and who holds it:          devbay explain resource nvidia.com/gpu
    Which devices a container would best get:              devbay explain allocate nvidia.com/gpu 2
    """  # noqa: D301 - click's mark for a paragraph that stays as it is


for command in (device, resource, allocate):
    explain.add_command(command)
