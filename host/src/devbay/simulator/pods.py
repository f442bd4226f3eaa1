"""Pods as a person writes them, and what became of them. Frozen values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeAlias

from devbay.model import DeviceNode, Hook, Mount
from devbay.simulator.final import FinalContainer
from devbay.simulator.health import AllocatedResourceStatus

Phase: TypeAlias = Literal["Pending", "Running", "Failed", "Succeeded"]
State: TypeAlias = Literal["Waiting", "Running", "Terminated"]

_NOTHING: Mapping[str, str] = MappingProxyType({})
_NO_DEVICES: Mapping[str, tuple[str, ...]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One container of a pod.

    Attributes:
        name: unique in its pod.
        limits: how many devices of which resource.
        env: the pod's own environment variables; they win over a plugin's, and a CDI device's over them.
        restartable: for an init container, whether it stays beside the others (a sidecar) instead of ending first.
    """

    name: str
    limits: Mapping[str, int] = field(default_factory=dict, hash=False)
    env: Mapping[str, str] = field(default_factory=lambda: _NOTHING, hash=False)
    restartable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """A pod bound to this node.

    Attributes:
        name: unique among the pods of the simulator; together with the namespace, as in a cluster.
        namespace: as in a cluster.
        containers: the containers, in order.
        init_containers: those that run before them, one after the other.
        uid: made up when empty.
    """

    name: str
    namespace: str = "default"
    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()
    uid: str = ""

    @property
    def all_containers(self) -> tuple[Container, ...]:
        """The init containers, then the containers: the order in which devices are allocated."""
        return self.init_containers + self.containers


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerStatus:
    """What became of a container, and what it was given.

    Attributes:
        name: the container's.
        state: Waiting, Running or Terminated (an init container that ended).
        reason: why it waits, such as ``CreateContainerConfigError``.
        message: the same as a sentence.
        restart_count: how often it was started anew.
        devices: the device ids it holds, by resource, sorted.
        env: its environment as a runtime ends up with it: the plugins', the pod's own over it, CDI's over both.
        device_nodes: device nodes, the plugins' and CDI's, in the words in which plugins give them.
        mounts: mounts, as `device_nodes`.
        annotations: the plugins' annotations; those that the kubelet itself sets have the kubelet's value.
        cdi_names: CDI device names, as the plugins gave them beside their annotations.
        final: everything it ended up with, in a runtime's words; empty until it was created.
        allocated_resources_status: the health of its devices as of the pod's last sync; of app containers only.
    """

    name: str
    state: State = "Waiting"
    reason: str = ""
    message: str = ""
    restart_count: int = 0
    devices: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: _NO_DEVICES, hash=False)
    env: Mapping[str, str] = field(default_factory=lambda: _NOTHING, hash=False)
    device_nodes: tuple[DeviceNode, ...] = ()
    mounts: tuple[Mount, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=lambda: _NOTHING, hash=False)
    cdi_names: tuple[str, ...] = ()
    final: FinalContainer = field(default_factory=FinalContainer)
    allocated_resources_status: tuple[AllocatedResourceStatus, ...] = ()

    @property
    def hooks(self) -> tuple[Hook, ...]:
        """The programs that its runtime runs at points of its life; only CDI brings them."""
        return self.final.hooks


@dataclass(frozen=True, slots=True, kw_only=True)
class PodStatus:
    """What became of a pod.

    Attributes:
        pod: the pod, with its uid.
        phase: Pending until a container runs; Failed where admission rejected it.
        reason: why it failed, such as ``UnexpectedAdmissionError``.
        message: the same as a sentence.
        containers: the containers' statuses, in order.
        init_containers: the init containers' statuses, in order.
    """

    pod: Pod
    phase: Phase = "Pending"
    reason: str = ""
    message: str = ""
    containers: tuple[ContainerStatus, ...] = ()
    init_containers: tuple[ContainerStatus, ...] = ()

    @property
    def name(self) -> str:
        """The pod's name."""
        return self.pod.name

    def container(self, name: str) -> ContainerStatus:
        """Return the status of the container (or init container) called `name`."""
        for status in self.init_containers + self.containers:
            if status.name == name:
                return status
        raise KeyError(f"pod {self.pod.name} has no container {name}")
