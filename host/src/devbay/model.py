"""The frozen values that every floor speaks in.

What a backend returns and what the host hands on: devices, health, container edits, the node. Values only: no I/O, no
behaviour beyond reading themselves, and no word that only one of the kubelet's two device protocols understands.
Constructors do not judge what they are given; `devbay.contract` does, one device at a time, so that a bad value costs
one device and never its neighbours.

A path in a value is always the node's own path, as the kubelet and the container runtime see it (``/dev/widget0``).
Where this process finds that file may be another place (a pod that mounts the host's ``/dev`` elsewhere, a test's
tree): `Node.locate` tells.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import TypeAlias

Attribute: TypeAlias = str | int | bool
"""One typed fact about a device. Memory is in bytes, a PCI address reads ``0000:3b:00.0``."""

_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """Where the host runs.

    Attributes:
        name: the Kubernetes node name, from ``NODE_NAME``, else the machine's host name.
        sys: where this process finds the node's ``/sys``.
        dev: where this process finds the node's ``/dev``.
        proc: where this process finds the node's ``/proc``.
    """

    name: str
    sys: Path = Path("/sys")
    dev: Path = Path("/dev")
    proc: Path = Path("/proc")

    def locate(self, path: str) -> Path:
        """Return where this process finds the file that the node calls `path` (absolute).

        >>> Node(name="n", dev=Path("/host/dev")).locate("/dev/null")
        PosixPath('/host/dev/null')
        """
        pure = PurePosixPath(path)
        for mounted, root in (("/dev", self.dev), ("/sys", self.sys), ("/proc", self.proc)):
            if pure.is_relative_to(mounted):
                return root / pure.relative_to(mounted)
        return Path(path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One thing a backend found: a GPU, a MIG slice, a virtual function, an FPGA port.

    Attributes:
        id: stable over restarts and reboots and unique in its backend; at most 63 printable ASCII characters without
            space, comma or ``::`` (which separates a replica's number).
        resource: the extended resource it is offered as, ``vendor-domain/type``.
        numa_nodes: the NUMA nodes it is close to; empty means unknown. Negative numbers, the kernel's own
            "unknown", are dropped.
        parent: the id of the physical thing it is part of (a MIG slice's GPU, a VF's PF), if it is part of one.
        paths: device nodes whose presence is part of being alive, as the node calls them.
        attributes: typed facts by lower_snake_case name: shown to people and usable in selectors.
    """

    id: str
    resource: str
    numa_nodes: tuple[int, ...] = ()
    parent: str | None = None
    paths: tuple[str, ...] = ()
    attributes: Mapping[str, Attribute] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Health:
    """Healthy, or unhealthy with a reason. Write `HEALTHY` or `unhealthy(reason)`.

    Attributes:
        healthy: whether new containers may be given the device.
        reason: a sentence for a person, naming the cause; empty when healthy.
    """

    healthy: bool
    reason: str = ""

    def __bool__(self) -> bool:
        return self.healthy


HEALTHY = Health(healthy=True)


def unhealthy(reason: str) -> Health:
    """Return the health of a device that must get no new containers, because of `reason`."""
    return Health(healthy=False, reason=reason or "no reason given")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceNode:
    """A device node that a container gets.

    A `host_path` that is not a device node on this machine is given as a mount instead, since a runtime refuses it as
    a device.

    Attributes:
        path: where the container sees it.
        host_path: what it is on the node; `path` when empty.
        permissions: any of ``r``, ``w`` and ``m`` (mknod).
    """

    path: str
    host_path: str = ""
    permissions: str = "rw"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A file or directory of the node that a container gets.

    Attributes:
        container_path: where the container sees it.
        host_path: what it is on the node; `container_path` when empty.
        read_only: whether the container may only read it.
    """

    container_path: str
    host_path: str = ""
    read_only: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """A program that the container runtime runs at a point of a container's life. Deliverable through CDI only.

    Attributes:
        hook_name: an OCI hook: ``createRuntime``, ``createContainer``, ``startContainer``, ``poststart``,
            ``poststop`` (or the deprecated ``prestart``).
        path: the program on the node.
        args: its arguments, the program's name first.
        env: its environment, ``NAME=value`` each.
        timeout: seconds it may take; None means no limit.
    """

    hook_name: str
    path: str
    args: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    timeout: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerEdits:
    """What a container needs in order to use its devices (CDI's word).

    Attributes:
        env: environment variables by name.
        device_nodes: device nodes, in the order the container should get them.
        mounts: files and directories.
        annotations: annotations for the container runtime, by key.
        hooks: OCI hooks.
    """

    env: Mapping[str, str] = field(default_factory=lambda: _NOTHING, hash=False)
    device_nodes: Sequence[DeviceNode] = ()
    mounts: Sequence[Mount] = ()
    annotations: Mapping[str, str] = field(default_factory=lambda: _NOTHING, hash=False)
    hooks: Sequence[Hook] = ()
