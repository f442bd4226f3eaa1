"""What an endpoint needs from the rest of the host: values and one protocol. Knows no gRPC."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from devbay.model import ContainerEdits
from devbay.tally import ResourceTally


@dataclass(frozen=True, slots=True, kw_only=True)
class Advertised:
    """One entry of the list that the kubelet reads: a device, or one share of it."""

    id: str
    healthy: bool
    numa_nodes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What one container is given in answer to the kubelet.

    Attributes:
        edits: what the answer itself holds.
        cdi_devices: full names of CDI devices, which the container runtime adds.
    """

    edits: ContainerEdits
    cdi_devices: tuple[str, ...] = ()


class Service(Protocol):
    """Answers the kubelet's questions about the devices of one resource.

    What it raises must be a `devbay.errors.DevbayError`; its text reaches the pod's events.
    """

    @property
    def backend(self) -> str:
        """Whose devices they are."""

    @property
    def tally(self) -> ResourceTally:
        """What happened to the resource so far."""

    @property
    def prepares(self) -> bool:
        """Whether containers need `prepare` before they start."""

    async def allocate(self, ids: Sequence[str]) -> Given:
        """Return what one container needs for the advertised `ids`."""

    def prefer(self, available: Sequence[str], must_include: Sequence[str], size: int) -> Sequence[str]:
        """Return which `size` of the `available` ids a container had best get."""

    async def prepare(self, ids: Sequence[str]) -> None:
        """Make devices ready for a container that is about to be created."""
