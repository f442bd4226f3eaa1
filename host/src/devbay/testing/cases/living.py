"""Cases about a backend's whole life: what it leaves behind, and the way from the hardware to a container."""

from collections.abc import Callable

import pytest

from devbay.testing.elsewhere import Elsewhere
from devbay.testing.judging import host_paths, listed
from devbay.testing.kubelet import SimulatedKubelet
from devbay.testing.rig import Rig
from devbay.testing.trial import Trial, by_resource, violation


class Living:
    """A whole life."""

    def test_it_writes_nothing_outside_its_places(self, rig: Rig, elsewhere: Elsewhere) -> None:
        """From its import to its end a backend changes files in the directories that `Rig.places` names, if any."""
        if elsewhere.written:
            places = f"below {listed(rig.places)}" if rig.places else "nowhere"
            violation(f"it writes {listed(elsewhere.written)}, and may write {places}")

    @pytest.mark.parametrize("delivery", ["direct", "cdi"])
    def test_a_container_gets_the_devices(
        self,
        rig: Rig,
        trial: Trial,
        simulated_kubelet: SimulatedKubelet,
        run_host: Callable[..., object],
        delivery: str,
    ) -> None:
        """A real host offers the devices to a kubelet, and a pod's container gets what edit says, by every way."""
        devices = trial.devices()
        health = trial.health(devices)
        healthy = by_resource(device for device in devices if health[device.id])
        if not healthy:
            violation(f"the rig has no healthy device: {health}")
        resources = {"*": {"delivery": delivery}}
        run_host(rig.backend, rig.node, settings=rig.settings, configuration={"resources": resources})
        for resource, same in healthy.items():
            simulated_kubelet.wait_for(resource, len(same))
            status = simulated_kubelet.give(resource, min(2, len(same)), pod=f"pod-{resource.replace('/', '-')}")
            if status.phase != "Running":
                violation(f"a pod that asks for {resource} is {status.phase}: {status.reason} {status.message}")
            container = status.container("main")
            if container.state != "Running":
                violation(f"a container with {resource} is {container.state}: {container.reason} {container.message}")
            given = trial.edit([device for device in same if device.id in container.devices[resource]])
            got = {node.host_path for node in container.device_nodes} | {mount.host_path for mount in container.mounts}
            if missing := [*host_paths(given) - got, *(given.env.keys() - container.env.keys())]:
                violation(f"the container lacks {listed(missing)}; it has {listed([*got, *container.env])}")
