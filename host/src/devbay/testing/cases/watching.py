"""Cases about `check` and `watch`: how devices are, and how soon a change is heard of."""

from functools import partial

from devbay.testing.judging import judge_health, listed, need
from devbay.testing.rig import Rig
from devbay.testing.trial import Trial, violation
from devbay.testing.watch import Watch

_PROMPT = 1.0
"""Seconds within which a change is heard, and a stop obeyed."""
_STIRRINGS = 2
"""Wakes without a change that are passed over: hardware stirs, and a late word of what the rig did is none."""


class Watching:
    """Watching over devices."""

    def test_health_has_a_reason(self, rig: Rig, trial: Trial) -> None:
        """Check names every device, and says of an unhealthy one why: what it does not name is "not reported"."""
        trial.need("check")
        devices = trial.devices()
        judge_health(trial.check(devices), devices)
        if rig.fail is not None:
            rig.fail(devices[0])
            devices = trial.devices()
            judge_health(trial.check(devices), devices)

    def test_a_failure_is_one_devices(self, rig: Rig, trial: Trial) -> None:
        """A device that fails is unhealthy at the next check; its neighbours are as they were."""
        trial.need("check")
        fail = need(rig.fail, "fail")
        devices = trial.devices()
        before = trial.health(devices)
        failed = next((device for device in devices if before[device.id]), devices[0])
        fail(failed)
        trial.discover()
        after = trial.health(devices)
        if after[failed.id]:
            violation(f"{failed.id} was made to fail, and check calls it healthy")
        if lost := [key for key, health in before.items() if health and not after[key] and key != failed.id]:
            violation(f"{failed.id} failed, and with it {listed(lost)}")

    def test_a_device_that_was_mended_is_healthy(self, rig: Rig, trial: Trial) -> None:
        """A device that failed and works again is healthy at the next check: nothing is held against it."""
        trial.need("check")
        fail, mend = need(rig.fail, "fail"), need(rig.mend, "mend")
        devices = trial.devices()
        before = trial.health(devices)
        device = next((device for device in devices if before[device.id]), devices[0])
        fail(device)
        trial.discover()
        trial.health(devices)
        mend(device)
        trial.discover()
        after = trial.health(devices)[device.id]
        if before[device.id] and not after:
            violation(f"{device.id} failed and was mended, and check calls it unhealthy: {after.reason}")

    def test_watch_is_silent_while_nothing_happens(self, trial: Trial) -> None:
        """On quiet hardware watch does not wake the host again and again: each time it looks at all devices."""
        trial.need("watch")
        watch = Watch(trial)
        try:
            watch.settle()
            wakes = watch.count(_PROMPT, enough=_STIRRINGS + 1)
        finally:
            watch.end(_PROMPT)
        if wakes > _STIRRINGS:
            violation(f"nothing happened for {_PROMPT:g} s, and watch called wake {wakes} times or more")

    def test_watch_stops_within_a_second(self, trial: Trial) -> None:
        """Watch blocks until stop is set, and returns within a second of it."""
        trial.need("watch")
        watch = Watch(trial)
        watch.settle()
        if watch.ended:
            violation(f"watch ended before stop was set; it raised {watch.failure!r}")
        if not watch.end(_PROMPT):
            violation("watch did not return within a second of stop; wait with a time-out, or on a pipe")

    def test_watch_wakes_on_a_change(self, rig: Rig, trial: Trial) -> None:
        """Hardware that comes or goes wakes the host, long before the next scan would find it."""
        trial.need("watch")
        set_devices = need(rig.set_devices, "set_devices")
        count = len(trial.discover())
        watch = Watch(trial)
        try:
            watch.settle()
            heard = any(watch.hears(partial(set_devices, number), _PROMPT) for number in (count + 1, count))
        finally:
            watch.end(_PROMPT)
        if not heard:
            violation("a device came and went, and watch called wake neither time within a second")
