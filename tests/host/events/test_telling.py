"""What is told of devices, merged and bounded: pure, so the time is the test's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbay.events.telling import MEMORY, REMEMBERED, WAITING, Happening, Limit, Memory, Outbox, Told, happenings
from devbay.inventory import Change, DeviceStatus
from devbay.model import HEALTHY, Device, Health, unhealthy

W = "example.com/w"


def status(health: Health, name: str = "w0", resource: str = W) -> DeviceStatus:
    """Return a device as a snapshot has it."""
    return DeviceStatus(device=Device(id=name, resource=resource), backend="b", health=health)


def fails(name: str, cause: str = "it burns", at: float = 0.0, resource: str = W) -> Happening:
    """Return that a device failed."""
    (happening,) = happenings([Change(status(HEALTHY, name, resource), status(unhealthy(cause), name, resource))], at)
    return happening


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (None, HEALTHY, []),
        (None, unhealthy("x"), ["DeviceUnhealthy"]),
        (HEALTHY, unhealthy("x"), ["DeviceUnhealthy"]),
        (unhealthy("x"), HEALTHY, ["DeviceHealthy"]),
        (unhealthy("x"), unhealthy("y"), ["DeviceUnhealthy"]),
        (unhealthy("91 degrees"), unhealthy("92.5 degrees"), []),
        (HEALTHY, HEALTHY, []),
        (unhealthy("x"), None, ["DeviceGone"]),
    ],
)
def test_what_is_told(before: Health | None, after: Health | None, told: list[str]) -> None:
    """P12: failures, recoveries and ends are told; what is found healthy, and a number that changes, are no news."""
    change = Change(*(None if health is None else status(health) for health in (before, after)))

    assert [happening.reason for happening in happenings([change], 0.0)] == told


def test_devices_that_fail_together_are_one_event() -> None:
    """P12: a driver that dies takes eight devices along, and is told once, naming them."""
    outbox = Outbox()
    for at in range(10):
        outbox.put(fails(f"w{at}", at=float(at)))

    happening = outbox.take()

    assert happening is not None
    assert outbox.take() is None
    assert happening.message == (
        "10 devices of example.com/w are unhealthy: it burns (w0, w1, w2, w3, w4, w5, w6, w7 and 2 more)"
    )
    assert (happening.kind, happening.count, happening.first, happening.last) == ("Warning", 10, 0.0, 9.0)


def test_one_device_is_a_sentence() -> None:
    """What a person reads names the device, its resource and the cause."""
    assert fails("w0").message == "Device w0 of example.com/w is unhealthy: it burns"


def test_causes_and_resources_are_kept_apart() -> None:
    """What has another cause, or is of another resource, is another event."""
    outbox = Outbox()
    for happening in (fails("w0"), fails("w1", "it melts"), fails("w2", resource="example.com/v")):
        outbox.put(happening)

    assert len(outbox) == 3


def test_a_message_is_never_longer_than_the_server_takes() -> None:
    """A cause of any length is cut, not refused."""
    assert len(fails("w0", "x" * 5000).message) <= 1024


@given(st.lists(st.tuples(st.integers(0, 600), st.integers(0, 9)), max_size=700))
def test_a_storm_is_bounded(storm: list[tuple[int, int]]) -> None:
    """P12: whatever happens, so many wait at most, and what is forgotten is counted."""
    outbox = Outbox()
    for cause, name in storm:
        outbox.put(fails(f"w{name}", chr(0x4E00 + cause)))

    kinds = len({cause for cause, _ in storm})
    assert len(outbox) == min(kinds, WAITING)
    assert outbox.lost >= kinds - WAITING


def test_a_repetition_is_known_for_an_hour() -> None:
    """The same devices with the same cause are the same event, until the server has forgotten it."""
    memory = Memory()
    memory.remember(Told("name", fails("w0", at=0.0)))

    assert memory.repetition(fails("w0", at=5.0), MEMORY - 1) is not None
    assert memory.repetition(fails("w1", at=5.0), 5.0) is None
    assert memory.repetition(fails("w0", at=5.0), MEMORY) is None


def test_memory_is_bounded() -> None:
    """A host that runs for a year remembers no more events than one that runs for a day."""
    memory = Memory()
    for number in range(REMEMBERED + 1):
        memory.remember(Told("name", fails(f"w{number}")))

    assert memory.repetition(fails("w0"), 0.0) is None
    assert memory.repetition(fails("w1"), 0.0) is not None


def test_events_go_out_no_faster_than_the_limit() -> None:
    """So many at once, then one at a time; a quiet time is saved up, and no more than a burst of it."""
    limit = Limit(burst=2, every=10.0)

    assert [limit.wait(0.0) for _ in range(4)] == [0.0, 0.0, 10.0, 20.0]
    assert limit.wait(1000.0) == 0.0
    assert [limit.wait(1000.0) for _ in range(2)] == [0.0, 10.0]
