"""The container runtime beside the kubelet, as far as devices go: what it makes of what the kubelet hands it.

It plays containerd 2 (internal/cri/server/container_create.go). It looks CDI files up anew for every container, as
containerd does, so that a file written later heals a container that could not be created. A device node of a plugin's
own is taken as it is said: containerd would refuse one that is no device.
"""

import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from devbay.model import DeviceNode, Mount, Node
from devbay.simulator.answers import Answer
from devbay.simulator.cdi import Inapplicable, InvalidName, Registry, Unresolvable, requested
from devbay.simulator.final import FinalContainer, FinalDevice, FinalMount


class CreationFailed(Exception):  # noqa: N818 - says what happened to a container
    """The runtime could not create a container. The text is the runtime's; the kubelet shows it, and tries again.

    `refused` has the CDI files in which devices that were not found may be, each with the reason.
    """

    def __init__(self, message: str, refused: Iterable[tuple[Path, str]] = ()) -> None:
        super().__init__(message)
        self.refused = tuple(refused)


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """A runtime.

    Attributes:
        cdi_dirs: where it looks for CDI files; a later directory has the higher priority. There are none by default,
            so that no file of this machine's finds its way into a simulation.
        cdi_enabled: whether it supports CDI; one that does not refuses names, and overlooks annotations.
        node: the node whose device files it gives to containers; only where they are found counts.
    """

    cdi_dirs: tuple[Path, ...] = ()
    cdi_enabled: bool = True
    node: Node = field(default_factory=lambda: Node(name="node"))

    def create(self, given: Answer, env: Mapping[str, str]) -> FinalContainer:
        """Return what a container ends up with: `given` is from plugins, and `env` all of the kubelet's variables.

        CDI's edits come last: its variables win over the pod's (container_create.go:266,371-385,590).

        Raises:
            CreationFailed: it cannot be created.
        """
        container = FinalContainer(
            env=env,
            devices=tuple(self._device(node) for node in given.device_nodes),
            mounts=tuple(_mount(mount) for mount in given.mounts),
        )
        if not self.cdi_enabled:
            return _without_cdi(given, container)
        try:
            names = requested(given.cdi_names, given.annotations)
        except InvalidName as error:
            raise CreationFailed(
                f"failed to create containerd container: failed to parse CDI device annotations: {error}"
            ) from error
        return self._inject(names, container) if names else container

    def _inject(self, names: tuple[str, ...], container: FinalContainer) -> FinalContainer:
        failed = "failed to create containerd container: CDI device injection failed"
        registry = Registry(self.cdi_dirs)
        try:
            return registry.resolve(names, container, self.node.locate)
        except Unresolvable as error:
            refused = ((path, why) for path, reasons in registry.errors.items() for why in reasons)
            raise CreationFailed(f"{failed}: {error}", refused) from error
        except Inapplicable as error:
            raise CreationFailed(f"{failed}: failed to inject devices: {error}") from error

    def _device(self, node: DeviceNode) -> FinalDevice:
        """Return a plugin's device node, with the type and numbers that its file has, links followed."""
        host_path = node.host_path or node.path
        try:
            found = self.node.locate(host_path).stat()
        except (OSError, ValueError):
            return FinalDevice(path=node.path, host_path=host_path, permissions=node.permissions)
        kind = "c" if stat.S_ISCHR(found.st_mode) else "b" if stat.S_ISBLK(found.st_mode) else ""
        return FinalDevice(
            path=node.path,
            host_path=host_path,
            type=kind,
            major=os.major(found.st_rdev) if kind else 0,
            minor=os.minor(found.st_rdev) if kind else 0,
            permissions=node.permissions,
        )


def _without_cdi(given: Answer, container: FinalContainer) -> FinalContainer:
    """Return the container if no name is asked for (container_create_linux.go:104-112)."""
    if given.cdi_names:
        raise CreationFailed(
            f"failed to get container spec opts: CDI devices ({', '.join(given.cdi_names)}) requested but CDI support "
            "is explicitly disabled"
        )
    return container


def _mount(mount: Mount) -> FinalMount:
    """Return a plugin's mount as containerd makes one (internal/cri/opts/spec_opts.go, WithMounts)."""
    options = ("rbind", "rprivate", "ro" if mount.read_only else "rw")
    return FinalMount(container_path=mount.container_path, host_path=mount.host_path, type="bind", options=options)


def device_nodes(container: FinalContainer) -> tuple[DeviceNode, ...]:
    """Return the device nodes in the words in which plugins give them."""
    return tuple(
        DeviceNode(path=device.path, host_path=device.host_path, permissions=device.permissions)
        for device in container.devices
    )


def mounts(container: FinalContainer) -> tuple[Mount, ...]:
    """Return the mounts in the words in which plugins give them."""
    return tuple(
        Mount(container_path=mount.container_path, host_path=mount.host_path, read_only="ro" in mount.options)
        for mount in container.mounts
    )
