"""Cases about a backend's whole life: what it leaves behind, and the way from the hardware to a container."""

from collections.abc import Callable

import pytest

from devbay.testing.elsewhere import Elsewhere
from devbay.testing.judging import host_paths, listed, open_files, stay
from devbay.testing.kubelet import SimulatedKubelet
from devbay.testing.overheard import HEARD, Calls, overheard
from devbay.testing.rig import Rig
from devbay.testing.trial import Trial, by_resource, violation

_LOOKS = 20
"""How many looks show a leak."""


class Living:
    """A whole life."""

    def test_it_writes_nothing_outside_its_places(self, rig: Rig, elsewhere: Elsewhere) -> None:
        """From its import to its end a backend changes files in the directories that `Rig.places` names, if any."""
        if elsewhere.written:
            places = f"below {listed(rig.places)}" if rig.places else "nowhere"
            violation(f"it writes {listed(elsewhere.written)}, and may write {places}")

    def test_looks_leave_nothing_open(self, trial: Trial) -> None:
        """However often devices are looked at, no more files are open than before: a host looks every ten seconds."""
        self._look(trial, 2)  # what is opened once is kept
        before = open_files()
        self._look(trial, _LOOKS)
        left = open_files() - before
        if left >= _LOOKS // 2:
            violation(f"after {_LOOKS} looks (discover and check) {left} more files are open than before")

    @staticmethod
    def _look(trial: Trial, times: int) -> None:
        for _ in range(times):
            trial.health(trial.devices())

    def test_prepare_and_release_surround_a_container(
        self,
        rig: Rig,
        trial: Trial,
        simulated_kubelet: SimulatedKubelet,
        run_host: Callable[..., object],
    ) -> None:
        """A device is prepared before its container starts, and released when that is gone; neither fails."""
        hooks = [hook for hook in HEARD if trial.has(hook)]
        if not hooks:
            pytest.skip("the backend has neither hook `prepare` nor `release`, which are optional")
        socket = simulated_kubelet.kubelet.pod_resources_socket
        if socket is None:
            pytest.skip("the simulated kubelet serves no pod-resources API, which tells that a container is gone")
        health = trial.health(devices := trial.devices())
        healthy = by_resource(device for device in devices if health[device.id])
        if not healthy:
            violation(f"the rig has no healthy device: {health}")
        calls = Calls()
        asked = {"pod_resources": str(socket), "pod_resources_interval": 0.1, "pod_resources_settle": 0.05}
        backend = overheard(rig.backend, calls)
        run_host(backend, rig.node, settings=rig.settings, configuration={"kubelet": asked})
        resource, same = next(iter(healthy.items()))
        simulated_kubelet.wait_for(resource, len(same))
        stay(simulated_kubelet, resource)
        if "release" in hooks:
            simulated_kubelet.wait_until(lambda: bool(calls.of("release")), "release, the container being gone")
        for hook in hooks:
            if failure := next((call.failure for call in calls.of(hook) if call.failure), None):
                violation(f"{hook} raised {failure!r}")

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
