"""Cases about `edit` and `affinity`: what containers get."""

from devbay.testing import answers
from devbay.testing.judging import alone, listed, need, several, survives
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
        """Of several devices a container gets what it gets of each alone: no variable holds only the last one."""
        for devices in several(trial):
            if missing := answers.left_out(trial.edit(devices), alone(trial, devices)):
                violation(f"the answer for {listed(devices)} lacks {'; '.join(missing)}")

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
            together = devices[:2]
            alone = {hook for device in together for hook in trial.edit([device]).hooks}
            if missing := [hook.path for hook in trial.edit(together).hooks if hook not in alone]:
                violation(
                    f"edit gives the hook {listed(missing)} for {listed([d.id for d in together])} together, and for "
                    "neither of them alone"
                )

    def test_affinity_is_symmetric(self, trial: Trial) -> None:
        """Two devices are as close as the other way round, and how close is a number."""
        trial.need("affinity")
        for devices in several(trial):
            there, back = trial.affinity(devices[0], devices[1]), trial.affinity(devices[1], devices[0])
            if not isinstance(there, int | float) or there != back:
                violation(f"affinity of {devices[0].id} and {devices[1].id} is {there!r}, the other way round {back!r}")
