"""What is remembered of what happened."""

from devbay.chronicle import Chronicle
from devbay.tally import CallTally, ResourceTally, Stopwatch


def test_the_last_events_are_remembered_latest_first() -> None:
    """P21: a busy node's events push out the oldest, but for the last warnings and errors."""
    chronicle = Chronicle()
    chronicle.add(0.0, {"level": "warning", "event": "device unhealthy", "device": "acc1", "reason": "too hot"})
    for number in range(1, 1001):
        chronicle.add(float(number), {"level": "info", "event": "Allocate", "devices": ["a", "b"], "ms": 0.4})

    kept = chronicle.read()
    assert len(kept) == 101
    assert [entry.at for entry in kept[:2]] == [1000.0, 999.0]
    assert kept[0].details == {"devices": "a, b", "ms": "0.4"}
    assert (kept[-1].text, kept[-1].device, kept[-1].details) == ("device unhealthy", "acc1", {"reason": "too hot"})


def test_an_event_is_no_larger_than_people_read() -> None:
    """P21: ten thousand ids in one line of the log are no reason for a page that cannot be shown."""
    chronicle = Chronicle()
    chronicle.add(0.0, {"level": "info", "event": "Allocate", "devices": [f"acc{n}" for n in range(10_000)]})

    assert len(chronicle.read()[0].details["devices"]) < 500


def test_what_was_read_does_not_change() -> None:
    """P21: counts that were handed to another thread stay as they were while the loop goes on counting."""
    resource, calls, watch = ResourceTally(), CallTally(), Stopwatch((0.1, 1.0))
    before = resource.read(), calls.read(), watch.read()
    resource.failures["UnknownDevice"] += 1
    resource.containers += 1
    calls.took("check", 0.2)
    watch.add(0.2)
    watch.add(7.0)

    assert before == (ResourceTally().read(), {}, Stopwatch((0.1, 1.0)).read())
    assert (watch.read().counts, watch.read().count, watch.read().last) == ((0, 1, 1), 2, 7.0)
    assert calls.read()["check"].seconds.count == 1
