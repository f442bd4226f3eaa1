"""What the driver told by itself, remembered until it is over: written where events are heard, read where health is.

A fault is over when the GPU was reset: when it went away and answers again, or when the driver itself no longer asks
for a reset. One that needs no reset is over when nothing more was heard for a while.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass

from devbay_nvidia.values import Condition, Event
from devbay_nvidia.xids import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that happened to a GPU and is not over.

    Attributes:
        event: what was told.
        since: when, by the caller's clock; last, if it was told several times.
        needs_reset: whether time alone heals it.
        asked: whether the driver has asked for a reset since.
    """

    event: Event
    since: float
    needs_reset: bool
    asked: bool = False

    def concerns(self, gi: int | None, ci: int | None) -> bool:
        """Whether it is of this MIG device, or of this whole GPU if there are no instances."""
        told = self.event
        return (told.gi is None or gi in (None, told.gi)) and (told.ci is None or ci in (None, told.ci))

    @property
    def reason(self) -> str:
        """What a person is told."""
        what = f"XID {self.event.xid}" if self.event.xid is not None else "an uncorrectable memory error"
        return f"the driver reported {what}" + ("; the GPU needs a reset" if self.needs_reset else "")


class Faults:
    """All that is not over, of all GPUs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[Event, Fault] = {}

    def hear(self, event: Event, policy: Policy, uuids: Iterable[str], now: float) -> bool:
        """Remember an event, for the GPUs it concerns; return whether it is a reason to look at them."""
        if event.xid is None or not event.uuid:
            return True  # of a kind, or of a GPU, that a look at each GPU tells better
        meaning = policy.meaning(event.xid)
        if meaning == "ignore":
            return False
        events = [event] if meaning != "node" else [Event(uuid=uuid, xid=event.xid) for uuid in uuids]
        with self._lock:
            for each in events:
                self._open[each] = Fault(event=each, since=now, needs_reset=meaning != "device")
        return True

    def of(self, uuid: str) -> tuple[Fault, ...]:
        """Return what is not over of a GPU, in the order it was told."""
        with self._lock:
            return tuple(fault for fault in self._open.values() if fault.event.uuid == uuid)

    def review(self, uuid: str, condition: Condition, now: float, quiet: float) -> None:
        """Close what a GPU that answers so has got over; `quiet` is for how long nothing may have been heard."""
        asks = bool(condition.recovery)
        with self._lock:
            for event, fault in list(self._open.items()):
                if event.uuid != uuid:
                    continue
                if asks and not fault.asked:
                    self._open[event] = Fault(event=event, since=fault.since, needs_reset=True, asked=True)
                elif not asks and (fault.asked if fault.needs_reset else now - fault.since >= quiet):
                    del self._open[event]

    def was_reset(self, uuid: str | None = None) -> None:
        """Close all of a GPU that was away and answers again; of all GPUs, without one."""
        with self._lock:
            for event in [event for event in self._open if uuid in (None, event.uuid)]:
                del self._open[event]
