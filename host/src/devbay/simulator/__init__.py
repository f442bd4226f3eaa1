"""A kubelet for people without a cluster: its device manager, on a real directory with real sockets.

Written from the kubelet's behaviour and sharing no logic with the host, so that a mistake in one is caught by the
other. It imports of devbay only `devbay.model`, `devbay.errors` and the generated protocol. Everything lives on one
event loop; nothing here starts a thread of its own.

Comments cite the Kubernetes sources (release 1.36 unless they say otherwise) as ``DM/manager.go:230``, where ``DM`` is
``pkg/kubelet/cm/devicemanager``, ``DMP`` is ``DM/plugin/v1beta1``, ``KL`` is ``pkg/kubelet`` and ``TM`` is
``pkg/kubelet/cm/topologymanager`` and ``PR`` is ``pkg/kubelet/apis/podresources``. A citation such as ``behaviour 13``
is the number under which the tests hold it.

What it covers: registration and the connections' life, device lists, capacity, the checkpoint, admission with the
topology manager, allocation, restarts, the health in pods' statuses, the pod-resources API (v1 and v1alpha1), metrics;
of the container runtime beside it, what it makes of devices and of CDI names (`devbay.simulator.cdi`, whose tests go by
``CDI behaviour 1`` and on).
Not: plugins found by a watched directory (behaviours 20 and 21) and Dynamic Resource Allocation; the CPU and memory
managers, which behave as if their policies were none; options of the topology manager's policies.

    async with Kubelet(Path("/tmp/plugins")) as kubelet:
        await kubelet.wait_until(lambda: kubelet.allocatable.get("example.com/widget", 0) > 0, what="a widget")
        container = Container(name="c", limits={"example.com/widget": 1})
        status = await kubelet.create_pod(Pod(name="p", containers=(container,)))
"""

from devbay.simulator.events import (
    Allocated,
    AllocationFailed,
    CdiFileRefused,
    Conflict,
    ContainerFailed,
    ContainerStarted,
    DevicesReceived,
    Event,
    Finding,
    Freed,
    KubeletStarted,
    KubeletStopped,
    PodAdmitted,
    PodDeleted,
    PodEvent,
    PodRejected,
    PodUpdated,
    PreferredAllocation,
    PreStart,
    Registered,
    RegistrationRefused,
    ResourceExpired,
    StreamEnded,
    StreamOpened,
    TopologyDecided,
)
from devbay.simulator.final import FinalContainer, FinalDevice, FinalIntelRdt, FinalMount, FinalNetDevice
from devbay.simulator.health import AllocatedResourceStatus, ResourceHealth
from devbay.simulator.kubelet import Kubelet
from devbay.simulator.pods import Container, ContainerStatus, Pod, PodStatus
from devbay.simulator.status import DeviceStatus, ResourceStatus
from devbay.simulator.versions import Behaviour, Timing

__all__ = [
    "Allocated",
    "AllocatedResourceStatus",
    "AllocationFailed",
    "Behaviour",
    "CdiFileRefused",
    "Conflict",
    "Container",
    "ContainerFailed",
    "ContainerStarted",
    "ContainerStatus",
    "DeviceStatus",
    "DevicesReceived",
    "Event",
    "FinalContainer",
    "FinalDevice",
    "FinalIntelRdt",
    "FinalMount",
    "FinalNetDevice",
    "Finding",
    "Freed",
    "Kubelet",
    "KubeletStarted",
    "KubeletStopped",
    "Pod",
    "PodAdmitted",
    "PodDeleted",
    "PodEvent",
    "PodRejected",
    "PodStatus",
    "PodUpdated",
    "PreStart",
    "PreferredAllocation",
    "Registered",
    "RegistrationRefused",
    "ResourceExpired",
    "ResourceHealth",
    "ResourceStatus",
    "StreamEnded",
    "StreamOpened",
    "Timing",
    "TopologyDecided",
]
