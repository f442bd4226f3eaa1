"""What a person asks a simulated kubelet about: the node as its status says it, a pod as it came to be. Pure values.

Built from what every user of a `Kubelet` sees, and made to travel: the control socket sends them as JSON.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from devbay.model import Hook
from devbay.simulator import admission
from devbay.simulator.events import (
    AllocationFailed,
    CdiFileRefused,
    Conflict,
    ContainerFailed,
    Event,
    PodDeleted,
    PodEvent,
    PodRejected,
    PreStart,
)
from devbay.simulator.final import FinalDevice, FinalIntelRdt, FinalMount
from devbay.simulator.kubelet import Kubelet
from devbay.simulator.pods import ContainerStatus, PodStatus
from devbay.simulator.status import DeviceStatus, ResourceStatus

_WARNINGS = (PodRejected, ContainerFailed, AllocationFailed, CdiFileRefused, Conflict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """Something that happened to a pod.

    Attributes:
        seconds_ago: how long ago.
        type: Normal or Warning.
        reason: a word: the kubelet's reason for a failure, else what kind of event it was.
        message: the same as a sentence.
    """

    seconds_ago: float
    type: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PodReport:
    """A pod and what happened to it.

    Attributes:
        status: what became of it.
        node: the node it is on.
        events: what happened to it, in order.
    """

    status: PodStatus
    node: str
    events: tuple[Happened, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceReport:
    """A resource that the kubelet's process knows, with its devices."""

    status: ResourceStatus
    devices: tuple[DeviceStatus, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeReport:
    """The node.

    Attributes:
        name: its name.
        version: the Kubernetes release it behaves like.
        directory: where device plugins register.
        capacity: devices by resource, whatever their health.
        allocatable: healthy devices by resource; those in use are not subtracted.
        requested: what the pods on the node ask for, by resource.
        pods: how many pods count.
        resources: the resources that the process knows, with their devices.
    """

    name: str
    version: str
    directory: str
    capacity: Mapping[str, int] = field(default_factory=dict, hash=False)
    allocatable: Mapping[str, int] = field(default_factory=dict, hash=False)
    requested: Mapping[str, int] = field(default_factory=dict, hash=False)
    pods: int = 0
    resources: tuple[ResourceReport, ...] = ()


def node(kubelet: Kubelet) -> NodeReport:
    """Return what the node's status says now; like every such look, this is a node-status update."""
    capacity, allocatable = kubelet.capacity, kubelet.allocatable
    active = [status for status in kubelet.pods.values() if status.phase in ("Pending", "Running")]
    requests = [admission.request(status.pod) for status in active]
    requested = {resource: sum(request.get(resource, 0) for request in requests) for resource in sorted(capacity)}
    return NodeReport(
        name=kubelet.node_name,
        version=kubelet.version,
        directory=str(kubelet.directory),
        capacity=dict(sorted(capacity.items())),
        allocatable=dict(sorted(allocatable.items())),
        requested=requested,
        pods=len(active),
        resources=tuple(
            ResourceReport(status=status, devices=tuple(kubelet.devices(name).values()))
            for name, status in kubelet.resources.items()
        ),
    )


def pod(kubelet: Kubelet, status: PodStatus) -> PodReport:
    """Return a pod's status with its events."""
    now = kubelet.clock()
    return PodReport(
        status=status, node=kubelet.node_name, events=tuple(_happened(event, now) for event in _of(kubelet, status))
    )


def delivered(status: ContainerStatus) -> dict[str, list[str]]:
    """Return what a container ended up with beside its environment, in lines, by title.

    Devices and mounts are always among the titles, the rest only where there is something.
    """
    final = status.final
    shown = {
        "Devices": [_device(device) for device in final.devices],
        "Mounts": [_mount(mount) for mount in final.mounts],
    }
    more = {
        "Hooks": [_hook(hook) for hook in final.hooks],
        "Additional Groups": [str(gid) for gid in final.additional_gids],
        "Net Devices": [f"{device.name} from {device.host_interface}" for device in final.net_devices],
        "Intel RDT": [] if final.intel_rdt is None else [_share(final.intel_rdt)],
        "CDI": list(final.cdi_devices),
    }
    return shown | {title: lines for title, lines in more.items() if lines}


def _device(device: FinalDevice) -> str:
    told = [f"{device.type} {device.major}:{device.minor}"] if device.type else []
    told.append(device.permissions or "no access")
    told += [] if device.file_mode is None else [f"mode {device.file_mode:04o}"]
    told += [f"{what} {value}" for what, value in (("uid", device.uid), ("gid", device.gid)) if value is not None]
    return f"{device.path} from {device.host_path} ({', '.join(told)})"


def _mount(mount: FinalMount) -> str:
    told = ["ro" if "ro" in mount.options else "rw"]
    told += [option for option in mount.options if option not in ("ro", "rw", "bind", "rbind", "rprivate")]
    told += [mount.type] if mount.type not in ("", "bind") else []
    return f"{mount.container_path} from {mount.host_path} ({', '.join(told)})"


def _hook(hook: Hook) -> str:
    told = [hook.hook_name, hook.path, *([f"args {list(hook.args)}"] if hook.args else [])]
    told += [f"env {list(hook.env)}"] if hook.env else []
    return ", ".join(told + ([] if hook.timeout is None else [f"timeout {hook.timeout} s"]))


def _share(share: FinalIntelRdt) -> str:
    told = {
        "closID": share.clos_id,
        "l3CacheSchema": share.l3_cache_schema,
        "memBwSchema": share.mem_bw_schema,
        "schemata": "; ".join(share.schemata),
        "enableMonitoring": "true" if share.enable_monitoring else "",
    }
    return ", ".join(f"{name} {value}" for name, value in told.items() if value) or "the default"


def _of(kubelet: Kubelet, status: PodStatus) -> list[Event]:
    """Return the events of a pod, and none of an earlier pod of the same name."""
    events: list[Event] = []
    for event in kubelet.events:
        if not isinstance(event, PodEvent) or (event.namespace, event.pod) != (status.pod.namespace, status.name):
            continue
        events.append(event)
        if isinstance(event, PodDeleted):
            events.clear()
    return events


def _happened(event: Event, now: float) -> Happened:
    reason = event.reason if isinstance(event, PodRejected | ContainerFailed) else type(event).__name__
    failed = isinstance(event, _WARNINGS) or (isinstance(event, PreStart) and event.reason != "")
    return Happened(
        seconds_ago=max(now - event.at, 0.0),
        type="Warning" if failed else "Normal",
        reason=reason,
        message=str(event),
    )
