"""What the host tells people: one event a line, a change once, its repeats not at all.

The only place that turns the host's values into log lines; `backend`, `resource` and `device` are bound wherever they
are known.
"""

import re
from collections.abc import Iterable

import structlog

from devbay.contract import Rejection
from devbay.inventory import Change
from devbay.model import Health, Node
from devbay.plugins import Backend, Rejected
from devbay.runner import Report, State
from devbay.selection import Choice

_NUMBER = re.compile(r"\d+(\.\d+)?")


def _gist(reason: str) -> str:
    """Return a reason without its numbers: a temperature that goes on rising is no news, another cause is."""
    return _NUMBER.sub("#", reason)


class Journal:
    """Remembers what was said, so that it is not said again."""

    def __init__(self) -> None:
        self._log = structlog.get_logger()
        self._states: dict[str, tuple[State, str]] = {}
        self._rejections: dict[str, tuple[Rejection, ...]] = {}

    def start(self, node: Node, choice: Choice, *, any_installed: bool) -> None:
        """Say what is about to run, and on which node."""
        self._log.info("devbay starts", node=node.name, backends=list(choice.enabled))
        for warning in choice.warnings:
            self._log.warning("backend selection", problem=warning)
        if not any_installed:
            self._log.warning("no backend is installed: nothing runs here; try 'pip install devbay-mock'")
        elif not choice.line:
            self._log.warning("no line of the backend selection matches this node: nothing runs here", node=node.name)

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

    def rival(self, resource: str, socket: str) -> None:
        """Say that another host serves one of our resources."""
        self._log.warning("another host serves this resource on this node", resource=resource, socket=socket)

    def withdrawn(self, resource: str) -> None:
        """Say that a resource has no devices any more."""
        self._log.info("no devices left", resource=resource)

    def task_ended(self, name: str, error: Exception) -> None:
        """Say that something ended which never should; it begins again."""
        self._log.critical("internal error: a task ended and begins again", task=name, exc_info=error)

    def _health(self, log: structlog.typing.FilteringBoundLogger, event: str, health: Health) -> None:
        if health:
            log.info(event)
        else:
            log.warning(event, reason=health.reason)
