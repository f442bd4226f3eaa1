"""What is offered to the kubelet: each resource with its service and its registration, as the offers come and go."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from devbay.allocation import ResourceService, Tenancy
from devbay.cdi.directory import SpecificationDirectory
from devbay.journal import Journal
from devbay.kubelet.client import Registrar
from devbay.kubelet.directory import KubeletDirectory
from devbay.kubelet.registration import Registration
from devbay.offers import Offer
from devbay.runner import Runner
from devbay.tasks import Tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One resource that is offered to the kubelet."""

    service: ResourceService
    registration: Registration


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """Where resources are offered: the kubelet's directory, the CDI directory, who must know, who does the work."""

    directory: KubeletDirectory
    specifications: SpecificationDirectory
    tenancy: Tenancy
    journal: Journal
    tasks: Tasks


class Offering:
    """Keeps what the kubelet sees as it is offered. All methods belong to the event loop.

    Attributes:
        resources: what is offered, by name.
    """

    def __init__(self, counter: Counter) -> None:
        self.resources: dict[str, Resource] = {}
        self._counter = counter
        self._registrar = Registrar(counter.directory.socket)
        self._sources: dict[str, str] = {}
        self._leaving: set[Registration] = set()

    @property
    def offers(self) -> list[Offer]:
        """What is offered."""
        return [resource.service.offer for resource in self.resources.values()]

    @property
    def sources(self) -> Mapping[str, str]:
        """What backends call the resource that was offered under a name, the last one of those that are gone."""
        return self._sources

    def leads(self, name: str) -> bool:
        """Whether the kubelet asks this host for a resource: it follows its list, and no other made a socket since.

        A kubelet asks whoever registered last, and goes on to follow the lists of those before.
        """
        directory, registration = self._counter.directory, self.resources[name].registration
        if not registration.streams:
            return False
        mine = _made_at(directory.path / registration.socket)
        return all(_made_at(other) <= mine for other in directory.others(name))

    def update(self, made: Mapping[str, Offer], runners: Mapping[str, Runner]) -> None:
        """Offer this and nothing else; what is offered as before notices nothing."""
        for name in self.resources.keys() - made.keys():
            self._withdraw(name)
        self._sources |= {name: offer.source for name, offer in made.items()}
        for name, offer in made.items():
            runner = runners[offer.backend]
            resource = self.resources.get(name)
            if resource is not None and resource.service.offer == offer:
                continue
            if resource is not None and not resource.service.serves(offer, runner):
                self._withdraw(name)
                resource = None
            known = resource or self._new(offer, runner)
            known.registration.publish(known.service.update(offer))
            if resource is None:
                self._start(known)

    def adopt(self, old: Runner, new: Runner) -> None:
        """Ask `new` from now on what `old` was asked; lists and streams stay as they are."""
        for resource in self.resources.values():
            if resource.service.runner is old:
                resource.service.adopt(new)

    def close(self) -> None:
        """Ask no backend ahead any more."""
        for resource in self.resources.values():
            resource.service.close()

    def registrations(self) -> Iterator[Registration]:
        """Yield every registration, also of what is being withdrawn."""
        yield from (resource.registration for resource in self.resources.values())
        yield from self._leaving

    def _new(self, offer: Offer, runner: Runner) -> Resource:
        name, counter = offer.resource, self._counter
        service = ResourceService(offer, runner, counter.specifications, counter.tenancy)
        registration = Registration(name, service, counter.directory, self._registrar)
        self.resources[name] = Resource(service=service, registration=registration)
        for path in counter.directory.others(name):
            counter.journal.rival(name, path.name, offer.backend)
        return self.resources[name]

    def _start(self, resource: Resource) -> None:
        if resource.service.offer.delivery == "direct":
            resource.registration.start()
            return

        async def start() -> None:
            await resource.service.ready()
            if self.resources.get(resource.registration.resource) is resource:  # and not withdrawn meanwhile
                resource.registration.start()

        self._counter.tasks.errand(start(), f"{resource.registration.resource}-start")

    def _withdraw(self, name: str) -> None:
        resource = self.resources.pop(name)
        resource.service.close()
        self._counter.journal.withdrawn(name, resource.service.backend)
        self._leaving.add(resource.registration)

        async def withdraw() -> None:
            try:
                await resource.registration.withdraw()
            finally:
                self._leaving.discard(resource.registration)

        self._counter.tasks.errand(withdraw(), f"{name}-withdraw")


def _made_at(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
