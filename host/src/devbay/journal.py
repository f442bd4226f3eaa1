"""What the host tells people: one event a line, a change once, its repeats not at all.

The only place that turns the host's values into log lines; `backend`, `resource` and `device` are bound wherever they
are known.
"""

import re
from collections.abc import Iterable
from difflib import get_close_matches

import structlog

from devbay.contract import Rejection
from devbay.errors import DevbayError
from devbay.inventory import Change
from devbay.model import Health, Node
from devbay.offers import Refusal
from devbay.plugins import Backend, Rejected
from devbay.runner import Report, State
from devbay.selection import Choice

_SLIP = 0.75
"""How alike two names are, of 1, for one to be the other mistyped."""

_NUMBER = re.compile(r"\d+(\.\d+)?")


def _gist(reason: str) -> str:
    """Return a reason without its numbers: a temperature that goes on rising is no news, another cause is."""
    return _NUMBER.sub("#", reason)


class Journal:
    """Remembers what was said, so that it is not said again.

    Attributes:
        rivals: how often another host was found to serve a resource of ours.
    """

    def __init__(self) -> None:
        self._log = structlog.get_logger()
        self._states: dict[str, tuple[State, str]] = {}
        self._rejections: dict[str, tuple[Rejection, ...]] = {}
        self._refusals: tuple[Refusal, ...] = ()
        self._unmatched: set[str] = set()
        self._warnings: tuple[str, ...] = ()
        self._shortfalls: set[tuple[str, str]] = set()
        self.rivals = 0

    def start(self, node: Node, choice: Choice, *, any_installed: bool) -> None:
        """Say what is about to run, and on which node."""
        self._log.info("devbay starts", node=node.name, backends=list(choice.enabled))
        if not any_installed:
            self._log.warning("no backend is installed: nothing runs here; try 'pip install devbay-mock'")
        elif not choice.line:
            self._log.warning("no line of the backend selection matches this node: nothing runs here", node=node.name)

    def warnings(self, warnings: Iterable[str]) -> None:
        """Say what is wrong in the configuration of other nodes; this one works all the same."""
        said, self._warnings = self._warnings, tuple(warnings)
        for warning in self._warnings:
            if warning not in said:
                self._log.warning("the configuration of other nodes", problem=warning)

    def disabled(self, backend: str) -> None:
        """Say that a backend is to run here no longer."""
        self._log.info("backend disabled", backend=backend)
        self._states.pop(backend, None)
        self._rejections.pop(backend, None)

    def stop(self, resources: int) -> None:
        """Say that all is closed."""
        self._log.info("stopped", resources=resources)

    def rejected(self, rejected: Rejected) -> None:
        """Say that a backend cannot be run, and whose it is."""
        self._log.error("backend rejected", backend=rejected.name, distribution=str(rejected), reason=rejected.reason)

    def report(self, backend: Backend, report: Report, rejections: tuple[Rejection, ...]) -> None:
        """Say how a look went, where that differs from the one before."""
        log = self._log.bind(backend=backend.name)
        state = (report.state, _gist(report.reason))
        if state != self._states.get(backend.name):
            self._states[backend.name] = state
            match report.state:
                case State.READY:
                    log.info("backend ready", devices=len(report.found or ()), distribution=str(backend))
                case State.UNAVAILABLE:
                    log.info("backend unavailable", reason=report.reason)
                case _:
                    log.error("backend fails", state=report.state.value, reason=report.reason)
        if rejections != self._rejections.get(backend.name, ()):
            self._rejections[backend.name] = rejections
            for item, reason in rejections:
                log.error("device rejected", device=item, distribution=str(backend), reason=reason)

    def changes(self, changes: Iterable[Change]) -> None:
        """Say what became of which device."""
        for before, after in changes:
            now = after or before
            if now is None:
                continue
            log = self._log.bind(backend=now.backend, resource=now.device.resource, device=now.device.id)
            if after is None:
                log.info("device dropped")
            elif before is None:
                self._health(log, "device found", after.health)
            elif (before.health.healthy, _gist(before.health.reason)) != (
                after.health.healthy,
                _gist(after.health.reason),
            ):
                self._health(log, "device healthy" if after.health else "device unhealthy", after.health)
            elif before.health != after.health:
                log.debug("device unhealthy", reason=after.health.reason)
            else:
                log.info("device changed")

    def refused(self, refusals: tuple[Refusal, ...]) -> None:
        """Say what cannot be offered as it was configured."""
        for refusal in refusals:
            if refusal not in self._refusals:
                self._log.error("not offered", resource=refusal.resource, reason=refusal.reason)
        self._refusals = refusals

    def unmatched(self, patterns: tuple[str, ...], resources: Iterable[str]) -> None:
        """Say which resources were configured that this node does not have; a name close to one it has is a slip."""
        known = sorted(resources)
        for pattern in patterns:
            if pattern in self._unmatched:
                continue
            self._unmatched.add(pattern)
            if near := get_close_matches(pattern, known, n=1, cutoff=_SLIP):
                self._log.warning("configured resource is not on this node", resource=pattern, nearest=near[0])
            else:
                self._log.info("configured resource is not on this node", resource=pattern)

    def sharing(self, resource: str, problems: tuple[str, ...]) -> None:
        """Say what sharing asked for and this node does not have."""
        for problem in problems:
            if (resource, problem) not in self._shortfalls:
                self._shortfalls.add((resource, problem))
                self._log.warning("sharing as far as possible", resource=resource, problem=problem)

    def rival(self, resource: str, socket: str, backend: str = "") -> None:
        """Say that another host serves one of our resources; `backend` is whose it is with us, where that is known."""
        self.rivals += 1
        whose = {"backend": backend} if backend else {}
        self._log.warning("another host serves this resource on this node", **whose, resource=resource, socket=socket)

    def withdrawn(self, resource: str, backend: str) -> None:
        """Say that a resource has no devices any more."""
        self._log.info("no devices left", backend=backend, resource=resource)

    def not_pruned(self, error: DevbayError) -> None:
        """Say that what is gone stays in a CDI specification; it is tried again."""
        self._log.warning("CDI specification not pruned", reason=str(error))

    def task_ended(self, name: str, error: Exception) -> None:
        """Say that something ended which never should; it begins again."""
        self._log.critical("internal error: a task ended and begins again", task=name, exc_info=error)

    def _health(self, log: structlog.typing.FilteringBoundLogger, event: str, health: Health) -> None:
        if health:
            log.info(event)
        else:
            log.warning(event, reason=health.reason)
