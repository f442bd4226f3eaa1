"""What a backend said that containers need: remembered, and asked for ahead of time.

An `Answers` belongs to one resource. Nothing it remembers outlives the device it is about: one that failed may come
back as something else behind the same path.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping

import structlog

from devbay.errors import CallTimeout, DevbayError
from devbay.model import ContainerEdits, Device
from devbay.runner import Runner

_REMEMBERED = 4096
"""Answers per resource; the oldest is forgotten first. Half as many are asked for ahead."""


class Answers:
    """The container edits of one resource's devices. All methods belong to the event loop.

    `warmed` is called when what single devices need was asked for ahead, with all that is known of them, by device id.

    Attributes:
        warming: the task that asks ahead; None before there was anything to ask.
    """

    def __init__(
        self, source: str, runner: Runner, warmed: Callable[[Mapping[str, ContainerEdits]], None] = lambda _: None
    ) -> None:
        self._source = source
        self._runner = runner
        self._warmed = warmed
        self._known: dict[tuple[Device, ...], ContainerEdits] = {}
        self._generation = 0
        self.warming: asyncio.Task[None] | None = None
        self._log = structlog.get_logger().bind(resource=source, backend=runner.backend.name)

    def update(self, usable: Iterable[Device]) -> None:
        """Forget what is not about `usable` devices, and ask for what single ones of them need."""
        devices = set(usable)
        self._generation += 1
        self._known = {asked: edits for asked, edits in self._known.items() if devices.issuperset(asked)}
        self.close()
        unasked = sorted((device for device in devices if (device,) not in self._known), key=lambda d: d.id)
        if ahead := unasked[: max(0, _REMEMBERED // 2 - len(self._known))]:
            self.warming = asyncio.create_task(self._warm(ahead), name=f"{self._source}-warm")

    def close(self) -> None:
        """Stop asking ahead."""
        if self.warming is not None:
            self.warming.cancel()
            self.warming = None

    async def of(self, devices: tuple[Device, ...]) -> ContainerEdits:
        """Return what a container needs for these devices together. Raises as `Runner.edit` does."""
        if (known := self._known.get(devices)) is not None:
            return known
        generation = self._generation
        edits = await self._runner.edit(self._source, devices)
        self._remember(devices, edits, generation)
        return edits

    def _remember(self, devices: tuple[Device, ...], edits: ContainerEdits, generation: int) -> None:
        """Keep an answer, unless a device changed or failed while it was made."""
        if generation == self._generation:
            self._known[devices] = edits
            if len(self._known) > _REMEMBERED:
                del self._known[next(iter(self._known))]

    async def _warm(self, devices: Iterable[Device]) -> None:
        said = False
        for device in devices:
            generation = self._generation
            try:
                self._remember((device,), await self._runner.edit_ahead(self._source, (device,)), generation)
            except DevbayError as error:
                if not said:  # the others' reason is most often the same
                    self._log.warning("cannot say what a container needs", device=device.id, reason=str(error))
                said = True
                if isinstance(error, CallTimeout):
                    return
        self._warmed({asked[0].id: edits for asked, edits in self._known.items() if len(asked) == 1})
