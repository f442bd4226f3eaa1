"""Programming all ports of a request with the bitstream of its resource, and seeing that it worked.

A port that already is what the bitstream makes of it is left alone, so that a container's restart programs nothing. The
whole has one deadline. A driver that does not return in time keeps its thread, and its board is left alone until it
does.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from devbay.api import Node
from devbay_fpga import sysfs
from devbay_fpga.offers import Offer
from devbay_fpga.programming import bitstreams
from devbay_fpga.programming.bitstreams import Bitstream
from devbay_fpga.programming.writing import Writer
from devbay_fpga.settings import Program
from devbay_fpga.unit import Unit

_LOOK = 0.02  # seconds between looks at an id that is to change


class NotProgrammed(Exception):  # noqa: N818 - says what a port is
    """A port that could not be programmed; the text names it, and says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """A port, the FME that programs it, and what the FME's regions take."""

    port: Unit
    fme: Unit

    @property
    def afu_id(self) -> str:
        """What the port is now; nothing, while the driver does not tell."""
        return sysfs.peek(self.port.directory / "afu_id").lower()

    @property
    def number(self) -> int | None:
        """The port's number on its board."""
        return sysfs.number(self.port.facts.get("port", ""))


class Programmer:
    """Programs ports through a writer."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._busy: dict[str, threading.Thread] = {}

    def program(self, node: Node, wanted: Program, offers: Sequence[Offer], timeout: float) -> None:
        """Make every port of these devices what the bitstream makes of it.

        Raises:
            NotProgrammed: one of them is not; those before it are.
        """
        end = time.monotonic() + timeout
        try:
            bitstream = bitstreams.load(node.locate(wanted.bitstream))
        except bitstreams.BadBitstream as error:
            raise NotProgrammed(f"{error}") from None
        targets = [target for offer in offers for target in _targets(offer)]
        for target in targets:
            _judge(target, bitstream, wanted)  # all of them before the first is touched
        for target in targets:
            if target.afu_id != bitstream.afu_id:
                self._write(node, target, bitstream, end)
                _verify(target, bitstream, end)

    def _write(self, node: Node, target: Target, bitstream: Bitstream, end: float) -> None:
        name, failures = target.fme.name, list[str]()
        if (before := self._busy.get(name)) is not None and before.is_alive():
            raise NotProgrammed(f"{name}: the driver has not returned from programming before")

        def run() -> None:
            try:
                self._writer(node.locate(target.fme.nodes["fme"]), target.number or 0, bitstream.data)
            except OSError as error:
                failures.append(error.strerror or f"{error}")

        self._busy[name] = thread = threading.Thread(target=run, name=f"program {name}", daemon=True)
        thread.start()
        thread.join(max(0.0, end - time.monotonic()))
        if thread.is_alive():
            raise NotProgrammed(f"{target.port.name}: the driver did not program it in time (fpga.program_timeout)")
        if failures:
            raise NotProgrammed(f"{target.port.name}: the driver refuses to program it: {failures[0]}")


def _targets(offer: Offer) -> Iterator[Target]:
    fme = next((unit for unit in offer.units if unit.kind == "fme"), None)
    for port in offer.units:
        if port.kind == "port" and fme is None:
            raise NotProgrammed(f"{port.name} cannot be programmed: its FME is not on this machine")
        if port.kind == "port" and fme is not None:
            yield Target(port, fme)


def _judge(target: Target, bitstream: Bitstream, wanted: Program) -> None:
    """Refuse a port that must not be programmed with this."""
    interface = target.fme.facts.get("interface_id", "")
    if interface != bitstream.interface_id:
        raise NotProgrammed(
            f"{target.port.name}: {wanted.bitstream} is for the interface {bitstream.interface_id}, and the board "
            f"has {interface or 'none that can be read'}"
        )
    if target.number is None:
        raise NotProgrammed(f"{target.port.name}: its number on the board cannot be read ({target.port.directory}/id)")


def _verify(target: Target, bitstream: Bitstream, end: float) -> None:
    """Wait until the port is what it was to become: its driver may be a moment behind."""
    while (found := target.afu_id) != bitstream.afu_id:
        if time.monotonic() >= end:
            raise NotProgrammed(
                f"{target.port.name}: it was programmed with {bitstream.afu_id}, and its afu_id reads "
                f"{found or 'nothing'}"
            )
        time.sleep(_LOOK)
