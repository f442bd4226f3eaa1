"""``devbay run``: the host, until it is asked to stop."""

import asyncio
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import click

from devbay.cli import Exit, configuration, log, writing
from devbay.configuration import Configuration
from devbay.host import Host

_ENDINGS = (signal.SIGTERM, signal.SIGINT)


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

    The configuration file is followed: a change counts within two seconds, or at once when SIGHUP comes, for what it
    touches; one that cannot be used is refused with a line that says why, and the last good one goes on.

    Needs root on a node, since the kubelet's directory is root's. Stop it with Ctrl-C or SIGTERM: it closes its
    sockets and exits with 0. Containers that hold devices keep them.
    """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # what it asks for is about to happen
    try:
        asyncio.run(_until_asked(options))
    finally:
        writing.drain()  # before anything else is written
    return Exit.OK


async def _until_asked(options: Mapping[str, str | None]) -> None:
    kept = Configuration(
        configuration.file(options["config"]),
        lambda: configuration.load(**options),
        lambda plan: log.configure(plan.settings.log),
    )
    plan = configuration.load(**options)
    log.configure(plan.settings.log)
    with _signals(kept.reload) as asked:
        work = asyncio.create_task(Host(plan, configuration=kept, chronicle=log.CHRONICLE).run(), name="host")
        waiter = asyncio.create_task(asked.wait(), name="signals")
        await asyncio.wait({work, waiter}, return_when=asyncio.FIRST_COMPLETED)
        waiter.cancel()
        if not work.done():
            work.cancel()
            await asyncio.wait({work})
    if not work.cancelled():
        work.result()


@contextmanager
def _signals(reload: Callable[[], None]) -> Iterator[asyncio.Event]:
    """Take the signals that ask a process to end as an event; a second one of a kind ends it as it would without us.

    SIGHUP asks for the configuration to be read again.
    """
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()

    def ask(taken: signal.Signals) -> None:
        asked.set()
        loop.remove_signal_handler(taken)

    loop.add_signal_handler(signal.SIGHUP, reload)
    for each in _ENDINGS:
        loop.add_signal_handler(each, ask, each)
    try:
        yield asked
    finally:
        for each in _ENDINGS:
            loop.remove_signal_handler(each)
