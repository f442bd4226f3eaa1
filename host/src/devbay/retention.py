"""What stays in the CDI specifications: what is offered, and what a container may start again with."""

from collections.abc import Mapping, Sequence

from devbay.cdi.directory import SpecificationDirectory
from devbay.errors import DevbayError
from devbay.holders import Occupancy, Replica
from devbay.inventory import Snapshot
from devbay.journal import Journal
from devbay.offers import Offer
from devbay.sharing import device_id
from devbay.tasks import Tasks


class Retention:
    """Has entries dropped whose devices are gone and held by nobody. All methods belong to the event loop."""

    def __init__(self, specifications: SpecificationDirectory, journal: Journal, tasks: Tasks) -> None:
        self._specifications = specifications
        self._journal = journal
        self._tasks = tasks
        self._kept: tuple[Mapping[str, set[str]], bool] | None = None

    def keep(self, found: Snapshot, made: Sequence[Offer], occupancy: Occupancy[Replica]) -> None:
        """Drop what is not among the devices `found` of the offers `made`, and not held.

        Files of resources that are not offered go by the kubelet's word alone: in its silence nobody knows whether a
        backend that has said nothing since the start will find their devices, or who holds them.
        """
        in_use = {device_id(one.id) for one in occupancy.held}
        keep = {
            offer.source: in_use.union(each.device.id for each in found.resources[offer.source])
            for offer in made
            if offer.delivery != "direct" or in_use.intersection(offer.devices)
        }
        # Files of other resources stay while a container holds what we cannot place: it may be in one of them.
        placed = {one.resource for one in occupancy.held} <= {offer.resource for offer in made}
        retire = occupancy.complete and placed
        if (keep, retire) != self._kept:
            self._kept = keep, retire
            self._tasks.errand(self._prune(keep, retire=retire), "cdi-prune")

    async def _prune(self, keep: Mapping[str, set[str]], *, retire: bool) -> None:
        try:
            for source, ids in keep.items():
                await self._specifications.prune(source, ids)
            if retire:
                await self._specifications.retire(keep)
        except DevbayError as error:
            self._kept = None
            self._journal.not_pruned(error)
