"""Cases about `edit` and `affinity`: what containers get."""

from itertools import combinations, permutations

import pytest

from devbay.testing import answers
from devbay.testing.gate import Gate
from devbay.testing.judging import MANY, MAX_ASKED, alone, answers_meanwhile, closeness, listed, need, several, survives
from devbay.testing.rig import Rig
from devbay.testing.trial import Trial, by_resource, violation


class Giving:
    """Giving devices to containers."""

    def test_edit_is_pure(self, rig: Rig, trial: Trial) -> None:
        """The same devices get the same answer, again and from another object: nothing is counted or chosen."""
        with Trial(rig) as another:
            another.devices()
            for devices in by_resource(trial.devices()).values():
                given = [trial.edit(devices), trial.edit(devices), another.edit(devices)]
                if any(edits != given[0] for edits in given):
                    violation(f"the same devices got {'; then '.join(map(str, given))}")

    def test_edit_leaves_no_device_out(self, trial: Trial) -> None:
        """Of several devices a container gets what it gets of each alone, be they three or all that there are."""
        if trial.rig.set_devices is not None:
            trial.rig.set_devices(MANY)
        for devices in [*several(trial), *several(trial, MANY)]:
            if missing := answers.left_out(trial.edit(devices), alone(trial, devices)):
                violation(f"the answer for {listed(devices)} lacks {'; '.join(missing)}")

    def test_edit_does_not_wait_for_discover(self, rig: Rig) -> None:
        """Edit answers while discover waits for the hardware, wherever that is: it needs no lock that discover has."""
        gate = Gate(rig.node)
        with Trial(rig, gate.node) as trial:
            groups = by_resource(trial.devices()).values()
            looks = gate.looks(trial.discover)
            if not looks:
                pytest.skip("discover asks nothing of the node, at which this case would hold it")
            for look in sorted({1, 1 + looks // 2, looks}):
                with gate.held(trial.discover, look) as held:
                    for devices in groups if held else ():
                        answers_meanwhile(trial, devices)

    def test_edit_follows_the_order_of_the_request(self, trial: Trial) -> None:
        """Device nodes and lists have the devices in the order in which they were asked for."""
        for devices in several(trial):
            each = alone(trial, devices)
            for order in (devices, devices[::-1]):
                ids = [device.id for device in order]
                if wrong := answers.disorder(trial.edit(order), ids, each):
                    violation(f"asked for {', '.join(ids)}: {'; '.join(wrong)}")

    def test_a_device_that_vanishes_before_edit_costs_itself(self, rig: Rig, trial: Trial) -> None:
        """Hardware may go at any moment: the neighbours are found, checked and given as before, and nothing hangs."""
        set_devices = need(rig.set_devices, "set_devices")
        set_devices(3)
        before = {device.id: device for device in trial.devices()}
        set_devices(2)
        health = trial.health(list(before.values()))
        left = {device.id for device in trial.devices()} & before.keys()
        gone = [device for device in before.values() if device.id not in left]
        if lost := [device_id for device_id in left if not health[device_id]]:
            violation(f"{listed(gone)} vanished, and check calls {listed(lost)} unhealthy")
        for device in gone:
            survives(trial, device)
        for device_id in left:
            trial.edit([before[device_id]])

    def test_each_hook_is_a_devices_own(self, trial: Trial) -> None:
        """A hook for several devices is asked for by one of them alone too: else no specification could hold it."""
        for devices in by_resource(trial.devices()).values():
            together = devices[:MAX_ASKED]
            alone = {hook for device in together for hook in trial.edit([device]).hooks}
            if missing := [hook.path for hook in trial.edit(together).hooks if hook not in alone]:
                violation(
                    f"edit gives the hook {listed(missing)} for {listed([d.id for d in together])} together, and for "
                    "none of them alone"
                )

    def test_affinity_is_symmetric(self, trial: Trial) -> None:
        """Two devices are as close as the other way round."""
        trial.need("affinity")
        for devices in several(trial, MANY):
            for a, b in combinations(devices, 2):
                there, back = closeness(trial, a, b), closeness(trial, b, a)
                if isinstance(there, float) and isinstance(back, float) and there != back:
                    violation(f"affinity of {a.id} and {b.id} is {there!r}, the other way round {back!r}")

    def test_affinity_is_a_number_for_every_pair(self, trial: Trial) -> None:
        """How close two devices are is a finite number, whichever two: an answer that is none counts as "not close"."""
        trial.need("affinity")
        for devices in several(trial, MANY):
            for a, b in permutations(devices, 2):
                if isinstance(answer := closeness(trial, a, b), str):
                    violation(f"affinity of {a.id} and {b.id}: {answer}")
