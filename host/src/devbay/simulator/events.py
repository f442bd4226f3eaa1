"""What a simulated kubelet saw and did, as frozen values with the time of each; ``str`` of one is a sentence.

Every time is in seconds of the kubelet's clock (monotonic unless a test gave another), taken when the thing happened,
so that the difference of two is a measurement.
"""

from dataclasses import dataclass

_SHOWN = 8


def listed(ids: tuple[str, ...]) -> str:
    """Return device ids as a person reads them, cut short where they are many."""
    shown = ", ".join(ids[:_SHOWN])
    return f"{shown} and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else shown


def _span(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened at a time.

    Attributes:
        at: seconds of the kubelet's clock.
    """

    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PodEvent(Event):
    """Something that happened to a pod.

    Attributes:
        pod: its name.
        namespace: where it is.
    """

    pod: str
    namespace: str = "default"

    @property
    def where(self) -> str:
        """The pod as it is named in `Kubelet.pods`."""
        return self.pod if self.namespace == "default" else f"{self.namespace}/{self.pod}"


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeletStarted(Event):
    """The kubelet deleted the sockets in its directory and now answers on a new kubelet.sock."""

    socket: str
    deleted: tuple[str, ...]

    def __str__(self) -> str:
        removed = f"; deleted {', '.join(self.deleted)}" if self.deleted else ""
        return f"kubelet started on {self.socket}{removed}"


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeletStopped(Event):
    """The kubelet's process ended: connections dropped, kubelet.sock left behind."""

    def __str__(self) -> str:
        return "kubelet stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered(Event):
    """A plugin registered: it was dialled back and asked for its options, and its Register call is answered next."""

    resource: str
    endpoint: str
    seconds: float
    pre_start_required: bool
    preferred_allocation: bool

    def __str__(self) -> str:
        wants = [
            text
            for wanted, text in (
                (self.preferred_allocation, "chooses devices itself"),
                (self.pre_start_required, "wants PreStartContainer"),
            )
            if wanted
        ]
        options = f" ({', '.join(wants)})" if wants else ""
        return f"{self.resource} registered from {self.endpoint} in {_span(self.seconds)}{options}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationRefused(Event):
    """A plugin's Register call was answered with an error."""

    resource: str
    endpoint: str
    reason: str

    def __str__(self) -> str:
        return f"{self.resource or '(no name)'} refused from {self.endpoint or '(no endpoint)'}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamOpened(Event):
    """The kubelet called ListAndWatch."""

    resource: str
    endpoint: str

    def __str__(self) -> str:
        return f"{self.resource} ListAndWatch opened on {self.endpoint}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicesReceived(Event):
    """A ListAndWatch message replaced the device list of a resource. Ids are sorted."""

    resource: str
    endpoint: str
    healthy: tuple[str, ...]
    unhealthy: tuple[str, ...]

    def __str__(self) -> str:
        bad = f", {len(self.unhealthy)} unhealthy ({listed(self.unhealthy)})" if self.unhealthy else ""
        good = f" ({listed(self.healthy)})" if self.healthy else ""
        return f"{self.resource} lists {len(self.healthy)} healthy{good}{bad}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamEnded(Event):
    """A ListAndWatch stream ended, whoever ended it. The kubelet never opens it again by itself."""

    resource: str
    endpoint: str
    reason: str

    def __str__(self) -> str:
        return f"{self.resource} ListAndWatch on {self.endpoint} ended: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceExpired(Event):
    """A resource had no stream for the whole grace period: its capacity is zero from now on."""

    resource: str

    def __str__(self) -> str:
        return f"{self.resource} was away for too long: capacity is now 0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocated(PodEvent):
    """Allocate was called and answered."""

    resource: str
    container: str
    ids: tuple[str, ...]
    seconds: float

    def __str__(self) -> str:
        return (
            f"{self.resource} Allocate({listed(self.ids)}) for {self.where}/{self.container} took {_span(self.seconds)}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationFailed(PodEvent):
    """Allocate was called and failed, or answered nothing usable."""

    resource: str
    container: str
    ids: tuple[str, ...]
    seconds: float
    reason: str

    def __str__(self) -> str:
        return (
            f"{self.resource} Allocate({listed(self.ids)}) for {self.where}/{self.container} "
            f"failed after {_span(self.seconds)}: {self.reason}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PreferredAllocation(Event):
    """GetPreferredAllocation was called; `answer` is None where it failed, with the reason."""

    resource: str
    available: tuple[str, ...]
    must_include: tuple[str, ...]
    size: int
    answer: tuple[str, ...] | None
    seconds: float
    reason: str = ""

    def __str__(self) -> str:
        told = f"failed: {self.reason}" if self.answer is None else f"prefers {listed(self.answer) or 'nothing'}"
        return f"{self.resource} GetPreferredAllocation({self.size} of {len(self.available)}) {told}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PreStart(PodEvent):
    """PreStartContainer was called; `reason` is empty where it succeeded."""

    resource: str
    container: str
    ids: tuple[str, ...]
    seconds: float
    reason: str = ""

    def __str__(self) -> str:
        told = f"failed: {self.reason}" if self.reason else f"took {_span(self.seconds)}"
        return f"{self.resource} PreStartContainer({listed(self.ids)}) for {self.where}/{self.container} {told}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TopologyDecided(PodEvent):
    """The topology manager chose NUMA nodes for a container, or for the whole pod where `container` is empty.

    `numa_nodes` is None where any will do. Where it is not `admitted`, the pod is rejected next.
    """

    container: str
    numa_nodes: tuple[int, ...] | None
    preferred: bool
    admitted: bool

    def __str__(self) -> str:
        where = "any NUMA node" if self.numa_nodes is None else f"NUMA nodes {', '.join(map(str, self.numa_nodes))}"
        verdict = "preferred" if self.preferred else "not preferred" if self.admitted else "not aligned, refused"
        return f"topology of {self.where}{'/' * bool(self.container)}{self.container}: {where}, {verdict}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PodAdmitted(PodEvent):
    """A pod passed admission; its containers are started next."""

    def __str__(self) -> str:
        return f"pod {self.where} admitted"


@dataclass(frozen=True, slots=True, kw_only=True)
class PodRejected(PodEvent):
    """A pod failed admission for good."""

    reason: str
    message: str

    def __str__(self) -> str:
        return f"pod {self.where} rejected, {self.reason}: {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PodDeleted(PodEvent):
    """A pod is gone. The plugin is not told, and its devices are freed only when next looked at."""

    def __str__(self) -> str:
        return f"pod {self.where} deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class PodUpdated(PodEvent):
    """A pod's status was made anew at once, because the health of devices that it holds was told anew."""

    resource: str
    ids: tuple[str, ...]

    def __str__(self) -> str:
        return f"pod {self.where} updated for {self.resource} {listed(self.ids)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerStarted(PodEvent):
    """A container was created and started."""

    container: str

    def __str__(self) -> str:
        return f"container {self.where}/{self.container} started"


@dataclass(frozen=True, slots=True, kw_only=True)
class CdiFileRefused(PodEvent):
    """A container's CDI devices did not resolve, and the runtime had refused a file: it may be the one that has them.

    A runtime only logs this. `path` is the file, or a directory.
    """

    container: str
    path: str
    reason: str

    def __str__(self) -> str:
        return f"container {self.where}/{self.container} lacks CDI devices, and refused is {self.path}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerFailed(PodEvent):
    """A container could not be created; the kubelet will try again."""

    container: str
    reason: str
    message: str

    def __str__(self) -> str:
        return f"container {self.where}/{self.container} not created, {self.reason}: {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Freed(Event):
    """Devices of pods that are gone were freed."""

    resource: str
    ids: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.resource} freed {listed(self.ids)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict(PodEvent):
    """Two plugins gave one container different values for one thing: the first won, as in the kubelet's log."""

    container: str
    message: str

    def __str__(self) -> str:
        return f"conflict in {self.where}/{self.container}: {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding(Event):
    """Something a real kubelet would crash on, lose devices by, or silently get wrong."""

    resource: str
    message: str

    def __str__(self) -> str:
        return f"FINDING {self.resource}: {self.message}"
