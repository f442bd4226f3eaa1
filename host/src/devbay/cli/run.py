"""``devbay run``: the host, until it is asked to stop."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import click

from devbay.cli import Exit, configuration, log
from devbay.host import Host
from devbay.plan import Plan

_ENDINGS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@click.command(short_help="Offer this node's devices to its kubelet.")
@configuration.options
@click.option(
    "--kubelet-dir",
    metavar="DIR",
    help="The kubelet's device plugin directory; otherwise /var/lib/kubelet/device-plugins.",
)
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), help="Otherwise info.")
@click.option("--log-format", type=click.Choice(["auto", "console", "json"]), help="Otherwise console on a terminal.")
def run(**options: str | None) -> Exit:
    """Offer this node's devices to its kubelet, until stopped.

    Loads the backends that are enabled for this node, looks for their devices, and for each kind of them (a resource
    such as nvidia.com/gpu) opens a socket in the kubelet's directory and registers it. The kubelet then reads the list
    of devices, and asks what a container needs when a pod was given some. A kubelet that is away or restarts is waited
    for; so is hardware that is not there yet.

    Needs root on a node, since the kubelet's directory is root's. Stop it with Ctrl-C or SIGTERM: it closes its
    sockets and exits with 0. Containers that hold devices keep them.
    """
    plan = configuration.load(**options)
    log.configure(plan.settings.log)
    asyncio.run(_until_asked(plan))
    return Exit.OK


async def _until_asked(plan: Plan) -> None:
    with _signals() as asked:
        work = asyncio.create_task(Host(plan).run(), name="host")
        waiter = asyncio.create_task(asked.wait(), name="signals")
        await asyncio.wait({work, waiter}, return_when=asyncio.FIRST_COMPLETED)
        waiter.cancel()
        if not work.done():
            work.cancel()
            await asyncio.wait({work})
    if not work.cancelled():
        work.result()


@contextmanager
def _signals() -> Iterator[asyncio.Event]:
    """Take the signals that ask a process to end as an event; a second one of a kind ends it as it would without us."""
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()

    def ask(taken: signal.Signals) -> None:
        asked.set()
        loop.remove_signal_handler(taken)

    for each in _ENDINGS:
        loop.add_signal_handler(each, ask, each)
    try:
        yield asked
    finally:
        for each in _ENDINGS:
            loop.remove_signal_handler(each)
