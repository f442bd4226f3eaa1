"""What a container ends up with, as its runtime creates it: frozen values in the words of the OCI specification."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from devbay.model import Hook

_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalDevice:
    """A device node in a container.

    Attributes:
        path: where the container sees it.
        host_path: what it is on the node.
        type: ``c`` or ``u`` (character), ``b`` (block) or ``p`` (FIFO); empty where the node has no such file.
        major: its number on the node, and `minor` beside it.
        minor: as `major`.
        permissions: what the container may do with it: any of ``r``, ``w`` and ``m``. Empty: nothing, since no rule
            lets it through.
        file_mode: the file's mode, where it was asked for.
        uid: the file's owner, where it was asked for.
        gid: the file's group, where it was asked for.
    """

    path: str
    host_path: str = ""
    type: str = ""
    major: int = 0
    minor: int = 0
    permissions: str = ""
    file_mode: int | None = None
    uid: int | None = None
    gid: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalMount:
    """A mount in a container.

    Attributes:
        container_path: where the container sees it.
        host_path: what it is on the node.
        type: the file system's type; empty for a bind mount.
        options: as mount(8) takes them.
    """

    container_path: str
    host_path: str = ""
    type: str = ""
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalNetDevice:
    """A network interface that moves from the node into a container, and its name there."""

    host_interface: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalIntelRdt:
    """The share of caches and memory bandwidth that a container gets (resctrl)."""

    clos_id: str = ""
    l3_cache_schema: str = ""
    mem_bw_schema: str = ""
    schemata: tuple[str, ...] = ()
    enable_monitoring: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalContainer:
    """All of it together.

    Attributes:
        env: environment variables.
        devices: device nodes, in order.
        mounts: mounts, in order.
        hooks: programs that run at points of its life, in order.
        additional_gids: groups of its process.
        net_devices: network interfaces.
        intel_rdt: its share of caches, if one was asked for.
        cdi_devices: the CDI devices that were resolved for it, in order.
    """

    env: Mapping[str, str] = field(default_factory=lambda: _NOTHING, hash=False)
    devices: tuple[FinalDevice, ...] = ()
    mounts: tuple[FinalMount, ...] = ()
    hooks: tuple[Hook, ...] = ()
    additional_gids: tuple[int, ...] = ()
    net_devices: tuple[FinalNetDevice, ...] = ()
    intel_rdt: FinalIntelRdt | None = None
    cdi_devices: tuple[str, ...] = ()
