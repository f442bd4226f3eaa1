"""The backend: the host's questions, each handed to the module that knows.

`discover`, `check`, `affinity`, `explain` and `prepare` run in one thread and share what is remembered here; `edit` and
`watch` run in others and touch none of it.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence

from devbay.api import BackendUnavailable, ContainerEdits, Device, Health, Node, hookimpl
from devbay_fpga import closeness, container, explaining, finding, memory, watcher
from devbay_fpga.health import GONE, Judge
from devbay_fpga.offers import Offer, Skipped, offers
from devbay_fpga.programming import regions
from devbay_fpga.programming.writing import Writer, write
from devbay_fpga.settings import Settings
from devbay_fpga.unit import Unit

log = logging.getLogger(__name__)


class Backend:
    """FPGAs, as the kernel shows them.

    `writer` writes a bitstream into a region; a test hands in one that needs no hardware.
    """

    def __init__(self, writer: Writer = write) -> None:
        self._programmer = regions.Programmer(writer)
        self._judge = Judge()
        self._kept: dict[str, Unit] = {}
        self._offers: dict[str, Offer] = {}
        self._skipped: frozenset[Skipped] = frozenset()

    @hookimpl
    def settings(self) -> type[Settings]:
        """Return the type of the section ``fpga``."""
        return Settings

    @hookimpl
    def discover(self, node: Node, settings: Settings) -> list[Device]:
        """Return the devices of all stacks. One that cannot be read now is returned as it was known before."""
        units = memory.recall(finding.find(node, settings), self._kept, finding.on_bus(node))
        self._kept = memory.keep(units)
        made = list(offers(settings, units))
        self._offers = {offer.device.id: offer for offer in made if isinstance(offer, Offer)}
        skipped = frozenset(offer for offer in made if isinstance(offer, Skipped))
        for each in sorted(skipped - self._skipped, key=lambda each: each.name):
            log.warning("%s is not offered: %s", each.name, each.reason)
        self._skipped = skipped
        if not self._offers:
            reasons = "; ".join(f"{each.name} is not offered: {each.reason}" for each in sorted(skipped, key=str))
            raise BackendUnavailable(reasons or finding.absent(settings))
        return [offer.device for offer in made if isinstance(offer, Offer)]

    @hookimpl
    def check(self, node: Node, settings: Settings, devices: Sequence[Device]) -> Mapping[str, Health]:
        """Return what the kernel tells of each device's health."""
        known = {device.id: self._offers[device.id] for device in devices if device.id in self._offers}
        told = self._judge.health(node, settings, known)
        return {device.id: told.get(device.id, GONE) for device in devices}

    @hookimpl
    def watch(self, node: Node, settings: Settings, wake: Callable[[], None], stop: threading.Event) -> None:
        """Call `wake` at uevents and at changes in ``/dev`` that may matter."""
        watcher.watch(node, settings, wake, stop)

    @hookimpl
    def affinity(self, a: Device, b: Device) -> float:
        """Return how close two devices are: on one card, below one switch, on one NUMA node."""
        return closeness.closeness(a, b, self._offers.get(a.id), self._offers.get(b.id))

    @hookimpl
    def explain(self, node: Node, settings: Settings, device: Device) -> str | None:
        """Return the files that a device was found by, and what they said."""
        offer = self._offers.get(device.id)
        return None if offer is None else "\n".join(explaining.lines(node, settings, offer))

    @hookimpl
    def edit(self, settings: Settings, devices: Sequence[Device]) -> ContainerEdits:
        """Return what a container gets."""
        return container.edits(settings, devices)

    @hookimpl
    def prepare(self, node: Node, settings: Settings, resource: str, devices: Sequence[Device]) -> None:
        """Program the ports of these devices, if the settings have a bitstream for the resource."""
        program = next((each for each in settings.programs if each.resource == resource), None)
        if program is not None:
            known = [self._offers[device.id] for device in devices if device.id in self._offers]
            if len(known) < len(devices):
                raise regions.NotProgrammed("a device of the request is no longer found in /sys")
            self._programmer.program(node, program, known, settings.program_timeout)
