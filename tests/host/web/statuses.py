"""A status with something of everything, and how to make others."""

from collections.abc import Sequence

from devbay.chronicle import Entry
from devbay.holders import Container, Holders, Replica
from devbay.inventory import DeviceStatus
from devbay.model import HEALTHY, Attribute, Device, Health, unhealthy
from devbay.offers import Offer, Share
from devbay.session import State
from devbay.sharing import replica_ids
from devbay.status import BackendStatus, ConfigurationStatus, ResourceStatus, Status
from devbay.tally import CallTally, ResourceTally

GPU = "example.com/gpu"
NIC = "example.com/nic"
NOW = 1_790_000_000.0
HOLDER = Container("training", "finetune-0", "trainer")
MARKUP = "<script>document.title = 'owned'</script>"


def share(
    name: str,
    health: Health = HEALTHY,
    *,
    resource: str = GPU,
    replicas: int | None = None,
    attributes: dict[str, Attribute] | None = None,
) -> Share:
    """Return one device of an offer."""
    device = Device(
        id=name,
        resource=resource,
        numa_nodes=(1,),
        parent="0000:3b:00.0",
        attributes={"product": "Widget 9", "memory": 80 * 2**30} if attributes is None else attributes,
    )
    status = DeviceStatus(device=device, backend="mock", health=health)
    return Share(status, replica_ids(name, replicas))


def resource(name: str, shares: Sequence[Share], state: State = State.STREAMING, reason: str = "") -> ResourceStatus:
    """Return one resource, of which each count is another."""
    tally = ResourceTally()
    tally.allocations.add(0.0004)
    tally.allocations.add(3.0)
    tally.containers, tally.preferred, tally.registrations, tally.refusals, tally.restarts = 3, 4, 5, 6, 7
    tally.failures["UnhealthyDevice"] = 8
    return ResourceStatus(
        offer=Offer(resource=name, source=name, shares=tuple(shares)),
        state=state,
        reason=reason,
        streams=1,
        socket="devbay-7a66b76a-00000000.sock",
        counts=tally.read(),
    )


def backend(name: str, state: str = "ready", reason: str = "", stuck: tuple[str, ...] = ()) -> BackendStatus:
    """Return one backend, which was called and failed once."""
    calls = CallTally()
    calls.took("discover", 0.012)
    calls.took("check", 0.004)
    calls.failed("check")
    return BackendStatus(
        name=name,
        distribution=f"devbay-{name}",
        version="0.1.0",
        state=state,
        reason=reason,
        looked_at=NOW - 3,
        stuck=stuck,
        abandoned=len(stuck),
        calls=calls.read(),
    )


def full() -> Status:
    """Return a status in which every metric has a series and the page every part."""
    gpus = [
        share("gpu-0", replicas=4),
        share("gpu-1", unhealthy(f"fell off the bus {MARKUP}"), replicas=4),
        share("gpu-2", attributes={"name": MARKUP, MARKUP: True}),
    ]
    return Status(
        at=NOW,
        node="node-a",
        version="0.1.0",
        started_at=NOW - 90_000,
        loading=("slow",),
        configuration=ConfigurationStatus(good=False, problem="config.yaml: unknown key", loaded_at=NOW - 50),
        backends=(backend("hanging", "hung", "discover did not answer within 30 s", ("discover",)), backend("mock")),
        resources=(
            resource(GPU, gpus),
            resource(NIC, [share("nic-0", resource=NIC)], State.WAITING, "the kubelet does not answer"),
        ),
        holders=Holders(containers={HOLDER: frozenset({Replica(GPU, "gpu-0::1"), Replica(GPU, "gpu-0::3")})}),
        rivals=1,
        cdi_failures=2,
        lines_dropped=3,
        loop_lag=0.004,
        events=(
            Entry(at=NOW - 2, level="warning", text="device unhealthy", device="gpu-1", details={"reason": MARKUP}),
            Entry(at=NOW - 80_000, level="info", text="devbay starts"),
        ),
    )


def quiet() -> Status:
    """Return a status in which all is well."""
    return Status(
        at=NOW,
        node="node-a",
        version="0.1.0",
        started_at=NOW - 60,
        backends=(backend("mock"),),
        resources=(resource(GPU, [share("gpu-0")]),),
        holders=Holders(),
    )
