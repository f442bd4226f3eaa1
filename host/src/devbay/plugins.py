"""Installed backends: found through entry points, loaded one by one, in isolation.

What is installed is read from metadata alone; only enabled backends are imported. Each is loaded in a thread of its
own with a deadline, into a plugin manager of its own, so that one that does not import, misspells a hook or exits the
interpreter costs a `Rejected` with its distribution, version and reason, and nothing else. `Backend` is the one place
that calls hooks.
"""

import contextlib
import importlib.metadata
import re
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from difflib import get_close_matches
from typing import Any

import msgspec
import pluggy

from devbay import hookspecs
from devbay.conversion import variable_name
from devbay.errors import CallTimeout
from devbay.model import Device, Node
from devbay.sources import backend_name_problem
from devbay.threads import CallFailed, Worker, describe

_GROUP = re.compile(r"devbay\.backends\.v(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A backend that a distribution declares. Nothing of it has been imported.

    Attributes:
        name: the entry point's name; what `DEVBAY_BACKENDS` and the configuration call it.
        distribution: the package that brings it.
        version: that package's version.
        entry_point: where it is.
    """

    name: str
    distribution: str
    version: str
    entry_point: importlib.metadata.EntryPoint

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A backend that cannot be run, and why; `distribution` and `version` say whose it is."""

    name: str
    distribution: str
    version: str
    reason: str

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"


class Backend:
    """A loaded backend: its hooks as typed methods. Each blocks; which thread may call it is in `devbay.hookspecs`."""

    def __init__(self, installed: Installed, manager: pluggy.PluginManager, settings_type: type) -> None:
        self.name = installed.name
        self.distribution = installed.distribution
        self.version = installed.version
        self.settings_type = settings_type
        self._hook = manager.hook
        self.hooks = frozenset(name for name, caller in vars(manager.hook).items() if caller.get_hookimpls())

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"

    def discover(self, node: Node, settings: Any) -> object:
        """Ask for the devices that are here."""
        return self._hook.discover(node=node, settings=settings)

    def check(self, node: Node, settings: Any, devices: Sequence[Device]) -> object:
        """Ask for the health of devices by id."""
        return self._hook.check(node=node, settings=settings, devices=devices)

    def edit(self, node: Node, settings: Any, resource: str, devices: Sequence[Device]) -> object:
        """Ask what a container needs for devices."""
        return self._hook.edit(node=node, settings=settings, resource=resource, devices=devices)

    def watch(self, node: Node, settings: Any, wake: Callable[[], None], stop: threading.Event) -> object:
        """Let the backend block on its hardware's events."""
        return self._hook.watch(node=node, settings=settings, wake=wake, stop=stop)

    def affinity(self, node: Node, settings: Any, a: Device, b: Device) -> object:
        """Ask how close two devices are."""
        return self._hook.affinity(node=node, settings=settings, a=a, b=b)

    def explain(self, node: Node, settings: Any, device: Device) -> object:
        """Ask why a device is here."""
        return self._hook.explain(node=node, settings=settings, device=device)

    def prepare(self, node: Node, settings: Any, resource: str, devices: Sequence[Device]) -> object:
        """Have devices made ready for a container."""
        return self._hook.prepare(node=node, settings=settings, resource=resource, devices=devices)

    def release(self, node: Node, settings: Any, resource: str, devices: Sequence[Device]) -> object:
        """Tell that nobody holds these devices any more."""
        return self._hook.release(node=node, settings=settings, resource=resource, devices=devices)

    def close(self) -> object:
        """Say goodbye."""
        return self._hook.close()


def find(
    distributions: Iterable[importlib.metadata.Distribution] | None = None,
) -> tuple[Mapping[str, Installed], tuple[Rejected, ...]]:
    """Return the installed backends by name, and those that cannot be run whatever is configured.

    A backend of another generation of the contract is rejected as too old or too new; of two with one name neither is
    chosen, since any choice would be a guess.
    """
    if distributions is None:
        distributions = importlib.metadata.distributions()
    by_name: dict[str, list[Installed]] = defaultdict(list)
    rejected: list[Rejected] = []
    seen: set[str] = set()
    for distribution in distributions:
        name, version = _whose(distribution)
        if name in seen:  # a second place on sys.path; the first one is what gets imported
            continue
        seen.add(name)
        try:
            entry_points = distribution.entry_points
        except Exception as error:  # noqa: BLE001 - a damaged installation: the file can hold anything
            reason = f"its entry points cannot be read: {describe(error)}; install it anew"
            rejected.append(Rejected(name=name, distribution=name, version=version, reason=reason))
            continue
        for entry_point in entry_points:
            if match := _GROUP.fullmatch(entry_point.group):
                found = Installed(name=entry_point.name, distribution=name, version=version, entry_point=entry_point)
                if problem := _generation_problem(int(match[1])) or backend_name_problem(found.name):
                    rejected.append(reject(found, problem))
                else:
                    by_name[variable_name(found.name)].append(found)
    for same in by_name.values():
        if len(same) > 1:
            owners = " and ".join(sorted(map(str, same)))
            rejected += [reject(one, f"{owners} are both called {one.name!r}; uninstall one of them") for one in same]
    usable = sorted((same[0] for same in by_name.values() if len(same) == 1), key=lambda one: one.name)
    return {one.name: one for one in usable}, tuple(sorted(rejected, key=lambda r: (r.name, r.distribution)))


async def load(installed: Installed, deadline: float) -> Backend | Rejected:
    """Import a backend and see that it keeps the contract's form, in a thread of its own, within `deadline` seconds."""
    worker = Worker(f"{installed.name}-load")
    try:
        return await worker.call(lambda: _load(installed), what="loading", deadline=deadline)
    except CallTimeout as error:
        return reject(installed, f"{error}; it blocks while it is imported or asked for its settings")
    except CallFailed as error:
        unfit = isinstance(error.__cause__, _Unfit)
        return reject(installed, error.text if unfit else f"does not load: {error.description}")
    finally:
        worker.end()


def _whose(distribution: importlib.metadata.Distribution) -> tuple[str, str]:
    """Return a distribution's name and version; a place-holder for what a damaged installation does not tell."""
    name: str | None = None
    version: str | None = None
    with contextlib.suppress(Exception):  # the file may be missing or hold anything, and Pythons differ in what follows
        name, version = distribution.metadata["Name"], distribution.metadata["Version"]
    return name or f"unknown ({distribution.locate_file('')})", version or "unknown version"


class _Unfit(Exception):  # noqa: N818 - internal: becomes a Rejected
    """What was loaded is no backend; the text says why."""


def _load(installed: Installed) -> Backend:
    loaded = installed.entry_point.load()
    plugin = loaded() if isinstance(loaded, type) else loaded
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    try:
        manager.register(plugin, installed.name)
        _check_names(manager)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise _Unfit(" ".join(str(error).split())) from None
    missing = [name for name in hookspecs.REQUIRED_HOOKS if not getattr(manager.hook, name).get_hookimpls()]
    if missing:
        raise _Unfit(f"has no hook {' and no '.join(missing)}; a backend needs both, marked with devbay.api.hookimpl")
    return Backend(installed, manager, _settings_type(manager))


def _check_names(manager: pluggy.PluginManager) -> None:
    known = [name for name, caller in vars(manager.hook).items() if caller.has_spec()]
    for name, caller in vars(manager.hook).items():
        if not caller.has_spec():
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"hooks are: {', '.join(sorted(known))}"
            raise _Unfit(f"implements an unknown hook {name!r}; {hint}")


def _settings_type(manager: pluggy.PluginManager) -> type:
    kind = manager.hook.settings()
    if kind is None:  # no such hook, or nothing to set
        return dict
    if not isinstance(kind, type):
        raise _Unfit(f"its settings hook returned {kind!r} instead of a type")
    if not issubclass(kind, msgspec.Struct) and not is_dataclass(kind):
        raise _Unfit(f"its settings type {kind.__name__} is neither a devbay.api.BackendSettings nor a dataclass")
    try:
        kind()
    except TypeError as error:
        raise _Unfit(f"its settings type {kind.__name__} needs a default for every field: {error}") from None
    try:
        msgspec.inspect.type_info(kind)
        msgspec.convert({}, kind)
    except Exception as error:  # noqa: BLE001 - annotations are evaluated here, and can raise anything
        raise _Unfit(f"its settings type {kind.__name__} cannot be read from a file: {describe(error)}") from None
    return kind


def _generation_problem(generation: int) -> str | None:
    ours = hookspecs.API_VERSION
    if generation == ours:
        return None
    if generation < ours:
        return (
            f"is too old: it implements generation {generation} of the backend contract, this host {ours}; upgrade it"
        )
    return (
        f"is too new: it implements generation {generation} of the backend contract, this host {ours}; upgrade devbay"
    )


def reject(installed: Installed, reason: str) -> Rejected:
    """Return that an installed backend cannot be run, because of `reason`."""
    return Rejected(name=installed.name, distribution=installed.distribution, version=installed.version, reason=reason)
