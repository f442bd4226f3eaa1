"""What the kubelet sees, as offers come and go."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path

import pytest

from devbay import offers, sharing
from devbay.api import HEALTHY, ContainerEdits, Device, DeviceNode, hookimpl
from devbay.cdi.directory import SpecificationDirectory
from devbay.inventory import DeviceStatus
from devbay.journal import Journal
from devbay.kubelet.directory import KubeletDirectory
from devbay.model import Node
from devbay.offering import Counter, Offering
from devbay.offers import Offer
from devbay.retry import IMMEDIATE
from devbay.runner import Runner, Timing
from devbay.settings import DeadlineSection
from devbay.simulator import Container, Kubelet, Pod
from devbay.tasks import Tasks
from tests import host
from tests.host.running import PATIENCE

A, B = "example.com/a", "example.com/b"


class Shop:
    """An offering over a backend whose devices the tests choose; nobody else keeps note of what is given."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[str]]] = []
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.runner: Runner
        self.offering: Offering

    @hookimpl
    def discover(self) -> list[Device]:
        """Find nothing: the tests say what is there."""
        return []

    @hookimpl
    def edit(self, resource: str, devices: Sequence[Device]) -> ContainerEdits:
        """Answer, and note what was asked."""
        assert self.may_answer.wait(PATIENCE)
        self.asked.append((resource, [device.id for device in devices]))
        return ContainerEdits(env={"OF": resource}, device_nodes=[DeviceNode(path="/dev/null")])

    def named(self, offer: Offer, ids: Iterable[str]) -> None:
        """Do nothing."""

    async def allocated(self, offer: Offer, ids: Sequence[str]) -> None:
        """Do nothing."""

    def offer(self, rules: offers.Rules, **devices: str) -> None:
        """Offer these devices, each of the source that is given, as the rules say."""
        found: dict[str, list[DeviceStatus]] = {}
        for name, source in devices.items():
            status = DeviceStatus(device=Device(id=name, resource=source), backend="widget", health=HEALTHY)
            found.setdefault(source, []).append(status)
        made, _ = offers.offers(found, rules)
        self.offering.update(made, {"widget": self.runner})


@pytest.fixture
async def shop(plugins: Path, place: Path) -> AsyncIterator[Shop]:
    """Make a shop whose specifications go to ``cdi``."""
    one = Shop()
    timing = Timing(deadlines=DeadlineSection(edit=PATIENCE), scan_interval=3600, pauses=IMMEDIATE)
    one.runner = Runner(await host.loaded(one), Node(name="n"), {}, timing, lambda _: None)
    directory, specifications, journal = KubeletDirectory(plugins), SpecificationDirectory(place / "cdi"), Journal()
    tasks = Tasks(journal.task_ended)
    one.offering = Offering(
        Counter(directory=directory, specifications=specifications, tenancy=one, journal=journal, tasks=tasks)
    )
    tasks.keep_running(directory.watch, "directory")
    yield one
    one.may_answer.set()
    tasks.cancel()
    one.offering.close()
    await asyncio.gather(*(registration.stop() for registration in one.offering.registrations()))
    await tasks.ended()
    specifications.close()
    await one.runner.stop()


async def offered(kubelet: Kubelet, **count: int) -> None:
    """Wait until the node has so many of each resource to give."""
    wanted = {f"example.com/{name}": number for name, number in count.items()}
    await kubelet.wait_until(lambda: wanted.items() <= kubelet.allocatable.items(), PATIENCE, f"allocatable {wanted}")


def pod(name: str, resource: str) -> Pod:
    """Return a pod that asks for one device."""
    return Pod(name=name, containers=(Container(name="main", limits={resource: 1}),))


async def test_a_name_that_other_devices_take(kubelet: Kubelet, shop: Shop) -> None:
    """P16: when a name means another source's devices, a backend is asked about them under their own name."""
    shared = offers.Rule(pattern=A, sharing=sharing.Sharing(rules=(sharing.Rule(replicas=2, rename=B),)))
    shop.offer(offers.Rules((shared,)), x=A)
    await offered(kubelet, b=2)
    shop.offer(offers.Rules((shared,)), x=A, y=B)
    await offered(kubelet, b=1)
    status = (await kubelet.create_pod(pod("p", B))).container("main")

    assert status.env["OF"] == B
    assert sorted(shop.asked) == [(A, ["x"]), (B, ["y"])]


async def test_a_resource_is_registered_when_its_specification_is_there(
    kubelet: Kubelet, shop: Shop, place: Path
) -> None:
    """P19: before the kubelet hears of a resource that is delivered so, the file on disk has all its devices."""
    rules = offers.Rules((offers.Rule(pattern=A, delivery="cdi"),))
    shop.may_answer.clear()
    shop.offer(rules, x=A, y=B)
    await offered(kubelet, b=1)
    before = A in kubelet.capacity
    shop.may_answer.set()
    await offered(kubelet, a=1)

    assert not before
    assert [file.read_text().count('"name": "x"') for file in (place / "cdi").iterdir()] == [1]
