"""``devbay config``: what the configuration may say, what it says, and what of it cannot be meant."""

import click

from devbay.cli.config.check import check
from devbay.cli.config.reference import reference
from devbay.cli.config.schema import schema
from devbay.cli.config.show import show


@click.group(short_help="Check the configuration, and see what it means.")
def config() -> None:
    """Check the configuration, and see what it means.

    The configuration is one YAML file, then environment variables (DEVBAY_...), then flags; later ones count. In the
    file, the list "nodes" says more for nodes whose names match, so that one file serves every kind of node.

    \b
    Before a file is given to a fleet:             devbay config check config.yaml
    What holds on one node, and who says so:       devbay config show --config config.yaml --node gpu-7
    For an editor that completes and underlines:   devbay config schema > devbay.schema.json
    Every key of the host, as a page:              devbay config reference
    """  # noqa: D301 - click's mark for a paragraph that stays as it is


for command in (check, show, schema, reference):
    config.add_command(command)
