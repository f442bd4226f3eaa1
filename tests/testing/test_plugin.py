"""The fixtures that pytest gets from devbay."""

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from devbay.simulator import KubeletStarted, Registered
from devbay.testing import FakeNode, ManualClock, RunningHost, SimulatedKubelet
from tests.testing import widgets

LIGHT = """
import sys
import pytest
before = set(sys.modules)
import devbay.testing.plugin
print(*sorted({name for name in set(sys.modules) - before if not name.startswith("devbay")} - sys.stdlib_module_names))
print(*sorted(name for name in sys.modules if name.startswith("devbay")))
"""

RunHost = Callable[..., RunningHost]


def test_loading_it_imports_nothing_heavy() -> None:
    """Every test run on a machine with devbay loads the plugin: it brings nothing along but itself."""
    done = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, check=True)

    assert done.stdout.split("\n") == ["", "devbay devbay.testing devbay.testing.plugin", ""]


def test_pytest_finds_it(tmp_path: Path) -> None:
    """It need not be named anywhere: the entry point is enough, and the fixtures explain themselves."""
    command = [sys.executable, "-m", "pytest", "--fixtures", "-p", "no:cacheprovider"]
    shown = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stdout

    for fixture in ("fake_node", "simulated_kubelet", "run_host", "manual_clock", "kubelet_directory"):
        assert f"{fixture} -- " in shown


def test_a_manual_clock_stands_still_until_it_is_moved(manual_clock: ManualClock) -> None:
    """Time passes when a test says so, and never backwards."""
    before = manual_clock()

    assert manual_clock.advance(300) == manual_clock() == before + 300
    with pytest.raises(ValueError, match="does not go back"):
        manual_clock.advance(-1)


def test_a_host_serves_a_backend_to_the_kubelet(
    fake_node: FakeNode, simulated_kubelet: SimulatedKubelet, run_host: RunHost
) -> None:
    """From a dict to a container, without a line of asynchronous code; and again after the kubelet's restart."""
    rig = widgets.rig(widgets.Backend, fake_node)
    run_host(rig.backend, rig.node)
    simulated_kubelet.wait_for(widgets.RESOURCE, 3)
    simulated_kubelet.restart()
    simulated_kubelet.wait_for(widgets.RESOURCE, 3)

    status = simulated_kubelet.give(widgets.RESOURCE, 2)

    container = status.container("main")
    assert status.phase == "Running"
    assert container.env["WIDGETS"].split(",") == list(container.devices[widgets.RESOURCE])
    assert simulated_kubelet.pods["pod"] == status
    simulated_kubelet.delete_pod("pod")
    assert simulated_kubelet.pods == {}


def test_a_failure_reaches_the_kubelet(
    fake_node: FakeNode, simulated_kubelet: SimulatedKubelet, run_host: RunHost
) -> None:
    """The host's own sections are an argument: here it looks often, so that a failing device is seen (P12)."""
    rig = widgets.rig(widgets.Backend, fake_node)
    run_host(rig.backend, rig.node, configuration={"health": {"scan_interval": 0.05}}, name="widget")
    simulated_kubelet.wait_for(widgets.RESOURCE, 3)

    fake_node.add({f"{widgets.CLASS}/widget1": "broken\n"})
    simulated_kubelet.wait_for(widgets.RESOURCE, 2)

    assert not simulated_kubelet.devices(widgets.RESOURCE)["widget1"].healthy
    assert simulated_kubelet.capacity[widgets.RESOURCE] == 3


def test_a_host_stops_when_it_is_told_to(
    fake_node: FakeNode, simulated_kubelet: SimulatedKubelet, run_host: RunHost
) -> None:
    """A host that stops leaves the kubelet with nothing to give, and no socket behind (P22)."""
    rig = widgets.rig(widgets.Backend, fake_node)
    host = run_host(rig.backend, rig.node)
    simulated_kubelet.wait_for(widgets.RESOURCE, 3)

    host.stop()
    simulated_kubelet.wait_for(widgets.RESOURCE, 0)

    assert list(simulated_kubelet.directory.glob("devbay-*")) == []


class TestOptions:
    """A class that wants another kubelet overrides one fixture."""

    @pytest.fixture
    def simulated_kubelet_options(self, manual_clock: ManualClock) -> Mapping[str, Any]:
        """Ask for an older kubelet, on a clock that the test moves."""
        return {"version": "1.32", "clock": manual_clock}

    def test_the_kubelet_is_the_one_asked_for(
        self, simulated_kubelet: SimulatedKubelet, manual_clock: ManualClock
    ) -> None:
        """Its options are the simulator's own: a version, a clock."""
        manual_clock.advance(60)
        simulated_kubelet.restart()

        times = [event.at for event in simulated_kubelet.events if isinstance(event, KubeletStarted)]
        assert simulated_kubelet.kubelet.version == "1.32"
        assert times[1] - times[0] == 60
        assert not [event for event in simulated_kubelet.events if isinstance(event, Registered)]


def test_sockets_have_room_for_their_names(kubelet_directory: Path) -> None:
    """The kubelet's directory leaves room for any socket's name in the 107 bytes of a path."""
    assert len(str(kubelet_directory)) < 60
