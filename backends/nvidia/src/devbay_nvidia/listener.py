"""Waiting for what happens to the hardware, in a thread of its own: the driver's events, and changes in ``/proc``.

The library tells of errors but not of GPUs, MIG devices or drivers that come and go; those are seen by a look at a few
directories in each turn.
"""

import logging
import threading
import time
from collections.abc import Callable, Hashable, Iterator

from devbay_nvidia.connection import TURN, Connection
from devbay_nvidia.values import Event, NvmlError

log = logging.getLogger(__name__)

_PAUSES = (0.5, 1.0, 2.0, 5.0)
"""Seconds between tries where the driver refuses to tell events: the regular look finds what is not told."""


def listen(
    connection: Callable[[], Connection | None],
    fingerprint: Callable[[], Hashable],
    wake: Callable[[], None],
    stop: threading.Event,
) -> Iterator[Event]:
    """Yield the driver's events until `stop` is set, and call `wake` when `fingerprint` changes."""
    seen: Hashable = None
    refused = 0
    patience = 0.0
    while not stop.is_set():
        now = fingerprint()
        if now != seen:
            seen = now
            wake()
        here = connection()
        if here is None or time.monotonic() < patience:
            stop.wait(TURN)
            continue
        try:
            event = here.wait(TURN, stop.wait)
        except NvmlError as error:
            log.debug("events cannot be waited for: %s", error)
            if not refused:
                wake()
            patience = time.monotonic() + _PAUSES[min(refused, len(_PAUSES) - 1)]
            refused += 1
            continue
        refused = 0
        if event is not None:
            yield event
