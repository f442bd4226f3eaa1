"""What stays in the CDI specifications while devices go, kubelets are silent and backends have not spoken (P19)."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from devbay.cdi.directory import SpecificationDirectory
from devbay.holders import Occupancy, Replica
from devbay.inventory import DeviceStatus, Snapshot
from devbay.journal import Journal
from devbay.model import HEALTHY, ContainerEdits, Device, DeviceNode
from devbay.offers import Offer, Share
from devbay.retention import Retention
from devbay.tasks import Tasks

WIDGET, GADGET = "example.com/widget", "example.com/gadget"


class Bench:
    """A directory with the widgets a and b and a gadget g, of which some may be offered and held."""

    def __init__(self, directory: Path) -> None:
        journal = Journal()
        self.directory = directory
        self.specifications = SpecificationDirectory(directory)
        self.tasks = Tasks(journal.task_ended)
        self.retention = Retention(self.specifications, journal, self.tasks)

    async def fill(self) -> None:
        """Write all that may be there."""
        edits = ContainerEdits(device_nodes=[DeviceNode(path="/dev/null")])
        await self.specifications.ensure(WIDGET, {"a": edits, "b": edits})
        await self.specifications.ensure(GADGET, {"g": edits})

    async def left(self, occupancy: Occupancy[Replica], found: Iterable[str] = "a") -> dict[str, list[str]]:
        """Return what is left when only the widgets `found` are offered."""
        statuses = tuple(
            DeviceStatus(device=Device(id=one, resource=WIDGET), backend="b", health=HEALTHY) for one in found
        )
        shares = tuple(Share(status, (status.device.id,)) for status in statuses)
        offer = Offer(resource=WIDGET, source=WIDGET, shares=shares, delivery="cdi")
        self.retention.keep(Snapshot(resources={WIDGET: statuses}), [offer], occupancy)
        await asyncio.gather(*(task for task in asyncio.all_tasks() if task.get_name() == "cdi-prune"))
        texts = {path.name.rpartition("_")[2]: path.read_text() for path in self.directory.iterdir()}
        return {name: [one for one in "abg" if f'"name": "{one}"' in text] for name, text in sorted(texts.items())}


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """Make a directory that is full."""
    one = Bench(tmp_path / "cdi")
    await one.fill()
    yield one
    one.specifications.close()


def held(*replicas: tuple[str, str], complete: bool) -> Occupancy[Replica]:
    """Return that these are held."""
    return Occupancy(held=frozenset(Replica(*one) for one in replicas), complete=complete)


async def test_what_nobody_holds_goes(bench: Bench) -> None:
    """P19: by the kubelet's word that nobody holds it, a device that is gone leaves its file, and a resource goes."""
    assert await bench.left(held(complete=True)) == {"widget.json": ["a"]}


async def test_what_somebody_holds_stays(bench: Bench) -> None:
    """P19: the entry of a device that is gone and held stays: its container may start again. So do shares of it."""
    assert (await bench.left(held((WIDGET, "b::1"), complete=True)))["widget.json"] == ["a", "b"]


async def test_the_file_of_what_is_held_stays(bench: Bench) -> None:
    """P19: as long as a container holds what is not offered, files of resources that are not offered stay."""
    assert await bench.left(held((GADGET, "g"), complete=True)) == {"gadget.json": ["g"], "widget.json": ["a"]}
    assert await bench.left(held(complete=True)) == {"widget.json": ["a"]}


async def test_silence_removes_no_file(bench: Bench) -> None:
    """P19: after a long silence an entry that nobody is known to hold goes; a file of what is not offered never does.

    Its backend may not have spoken yet, and its devices may be held.
    """
    assert await bench.left(held(complete=False)) == {"gadget.json": ["g"], "widget.json": ["a"]}


async def test_silence_keeps_what_is_known_to_be_held(bench: Bench) -> None:
    """P19: what a look has shown to be held before the silence stays through it."""
    assert (await bench.left(held((WIDGET, "b"), complete=False)))["widget.json"] == ["a", "b"]


async def test_the_kubelets_word_after_a_silence_counts(bench: Bench) -> None:
    """P19: files that the silence kept go when the kubelet says that nobody holds anything, with nothing else new."""
    await bench.left(held(complete=False))

    assert await bench.left(held(complete=True)) == {"widget.json": ["a"]}
