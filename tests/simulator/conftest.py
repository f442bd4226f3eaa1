"""A kubelet on a short directory, and plugins for it."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from devbay.simulator import Container, Kubelet, Pod, Timing
from tests.simulator.plugin import RESOURCE, Plugin


class ManualClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


QUICK = Timing(dial=0.3, pre_start=0.3, pod_retry=0.02, watchdog=0.05)
"""The kubelet's patience, shortened for tests that wait for its end."""


def pod(name: str, resource: str = RESOURCE, count: int = 1, **env: str) -> Pod:
    """Return a pod with one container ``c`` that asks for devices."""
    return Pod(name=name, containers=(Container(name="c", limits={resource: count}, env=env),))


async def listed(kubelet: Kubelet, count: int, resource: str = RESOURCE) -> None:
    """Wait until so many devices are allocatable."""
    await kubelet.wait_until(lambda: kubelet.allocatable.get(resource) == count, what=f"{count} allocatable {resource}")


async def up(kubelet: Kubelet, plugin: Plugin) -> None:
    """Serve, register, and wait for the list."""
    await plugin.serve()
    await plugin.register()
    await listed(kubelet, sum(device.health == "Healthy" for device in plugin.devices), plugin.resource)


@pytest.fixture
def directory() -> Iterator[Path]:
    """Make a directory whose sockets' paths are short enough."""
    path = Path(tempfile.mkdtemp(prefix="db-", dir="/tmp"))  # a socket's path has 107 bytes
    yield path
    shutil.rmtree(path)


@pytest.fixture
def clock() -> ManualClock:
    """Return a clock that a test moves."""
    return ManualClock()


@pytest.fixture
async def kubelet(directory: Path) -> AsyncIterator[Kubelet]:
    """Run a kubelet of release 1.36 whose patience is short."""
    async with Kubelet(directory, timing=QUICK) as running:
        yield running


@pytest.fixture
async def plugin(directory: Path) -> AsyncIterator[Plugin]:
    """Return a plugin with two widgets, not serving yet; stopped at the end."""
    made = Plugin(directory, "a", "b")
    yield made
    await made.stop()
