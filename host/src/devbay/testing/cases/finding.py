"""Cases about `discover`: which devices there are, and what they are called."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from devbay import contract
from devbay.errors import BackendUnavailable
from devbay.model import Device
from devbay.testing.elsewhere import Elsewhere
from devbay.testing.judging import devices_as_given, empty_node, found, judge, listed, need
from devbay.testing.rig import Rig
from devbay.testing.trial import Trial, by_resource, violation

_LEGAL = Device(id="legal", resource="example.com/legal")


def _places(paths: Mapping[str, Sequence[str]]) -> str:
    return listed(f"{device_id} (at {', '.join(its) or 'no path'})" for device_id, its in paths.items())


class Finding:
    """Finding devices."""

    def test_without_hardware_it_is_unavailable_or_empty(self, rig: Rig, tmp_path: Path) -> None:
        """A node without driver or hardware is a normal node: discover raises BackendUnavailable or finds nothing."""
        node = rig.node
        if rig.remove_hardware is None:
            node = empty_node(tmp_path / "bare")
        else:
            rig.remove_hardware()
        with Trial(rig, node) as trial:
            try:
                there = trial.discover()
            except BackendUnavailable as error:
                if not str(error).strip():
                    violation("discover raises BackendUnavailable without a text; say what is absent")
            else:
                if there:
                    violation(f"there is no hardware, and discover finds {listed(there)}")

    def test_ids_are_legal(self, trial: Trial) -> None:
        """An id is at most 63 printable characters without space, comma or '::', and is given once."""
        judge([replace(_LEGAL, id=item.id) for item in devices_as_given(trial)])

    def test_resource_names_are_legal(self, trial: Trial) -> None:
        """A resource reads vendor-domain/type, as Kubernetes accepts it."""
        for item in devices_as_given(trial):
            if problem := contract.resource_name_problem(item.resource):
                violation(f"device {item.id}: {problem}")

    def test_every_path_is_absolute(self, trial: Trial) -> None:
        """Paths are the node's own, from its root, in devices and in what containers get."""
        judge([replace(_LEGAL, id=f"device-{i}", paths=item.paths) for i, item in enumerate(devices_as_given(trial))])
        for devices in by_resource(trial.devices()).values():
            trial.edit(devices)  # raises, naming the path

    def test_every_fact_of_a_device_can_be_used(self, trial: Trial) -> None:
        """NUMA nodes are numbers, a parent is an id, attributes are str, int or bool by name."""
        items = enumerate(devices_as_given(trial))
        judge([replace(item, id=f"device-{i}", resource=_LEGAL.resource, paths=()) for i, item in items])

    def test_ids_are_stable_over_scans(self, trial: Trial) -> None:
        """The same hardware has the same ids, however often it is looked at."""
        looks = [{device.id for device in trial.devices()} for _ in range(3)]
        if any(look != looks[0] for look in looks):
            violation(f"three looks at the same hardware found {'; then '.join(listed(look) for look in looks)}")

    def test_ids_are_stable_over_processes(self, trial: Trial, elsewhere: Elsewhere) -> None:
        """The same hardware has the same ids after a restart: they come from it, and not from the process."""
        if elsewhere.ids is None:
            violation(f"in another process the same hardware is not found: {elsewhere.error}")
        here, there = {device.id for device in trial.devices()}, set(elsewhere.ids or ())
        if here != there:
            violation(f"this process finds {listed(here)}, another one {listed(there)}")

    def test_ids_stay_when_another_device_goes(self, rig: Rig, trial: Trial) -> None:
        """Of several devices the first is pulled out: the others are called as they were, and are where they were."""
        remove = need(rig.remove, "remove")
        first, *others = trial.devices()
        if not others:
            pytest.skip("the rig has no two devices, which this case needs")
        remove(first)
        after = {device.id: device.paths for device in trial.devices()}
        before = {device.id: device.paths for device in others}
        if after != before:
            violation(f"{first.id} was taken away; besides there were {_places(before)}, and now {_places(after)}")

    @pytest.mark.parametrize("count", [0, 1, 1000], ids=["none", "one", "a-thousand"])
    def test_any_number_of_devices_will_do(self, rig: Rig, count: int) -> None:
        """None, one and a thousand devices are found, checked and given to containers, each call in its time."""
        need(rig.set_devices, "set_devices")(count)
        with Trial(rig) as trial:
            there = found(trial)
            if len(there) != count:
                violation(f"the hardware has {count} devices, and discover finds {len(there)}")
            if there:
                devices = trial.devices()
                trial.health(devices)
                for same in by_resource(devices).values():
                    trial.edit(same)
