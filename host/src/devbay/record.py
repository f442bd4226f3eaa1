"""What the host has seen, kept for whoever wants to be shown it: from rooms and reports to a `Status`.

Nothing is decided here. All methods belong to the event loop, which a `Status` leaves as a frozen value.
"""

import time
from collections.abc import Collection, Iterable, Mapping
from importlib.metadata import version
from typing import NamedTuple

from devbay.cdi.directory import SpecificationDirectory
from devbay.chronicle import Chronicle
from devbay.configuration import ConfigurationState
from devbay.custodian import Custodian
from devbay.journal import Journal
from devbay.kubelet.registration import Registration
from devbay.offers import Offer
from devbay.plugins import Rejected
from devbay.pulse import Pulse
from devbay.runner import Report, Runner, State
from devbay.status import BackendStatus, ConfigurationStatus, ResourceStatus, Status


class Look(NamedTuple):
    """The latest report of a backend, without its devices, and when it came."""

    state: State
    reason: str
    at: float


class Rooms(NamedTuple):
    """What of the host can be asked how it is."""

    runners: Mapping[str, Runner]
    offered: Iterable[tuple[Offer, Registration]]
    custodian: Custodian
    specifications: SpecificationDirectory
    journal: Journal
    configuration: ConfigurationState | None
    enabled: Collection[str]


class Record:
    """Remembers what the rooms themselves do not.

    Attributes:
        node: this node's name.
        pulse: the heartbeat of the loop.
    """

    def __init__(self, node: str, chronicle: Chronicle) -> None:
        self.node = node
        self.pulse = Pulse()
        self._chronicle = chronicle
        self._version = version("devbay")
        self._started_at = time.time()
        self._looks: dict[str, Look] = {}
        self._rejected: dict[str, Rejected] = {}

    def looked(self, report: Report) -> None:
        """Take in how a look went."""
        self._looks[report.backend] = Look(report.state, report.reason, time.time())

    def rejected(self, rejected: Rejected) -> None:
        """Take in that a backend cannot be run."""
        self._rejected[rejected.name] = rejected

    def forget(self, backend: str) -> None:
        """Let go of what is known of a backend: it runs here no longer, or is begun anew."""
        self._looks.pop(backend, None)
        self._rejected.pop(backend, None)

    def status(self, rooms: Rooms) -> Status:
        """Return what is known now."""
        known = {*rooms.runners, *self._rejected}
        return Status(
            at=time.time(),
            node=self.node,
            version=self._version,
            started_at=self._started_at,
            loading=tuple(name for name in rooms.enabled if name not in known),
            configuration=self._configuration(rooms.configuration),
            backends=tuple(self._backends(rooms)),
            resources=tuple(
                sorted((_resource(*one) for one in rooms.offered), key=lambda resource: resource.offer.resource)
            ),
            holders=None if rooms.custodian.reason else rooms.custodian.holders,
            holders_reason=rooms.custodian.reason,
            rivals=rooms.journal.rivals,
            cdi_failures=rooms.specifications.failures,
            lines_dropped=self._chronicle.dropped,
            loop_lag=self.pulse.lag,
            events=self._chronicle.read(),
        )

    def _configuration(self, state: ConfigurationState | None) -> ConfigurationStatus:
        if state is None:
            return ConfigurationStatus(loaded_at=self._started_at)
        return ConfigurationStatus(
            good=state.good, problem=state.problem, loaded_at=state.loaded_at, waiting=state.waiting
        )

    def _backends(self, rooms: Rooms) -> Iterable[BackendStatus]:
        for name in sorted({*rooms.runners, *self._rejected}):
            if (runner := rooms.runners.get(name)) is not None:
                yield _backend(runner, self._looks.get(name, Look(State.STARTING, "", 0.0)))
            elif name in rooms.enabled:
                rejected = self._rejected[name]
                yield BackendStatus(
                    name=name,
                    distribution=rejected.distribution,
                    version=rejected.version,
                    state="rejected",
                    reason=rejected.reason,
                )


def _backend(runner: Runner, look: Look) -> BackendStatus:
    return BackendStatus(
        name=runner.backend.name,
        distribution=runner.backend.distribution,
        version=runner.backend.version,
        state=look.state.value,
        reason=look.reason,
        looked_at=look.at or None,
        stuck=runner.stuck,
        abandoned=runner.abandoned,
        calls=runner.calls.read(),
    )


def _resource(offer: Offer, registration: Registration) -> ResourceStatus:
    return ResourceStatus(
        offer=offer,
        state=registration.state,
        reason=registration.reason,
        streams=registration.streams,
        socket=registration.socket,
        counts=registration.tally.read(),
    )
