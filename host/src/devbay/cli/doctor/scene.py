"""What the checks look at, gathered once: the node's directories, the kubelet's words, the backends' and the API's.

Gathering changes nothing, and never fails as a whole: what could not be gathered is a finding of its own and leaves a
gap, which each check can live with.
"""

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from devbay.apiserver import access, nodes
from devbay.apiserver.client import ApiServer
from devbay.apiserver.nodes import NodeStatus
from devbay.cli.doctor import sockets
from devbay.cli.doctor.findings import Finding, Findings
from devbay.cli.doctor.sockets import Socket
from devbay.cli.glance import Glance, glance
from devbay.errors import KubernetesApiError
from devbay.holders import Look, Replica
from devbay.offers import Offer
from devbay.plan import Plan
from devbay.podresources import PodResources, Silent
from devbay.settings import Settings
from devbay.simulator import checkpoint
from devbay.simulator.checkpoint import Checkpoint, CorruptCheckpoint
from devbay.threads import describe

T = TypeVar("T")
U = TypeVar("U")

_API_DEADLINE = 5.0
_itself = Findings("doctor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where things of the node are found by this process.

    Attributes:
        root: where the node's own file system is found.
        kubelet: the kubelet's device plugin directory.
        pod_resources: the kubelet's pod-resources socket; None if it is not to be asked.
        cdi: where specifications are written.
    """

    root: Path
    kubelet: Path
    pod_resources: Path | None
    cdi: Path

    def on_node(self, path: str | Path) -> Path:
        """Return where a path of the node is found."""
        return self.root / str(path).lstrip("/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Everything that was gathered. What could not be is None, with a finding in `gaps`.

    Attributes:
        place: where it was looked.
        settings: the host's own; defaults where the configuration cannot be used.
        plan: what is to run here; None where the configuration cannot be used.
        seen: what the backends said; it is over by now, so nobody can be asked more.
        sockets: those in the kubelet's directory but the kubelet's.
        checkpoint: what the kubelet last wrote; None if there is none.
        checkpoint_problem: why that cannot be read; empty if it can.
        held: who holds what, by the kubelet; None where it is not asked.
        allocatable: the healthy ids that the kubelet knows.
        node: what the Node object says of extended resources.
        node_problem: why that is not known.
        proc: this machine's ``/proc``.
        euid: the user that this process is.
        gaps: what could not be gathered.
    """

    place: Place
    settings: Settings = field(default_factory=Settings)
    plan: Plan | None = None
    seen: Glance | None = None
    sockets: tuple[Socket, ...] | None = None
    checkpoint: Checkpoint | None = None
    checkpoint_problem: str = ""
    held: Look | Silent | None = None
    allocatable: Mapping[Replica, tuple[int, ...]] | Silent | None = None
    node: NodeStatus | None = None
    node_problem: str = ""
    proc: Path = Path("/proc")
    euid: int = 0
    gaps: tuple[Finding, ...] = field(default=(), hash=False)

    @property
    def offers(self) -> Mapping[str, Offer]:
        """What would be offered here, by resource."""
        return self.seen.offers if self.seen else {}

    @property
    def node_name(self) -> str:
        """What this node is called."""
        return self.plan.node.name if self.plan else os.environ.get("NODE_NAME") or os.uname().nodename

    @property
    def delivers_through_cdi(self) -> bool:
        """Whether any resource here is given to containers through CDI."""
        return any(offer.delivery != "direct" for offer in self.offers.values()) or (
            self.settings.rules().delivers_through_cdi
        )

    def known_to_kubelet(self, resource: str) -> frozenset[str] | None:
        """Return the healthy ids of a resource that the kubelet knows now; None where it cannot be asked."""
        if not isinstance(self.allocatable, Mapping):
            return None
        return frozenset(replica.id for replica in self.allocatable if replica.resource == resource)


def gather(place: Place, settings: Settings, plan: Plan | None, gaps: tuple[Finding, ...] = ()) -> Scene:
    """Look at everything, once. What cannot be gathered for a reason that nobody thought of is a gap too."""
    parts = _Parts(list(gaps))
    found = parts.take("the sockets", lambda: _sockets(place.kubelet), None)
    written, problem = parts.take("the checkpoint", lambda: _checkpoint(place.kubelet), (None, "internal error"))
    seen, held, allocatable = parts.take(
        "backends and pod-resources", lambda: asyncio.run(_ask(place, plan)), (None, None, None)
    )
    unknown = (None, "the configuration cannot be used")
    status, status_problem = parts.take("the Node", lambda: _node(plan.node.name), unknown) if plan else unknown
    return Scene(
        place=place,
        settings=settings,
        plan=plan,
        seen=seen,
        sockets=found,
        checkpoint=written,
        checkpoint_problem=problem,
        held=held,
        allocatable=allocatable,
        node=status,
        node_problem=status_problem,
        euid=os.geteuid(),
        gaps=tuple(parts.gaps),
    )


@dataclass(frozen=True, slots=True)
class _Parts:
    """Gathers part by part, so that one that fails leaves a gap and not nothing."""

    gaps: list[Finding]

    def take(self, what: str, look: Callable[[], T], otherwise: U) -> T | U:
        """Return what a look finds; `otherwise`, and a gap, where it fails."""
        try:
            return look()
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a node, the rest of it must be seen
            self.gaps.append(
                _itself.warning(
                    f"it could not be looked at: {describe(error)}",
                    what,
                    why="what is wrong with it is not known",
                    remedy="tell the authors of devbay, with this line",
                )
            )
            return otherwise


def _sockets(directory: Path) -> tuple[Socket, ...] | None:
    try:
        return sockets.in_directory(directory)
    except OSError:  # why it cannot be read is a check's to say
        return None


def _checkpoint(directory: Path) -> tuple[Checkpoint | None, str]:
    try:
        path = directory / checkpoint.FILE
        if path.exists() and not path.is_file():  # a pipe would be waited for
            return None, "it is no plain file"
        return checkpoint.read(directory), ""
    except CorruptCheckpoint as error:
        return None, str(error)
    except (RecursionError, TypeError, ValueError) as error:
        return None, f"not a checkpoint: {error}"
    except OSError as error:
        return None, f"it cannot be read: {error.strerror}"


async def _ask(
    place: Place, plan: Plan | None
) -> tuple[Glance | None, Look | Silent | None, Mapping[Replica, tuple[int, ...]] | Silent | None]:
    kubelet = PodResources(place.pod_resources) if place.pod_resources else None
    seen, held, allocatable = await asyncio.gather(
        _look(plan) if plan else _nothing(),
        kubelet.list() if kubelet else _nothing(),
        kubelet.allocatable() if kubelet else _nothing(),
    )
    return seen, held, allocatable


async def _nothing() -> None:
    return None


async def _look(plan: Plan) -> Glance:
    async with glance(plan) as seen:
        return seen


def _node(name: str) -> tuple[NodeStatus | None, str]:
    try:
        return nodes.read(ApiServer(access.find(os.environ), deadline=_API_DEADLINE), name), ""
    except KubernetesApiError as error:
        return None, str(error)
