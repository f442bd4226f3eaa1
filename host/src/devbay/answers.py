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
        asked: set once all that could be asked ahead at first was asked, or there was nothing to ask.
    """

    def __init__(
        self, source: str, runner: Runner, warmed: Callable[[Mapping[str, ContainerEdits]], None] = lambda _: None
    ) -> None:
        self._source = source
        self._runner = runner
        self._warmed = warmed
        self._known: dict[tuple[Device, ...], ContainerEdits] = {}
        self._generation = 0
        self._since: dict[Device, int] = {}  # in which generation each usable device came
        self._fresh = False
        self._warming: asyncio.Task[None] | None = None
        self._rounds = 0
        self.asked = asyncio.Event()
        self.asked.set()
        self._log = structlog.get_logger().bind(resource=source, backend=runner.backend.name)

    def update(self, usable: Iterable[Device]) -> None:
        """Forget what is not about `usable` devices, and ask for what single ones of them need.

        What is being asked about a device that is usable still goes on: another one may come and go without end.
        """
        self._generation += 1
        self._since = {device: self._since.get(device, self._generation) for device in usable}
        self._known = {asked: edits for asked, edits in self._known.items() if self._since.keys() >= set(asked)}
        self._fresh = bool(self._unasked())
        if self._fresh and (self._warming is None or self._warming.done()):
            if not self._rounds:
                self.asked.clear()
            self._warming = asyncio.create_task(self._warm(), name=f"{self._source}-warm")

    def close(self) -> None:
        """Stop asking ahead."""
        if self._warming is not None:
            self._warming.cancel()
        self.asked.set()

    def _unasked(self) -> list[Device]:
        unasked = sorted((device for device in self._since if (device,) not in self._known), key=lambda d: d.id)
        return unasked[: max(0, _REMEMBERED // 2 - len(self._known))]

    async def of(self, devices: tuple[Device, ...]) -> ContainerEdits:
        """Return what a container needs for these devices together. Raises as `Runner.edit` does."""
        if (known := self._known.get(devices)) is not None:
            return known
        generation = self._generation
        edits = await self._runner.edit(self._source, devices)
        self._remember(devices, edits, generation)
        return edits

    def _remember(self, devices: tuple[Device, ...], edits: ContainerEdits, generation: int) -> None:
        """Keep an answer, unless one of its devices changed or failed while it was made."""
        if all(self._since.get(device, self._generation + 1) <= generation for device in devices):
            self._known[devices] = edits
            if len(self._known) > _REMEMBERED:
                del self._known[next(iter(self._known))]

    async def _warm(self) -> None:
        while self._fresh:
            self._fresh = False
            await self._ask_ahead(self._unasked())
            self._warmed({asked[0].id: edits for asked, edits in self._known.items() if len(asked) == 1})
            self._rounds += 1
            self.asked.set()

    async def _ask_ahead(self, devices: Iterable[Device]) -> None:
        said = False
        for device in devices:
            if device not in self._since or (device,) in self._known:
                continue
            generation = self._generation
            try:
                self._remember((device,), await self._runner.edit_ahead(self._source, (device,)), generation)
            except DevbayError as error:
                if not said:  # the others' reason is most often the same
                    self._log.warning("cannot say what a container needs", device=device.id, reason=str(error))
                said = True
                if isinstance(error, CallTimeout):
                    return
