"""A CDI file as values: each field that runtimes know, and no other (specs-go/config.go). Reading only, no judgement.

What is missing has Go's zero value, so that it is refused where it is judged, in a runtime's words.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, TypeAlias

import msgspec

from devbay.simulator.cdi import documents

Number: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Unsigned: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]


class Malformed(ValueError):  # noqa: N818 - says what is wrong with what was read
    """A text that is no CDI file: the text of the error says where."""


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """A part of a file. One unknown field fails the whole file (pkg/cdi/spec.go:255-262)."""


class DeviceNode(_Part, frozen=True):
    """A device node as a file asks for it."""

    path: str = ""
    host_path: str = ""
    type: str = ""
    major: Number = 0
    minor: Number = 0
    file_mode: Unsigned | None = None
    permissions: str = ""
    uid: Unsigned | None = None
    gid: Unsigned | None = None


class Mount(_Part, frozen=True):
    """A mount as a file asks for it."""

    host_path: str = ""
    container_path: str = ""
    options: tuple[str, ...] = ()
    type: str = ""


class Hook(_Part, frozen=True):
    """A hook as a file asks for it."""

    hook_name: str = ""
    path: str = ""
    args: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    timeout: Number | None = None


class IntelRdt(_Part, frozen=True):
    """A share of caches as a file asks for it. An empty list of `schemata` is one all the same."""

    clos_id: str = msgspec.field(default="", name="closID")
    l3_cache_schema: str = ""
    mem_bw_schema: str = ""
    schemata: tuple[str, ...] | None = None
    enable_monitoring: bool = False


class LinuxNetDevice(_Part, frozen=True):
    """A network interface as a file asks for it."""

    host_interface_name: str = ""
    name: str = ""


class Edits(_Part, frozen=True):
    """What is changed in a container."""

    env: tuple[str, ...] = ()
    device_nodes: tuple[DeviceNode, ...] = ()
    net_devices: tuple[LinuxNetDevice, ...] = ()
    hooks: tuple[Hook, ...] = ()
    mounts: tuple[Mount, ...] = ()
    intel_rdt: IntelRdt | None = None
    additional_gids: tuple[Unsigned, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing is changed."""
        return self == Edits()


class Device(_Part, frozen=True):
    """A device: a name within the file's kind, and what it changes."""

    name: str = ""
    annotations: Mapping[str, str] = {}
    container_edits: Edits = Edits()


class Specification(_Part, frozen=True):
    """A file."""

    cdi_version: str = ""
    kind: str = ""
    annotations: Mapping[str, str] = {}
    devices: tuple[Device, ...] = ()
    container_edits: Edits = Edits()

    @property
    def all_edits(self) -> tuple[Edits, ...]:
        """The file's own edits and its devices'."""
        return (self.container_edits, *(device.container_edits for device in self.devices))


def parse(text: str) -> Specification:
    """Return the file with this text.

    Raises:
        Malformed: it cannot be read, or holds what no field is for.
    """
    try:
        document = documents.read(text)
        if document is None:
            raise Malformed("no Spec data")
        return msgspec.convert(document, Specification)
    except (documents.Unreadable, msgspec.ValidationError, RecursionError) as error:
        raise Malformed(f"failed to unmarshal CDI Spec: {error}") from error


def together(parts: Iterable[Edits]) -> Edits:
    """Return several edits as one, in order; of Intel RDT's the last (pkg/cdi/container-edits.go, Append)."""
    every = tuple(parts)
    rdt = [edits.intel_rdt for edits in every if edits.intel_rdt is not None]
    return Edits(
        env=tuple(variable for edits in every for variable in edits.env),
        device_nodes=tuple(node for edits in every for node in edits.device_nodes),
        net_devices=tuple(device for edits in every for device in edits.net_devices),
        hooks=tuple(hook for edits in every for hook in edits.hooks),
        mounts=tuple(mount for edits in every for mount in edits.mounts),
        intel_rdt=rdt[-1] if rdt else None,
        additional_gids=tuple(gid for edits in every for gid in edits.additional_gids),
    )
