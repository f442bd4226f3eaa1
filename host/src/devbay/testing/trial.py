"""A backend asked as the host asks it: loaded alone, through its hooks, in a thread, with a deadline for each call."""

import asyncio
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn, Self, TypeVar

import pytest

from devbay import contract
from devbay.errors import BackendUnavailable, ConfigError
from devbay.model import HEALTHY, ContainerEdits, Device, Health, Node
from devbay.plugins import Backend, Rejected, load
from devbay.settings import DeadlineSection
from devbay.sources import Sources
from devbay.testing.hosting import installed
from devbay.testing.rig import Rig

T = TypeVar("T")

NAME = "backend"
DEADLINES = DeadlineSection()


class NoAnswer(Exception):  # noqa: N818 - says what a call did
    """A call did not return within its deadline, or did what no caller survives; the text says which."""


def violation(text: str) -> NoReturn:
    """Fail the running case: the contract is broken, as `text` says."""
    pytest.fail(text, pytrace=False)


def loaded(rig: Rig) -> Backend | Rejected:
    """Load the rig's backend as the host does."""
    return asyncio.run(load(installed(rig.backend, NAME), DEADLINES.load))


def section(rig: Rig, kind: type) -> Any:
    """Return the rig's settings as the type that the backend named.

    Raises:
        ConfigError: they do not fit it.
    """
    return Sources(document={NAME: dict(rig.settings)}, file="the rig's settings").section(NAME, kind)


def within(seconds: float, function: Callable[[], T], what: str) -> T:
    """Return what `function()` returns in a thread of its own, or raise what it raises.

    Raises:
        NoAnswer: it took longer, or raised what is no `Exception`, such as `SystemExit`.
    """
    answer: list[T] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            answer.append(function())
        except BaseException as error:  # noqa: BLE001 - sys.exit in a backend is an answer too
            failure.append(error)

    thread = threading.Thread(target=run, name=what, daemon=True)
    thread.start()
    thread.join(seconds)
    if answer:
        return answer[0]
    if not failure:
        raise NoAnswer(f"{what} did not return within {seconds:g} s")
    if not isinstance(failure[0], Exception):
        raise NoAnswer(f"{what} raised {failure[0]!r}, which ends a thread")
    raise failure[0]


class Trial:
    """One object of the rig's backend at work. Answers come as the backend gave them, unless a method says otherwise.

    Attributes:
        rig: what it was made from.
        node: where it looks: the rig's node, or another one.
        backend: the loaded backend.
    """

    def __init__(self, rig: Rig, node: Node | None = None) -> None:
        backend = loaded(rig)
        if isinstance(backend, Rejected):
            pytest.skip(f"the backend does not load; test_it_loads says why: {backend.reason}")
        self.rig = rig
        self.node = node or rig.node
        self.backend = backend
        try:
            self._settings = section(rig, backend.settings_type)
        except ConfigError as error:
            pytest.skip(f"the rig's settings do not fit; test_it_loads says why: {error}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.has("close"):
            within(DEADLINES.discover, self.backend.close, "close")

    def has(self, hook: str) -> bool:
        """Whether the backend has an optional hook."""
        return hook in self.backend.hooks

    def need(self, hook: str) -> None:
        """Skip the running case if the backend lacks an optional hook."""
        if not self.has(hook):
            pytest.skip(f"the backend has no hook `{hook}`, which is optional")

    def discover(self) -> list[Any]:
        """Return the items of a `discover` answer, read to its end.

        Raises:
            BackendUnavailable: the backend says so.
        """
        return within(DEADLINES.discover, self._discover, "discover")

    def devices(self) -> tuple[Device, ...]:
        """Return the devices that a host would use, by id; fail where the rig's hardware is not found."""
        try:
            found, rejected = contract.accept_devices(self.discover())
        except BackendUnavailable as error:
            violation(f"the rig has hardware, and discover says: {error}")
        if not found:
            violation(f"the rig has hardware, and discover finds no device to use; rejected: {rejected or 'none'}")
        return found

    def health(self, devices: Sequence[Device]) -> dict[str, Health]:
        """Return the health of devices as a host sees it; healthy, where the backend does not check."""
        if not self.has("check"):
            return dict.fromkeys((device.id for device in devices), HEALTHY)
        return contract.accept_health(self.check(devices), devices)

    def check(self, devices: Sequence[Device]) -> Mapping[str, Health]:
        """Return a `check` answer."""
        answer = within(DEADLINES.check, lambda: self.backend.check(self.node, self._settings, devices), "check")
        if not isinstance(answer, Mapping):
            violation(f"check returned a {type(answer).__name__} instead of a mapping of device id to Health")
        return answer

    def edit(self, devices: Sequence[Device]) -> ContainerEdits:
        """Return the edits for devices of one resource, as they can be delivered; fail where they cannot be."""

        def ask() -> object:
            return self.backend.edit(self.node, self._settings, devices[0].resource, tuple(devices))

        answer = within(DEADLINES.edit, ask, "edit")
        try:
            return contract.accept_edits(answer)
        except contract.ContractViolation as error:
            violation(f"no container can be given this: {error}")

    def watch(self, wake: Callable[[], None], stop: threading.Event) -> object:
        """Call `watch`, which blocks."""
        return self.backend.watch(self.node, self._settings, wake, stop)

    def affinity(self, a: Device, b: Device) -> object:
        """Return an `affinity` answer."""
        hook = self.backend.affinity
        return within(DEADLINES.check, lambda: hook(self.node, self._settings, a, b), "affinity")

    def _discover(self) -> list[Any]:
        answer = self.backend.discover(self.node, self._settings)
        if answer is None or isinstance(answer, str | bytes | Mapping) or not isinstance(answer, Iterable):
            raise NoAnswer(f"discover returned {answer!r} instead of devices; an empty list says that there are none")
        return list(answer)


def by_resource(devices: Iterable[Device]) -> dict[str, list[Device]]:
    """Return devices by their resource, each list in order."""
    found: dict[str, list[Device]] = defaultdict(list)
    for device in devices:
        found[device.resource].append(device)
    return found
