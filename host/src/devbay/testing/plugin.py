"""The pytest plugin: fixtures for tests of a backend. pytest loads it wherever devbay is installed.

So it imports nothing but pytest until a fixture is used: what `devbay.testing` offers is imported when it is asked for.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from devbay import testing

_SHORT = 40
"""Characters of a directory's path that leave room for a socket's name in the 107 bytes that a socket's path has."""


@pytest.fixture
def manual_clock() -> "testing.ManualClock":
    """A clock that a test moves: ``manual_clock.advance(300)``."""
    return testing.ManualClock()


@pytest.fixture
def fake_node(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator["testing.FakeNode"]:
    """A node whose ``/sys``, ``/dev`` and ``/proc`` are made from a dict: ``fake_node.replace({"/dev/w0": "…"})``."""
    node = testing.FakeNode(tmp_path / "node")
    yield node
    if node.stand_ins:
        said = f"this process may not make device nodes; regular files stood at {', '.join(sorted(node.stand_ins))}"
        request.node.add_report_section("teardown", "devbay", said)


@pytest.fixture
def kubelet_directory() -> Iterator[Path]:
    """A device plugin directory with a path short enough for sockets, which pytest's own are not."""
    short = "/tmp" if len(tempfile.gettempdir()) > _SHORT else None  # noqa: S108 - the directory made there is our own
    path = Path(tempfile.mkdtemp(prefix="db-", dir=short))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def simulated_kubelet_options() -> Mapping[str, Any]:
    """Options of the simulated kubelet, for a test to override: ``{"version": "1.34", "clock": manual_clock}``."""
    return {}


@pytest.fixture
def simulated_kubelet(
    kubelet_directory: Path, simulated_kubelet_options: Mapping[str, Any]
) -> Iterator["testing.SimulatedKubelet"]:
    """A kubelet without a cluster, on real sockets. It serves any device plugin that is given its `directory`."""
    kubelet = testing.SimulatedKubelet(kubelet_directory, **simulated_kubelet_options)
    yield kubelet
    kubelet.close()


@pytest.fixture
def run_host(simulated_kubelet: "testing.SimulatedKubelet") -> Iterator[Callable[..., "testing.RunningHost"]]:
    """A function that runs a backend in a real host on the simulated kubelet: ``run_host(Backend, fake_node.node)``.

    It takes, by keyword, ``settings`` (the backend's section), ``configuration`` (the host's own sections), ``clock``
    and ``name`` (what the backend is called, ``backend`` by default).
    """
    running: list[testing.RunningHost] = []

    def run(
        backend: object, node: Any, *, clock: Callable[[], float] | None = None, **hosting: Any
    ) -> "testing.RunningHost":
        plan = testing.Hosting(backend=backend, node=node, **hosting).plan(simulated_kubelet.directory)
        simulated_kubelet.kubelet.node = node  # its containers are on the same
        more = {} if clock is None else {"clock": clock}
        running.append(testing.RunningHost(plan, simulated_kubelet.loop, **more))
        return running[-1]

    yield run
    for host in running:
        host.stop()
