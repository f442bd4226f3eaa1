"""A writer without hardware: what a region's kernel driver does to sysfs when a port is programmed, done to files.

For tests, and for whoever tries a configuration on a tree of files: ``Backend(writer=FakeRegions({...}))``.
"""

import threading
from collections.abc import Mapping
from pathlib import Path


class FakeRegions:
    """Ports as files: programming one writes what was programmed into its ``afu_id``.

    Attributes:
        written: the node, the port and the data of each call, in order.
        refusal: raised by each call, where a test sets one.
        hold: while it is set to an event, calls wait for that event, as a driver that hangs.
    """

    def __init__(self, ports: Mapping[tuple[str, int], Path], afu_ids: Mapping[bytes, str]) -> None:
        """Take each port's ``afu_id`` by the FME's name and the port's number, and what each data makes of it."""
        self._ports = dict(ports)
        self._afu_ids = dict(afu_ids)
        self.written: list[tuple[str, int, bytes]] = []
        self.refusal: OSError | None = None
        self.hold: threading.Event | None = None

    def __call__(self, fme: Path, port: int, data: bytes) -> None:
        """Program a port."""
        self.written.append((fme.name, port, data))
        if self.hold is not None:
            self.hold.wait()
        if self.refusal is not None:
            raise self.refusal
        self._ports[fme.name, port].write_text(f"{self._afu_ids[data]}\n", encoding="ascii")
