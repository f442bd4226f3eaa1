"""The host's own settings: their types, with each default and why.

Pure. Each section of the configuration is one type; a backend's section is a type that the backend declares. How a
document and variables become these is in `devbay.sources`.
"""

from typing import Annotated, Literal, TypeAlias

import msgspec

from devbay import offers, resources, timeslicing
from devbay.inventory import HealthPolicy
from devbay.misfits import Misplaced
from devbay.resources import ResourceSection
from devbay.timeslicing import SharingSection

_LAST_PORT = 65535
Seconds: TypeAlias = Annotated[float, msgspec.Meta(gt=0, extra={"unit": "seconds"})]
Pause: TypeAlias = Annotated[float, msgspec.Meta(ge=0, extra={"unit": "seconds"})]


class NodeSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the host runs."""

    name: str = ""
    """The node's name; empty means ``NODE_NAME``, which the manifest sets, else the machine's host name."""
    sys: str = "/sys"
    """Where this process finds the node's ``/sys``."""
    dev: str = "/dev"
    """Where this process finds the node's ``/dev``."""
    proc: str = "/proc"
    """Where this process finds the node's ``/proc``."""


class KubeletSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the kubelet is reached."""

    directory: str = "/var/lib/kubelet/device-plugins"
    """The directory of ``kubelet.sock``. The kubelet's own constant: it does not follow its ``--root-dir``."""
    pod_resources: str = "/var/lib/kubelet/pod-resources/kubelet.sock"
    """The socket that tells which container holds which device; it need not be there. Empty: it is not asked."""
    pod_resources_interval: Seconds = 5.0
    """Seconds between two questions to that socket."""
    pod_resources_settle: Seconds = 60.0
    """Seconds without a pod being taken back, after which a kubelet that restarted is believed to know all its pods."""


class HealthSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often devices are looked at, and when one that failed or vanished is believed again or let go."""

    scan_interval: Seconds = 10.0
    """Seconds between looks when nothing calls for one: a safety net where a backend watches its hardware's events."""
    flap_limit: Annotated[int, msgspec.Meta(ge=1)] = 3
    """A device that failed this often within `flap_window` seconds is held back. Others recover at once."""
    flap_window: Seconds = 300.0
    """See `flap_limit`; seconds."""
    recovery_hold: Pause = 30.0
    """Seconds that a flapping device must stay healthy before it is offered again."""
    keep_lost: Pause = 600.0
    """Seconds that a vanished device stays listed, unhealthy, where nobody can say whether a pod holds it."""
    keep_allocated: Pause = 60.0
    """Seconds that a device stays listed after an allocation that named it: nothing shows one that is under way."""

    def policy(self) -> HealthPolicy:
        """Return the part of this that decides about devices."""
        return HealthPolicy(
            flap_limit=self.flap_limit,
            flap_window=self.flap_window,
            recovery_hold=self.recovery_hold,
            keep_lost=self.keep_lost,
            keep_allocated=self.keep_allocated,
        )


class DeadlineSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Seconds that a backend may take for one call before it is given up on. The host itself never waits."""

    load: Seconds = 30.0
    """Importing it and asking for its settings: vendor libraries can be large."""
    discover: Seconds = 30.0
    """Drivers that reset a card hold such calls for many seconds."""
    check: Seconds = 15.0
    """As `discover`; shorter, since it follows one that answered."""
    edit: Seconds = 2.0
    """The kubelet admits no other pod while it waits."""
    prepare: Seconds = 25.0
    """Below the kubelet's own 30 s, so that the pod's event tells our reason and not a bare time-out."""
    affinity: Seconds = 15.0
    """All pairs of one resource's devices together; asked when devices change, never while a pod waits."""
    release: Seconds = 25.0
    """As `prepare`; nobody waits for it but the next look."""
    close: Seconds = 0.5
    """A host that is asked to stop is gone within a second."""


class CdiSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where Container Device Interface specifications are written, for resources that are delivered so."""

    directory: str = "/var/run/cdi"
    """One of the directories that the container runtime reads, as the runtime sees it."""


class WebSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is served over HTTP: probes, metrics, and a page for people. Nothing there changes anything."""

    listen: str = "auto"
    """``address:port``, with IPv6 in brackets. ``auto`` is ``0.0.0.0:8080`` in a pod, since probes and scrapers use its
    address, and ``127.0.0.1:8080`` elsewhere. Empty: nothing is served."""
    page: bool = True
    """Whether there is a page at ``/`` and its content for programs at ``/status.json``."""
    holders_metric: bool = False
    """Whether a metric tells which container holds how many devices: as many series as there are such containers."""

    def __post_init__(self) -> None:
        self.address(in_pod=False)

    def address(self, *, in_pod: bool) -> tuple[str, int] | None:
        """Return where to listen; None for nowhere."""
        if self.listen == "auto":
            return ("0.0.0.0" if in_pod else "127.0.0.1"), 8080  # noqa: S104 - a pod's address is known to the cluster
        if not self.listen:
            return None
        host, colon, port = self.listen.rpartition(":")
        fits = colon and port.isascii() and port.isdigit() and int(port) <= _LAST_PORT
        if not fits or (":" in host) != host.startswith("["):
            raise ValueError(f"{self.listen!r} is no address to listen on; write it as 0.0.0.0:8080 or [::]:8080")
        return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104 - what ":8080" means everywhere


class LogSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is logged, and how it looks."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Repeats of a state are logged at debug, its change once at info."""
    format: Literal["auto", "console", "json"] = "auto"
    """``auto`` is ``console`` on a terminal and ``json`` elsewhere."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The host's own part of the configuration."""

    backends: str | list[str] | dict[str, str | list[str]] = "*"
    """Which backends run on which node; ``DEVBAY_BACKENDS`` overrides it. See `devbay.selection`."""
    node: NodeSection = NodeSection()
    kubelet: KubeletSection = KubeletSection()
    health: HealthSection = HealthSection()
    deadlines: DeadlineSection = DeadlineSection()
    resources: dict[str, ResourceSection] = {}
    """By resource, or glob over resources, how it is shared, delivered and chosen from. For each setting an exact name
    counts before globs, and an earlier glob before a later one."""
    sharing: SharingSection = SharingSection()
    """Sharing in the words of NVIDIA's device plugin, accepted as it is written for it."""
    cdi: CdiSection = CdiSection()
    web: WebSection = WebSection()
    log: LogSection = LogSection()
    events: bool = False
    """Tell of devices that fail and recover as Kubernetes Events on the Node. Needs a service account that may create
    and patch events in the namespace default; nothing else of devbay needs the API server."""

    def __post_init__(self) -> None:
        for name in self.resources:
            if problem := resources.name_problem(name):
                raise Misplaced(("resources", name), problem)
        twice = offers.Rules(tuple(rule for rule in resources.rules(self.resources) if rule.sharing is not None))
        for rule in timeslicing.rules(self.sharing):
            for other in twice.of(rule.pattern):
                what = "it" if other.pattern == rule.pattern else rule.pattern
                raise Misplaced(
                    ("resources", other.pattern, "sharing"),
                    f"{what} is shared twice: by resources and by sharing.timeSlicing; keep one of them",
                )

    def rules(self) -> offers.Rules:
        """Return what was configured for resources."""
        return offers.Rules((*resources.rules(self.resources), *timeslicing.rules(self.sharing)))


SECTIONS = tuple(f.encode_name for f in msgspec.structs.fields(Settings))
"""The sections that are the host's; every other one is a backend's."""

WHOLE_SECTIONS = tuple(
    f.encode_name
    for f in msgspec.inspect.type_info(Settings).fields  # type: ignore[attr-defined]  # a struct's has them
    if not isinstance(f.type, msgspec.inspect.StructType)
)
"""The sections that are no list of known keys: a variable sets each as a whole, ``DEVBAY_<SECTION>``."""
