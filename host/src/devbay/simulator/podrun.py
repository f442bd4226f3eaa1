"""A pod bound to the node and what became of it: what the API server and the container runtime know.

It outlives the kubelet's process; the workers, which belong to one process, move it on.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from devbay.simulator.admission import Rejection
from devbay.simulator.pods import Container, ContainerStatus, Phase, Pod, PodStatus


@dataclass(slots=True, eq=False)
class PodRun:
    """A pod and what became of it so far.

    Attributes:
        pod: the pod, with its uid.
        failed: the rejection, if admission refused it.
        deleted: whether it is gone.
        statuses: its containers' statuses by name.
    """

    pod: Pod
    failed: Rejection | None = None
    deleted: bool = False
    statuses: dict[str, ContainerStatus] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Give every container a status."""
        self.statuses = {c.name: ContainerStatus(name=c.name) for c in self.pod.all_containers}

    @property
    def active(self) -> bool:
        """Whether it still counts for freeing."""
        return self.failed is None and not self.deleted

    @property
    def phase(self) -> Phase:
        """The pod's phase."""
        if self.failed is not None:
            return "Failed"
        running = any(self.statuses[container.name].state == "Running" for container in self.pod.containers)
        return "Running" if running else "Pending"

    @property
    def pending(self) -> list[Container]:
        """The containers that are still to be started, in order."""
        return [container for container in self.pod.all_containers if self.statuses[container.name].state == "Waiting"]

    @property
    def restless(self) -> bool:
        """Whether a worker still has something to do for it."""
        return self.active and bool(self.pending)

    def die(self) -> None:
        """Lose all containers, as a reboot of the node does."""
        for name, status in self.statuses.items():
            again = status.restart_count + (status.state != "Waiting")
            self.statuses[name] = ContainerStatus(name=name, restart_count=again)

    def status(self) -> PodStatus:
        """Return the pod's status as a value."""
        return PodStatus(
            pod=self.pod,
            phase=self.phase,
            reason=self.failed.reason if self.failed else "",
            message=self.failed.message if self.failed else "",
            containers=tuple(self.statuses[container.name] for container in self.pod.containers),
            init_containers=tuple(self.statuses[container.name] for container in self.pod.init_containers),
        )


def active(runs: Iterable[PodRun]) -> set[str]:
    """Return the uids of the pods that still count."""
    return {run.pod.uid for run in runs if run.active}
