"""What Multus is told of a device: one file each, by the Device Information Specification, version 1.1.0.

Multus reads a device's file while a pod's network is set up: after the devices were allocated, and before any
container is created. `edit` is too early to write (it is pure, and its answer is remembered), `prepare` too late. So
the files of all devices that are offered are there all the time: whoever is allocated one finds it. They are written
when a scan finds something new, whole or not at all, and only if they would change.

A file outlives its offer while its function is there: a pod may still hold it. It goes when the pod is gone
(`release`), or the function.
"""

import json
import logging
import os
import tempfile
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path

from devbay.api import Device
from devbay_sriov.chardevs import VHOST_NET
from devbay_sriov.offers import nodes_of

log = logging.getLogger(__name__)

_VERSION = "1.1.0"
_SUFFIX = "-device.json"
_MODE = 0o444


def file_name(device: Device) -> str:
    """Return the name under which Multus looks for a device."""
    return f"{device.resource}-{device.id}".replace("/", "-") + _SUFFIX


def document(device: Device) -> bytes:
    """Return a device's file, keys in the order in which the network device plugin writes them."""
    facts = {key: str(value) for key, value in device.attributes.items()}
    common = {
        "pci-address": facts.get("pci_address", ""),
        "pf-pci-address": facts.get("pf", ""),
        "representor-device": facts.get("representor", ""),
    }
    if "vdpa" in facts:
        kind = "vdpa"
        path = next((node for node in nodes_of(device) if node.startswith("/dev/vhost-vdpa")), "")
        told = {"parent-device": facts.get("vdpa_device", ""), "driver": facts["vdpa"], "path": path, **common}
    else:
        kind = "pci"
        told = {
            "pci-address": common.pop("pci-address"),
            "vhost-net": VHOST_NET[0] if "vhost_net" in facts else "",
            "rdma-device": facts.get("rdma_devices", "") if "rdma" in facts else "",
            **common,
        }
    whole = {"type": kind, "version": _VERSION, kind: {key: value for key, value in told.items() if value}}
    return json.dumps(whole, separators=(",", ":")).encode()


class Files:
    """The files of one directory, as this process finds it."""

    def __init__(self) -> None:
        self._ours: dict[str, bytes] = {}
        self._owners: dict[str, str] = {}
        self._trouble = ""

    def has(self, directory: Path, resource: str, device_id: str) -> bool:
        """Return whether there is a file of a device in a resource, from this process or an earlier one."""
        return (directory / file_name(Device(id=device_id, resource=resource))).exists()

    def keep(self, directory: Path, devices: Iterable[Device], present: Iterable[str]) -> None:
        """Have the files of `devices` there, and none of ours whose function is not among `present`."""
        trouble = ""
        try:
            there = set(os.listdir(directory)) if _usable(directory) else None  # noqa: PTH208 - names are wanted
        except OSError as error:
            there, trouble = None, f"{directory} cannot be used: {error.strerror}"
        if there is not None:
            here = set(present)
            for name in [name for name, owner in self._owners.items() if owner not in here]:
                self._remove(directory, name)
            for device in devices:
                trouble = self._write(directory, device, there) or trouble
        if trouble and trouble != self._trouble:
            log.warning("device information: %s", trouble)
        self._trouble = trouble

    def let_go(self, directory: Path, devices: Iterable[Device], offered: Iterable[Device]) -> None:
        """Remove the files of `devices` that a pod held and that are not offered any longer."""
        wanted = {file_name(device) for device in offered}
        for device in devices:
            if (name := file_name(device)) not in wanted:
                self._remove(directory, name)

    def _write(self, directory: Path, device: Device, there: Collection[str]) -> str:
        """Have one device's file there, and return what was in the way."""
        name, content = file_name(device), document(device)
        try:
            known = self._ours.get(name) if name in there else None
            if known is None and name in there:
                known = (directory / name).read_bytes()  # of an earlier process
            if known != content:
                _replace(directory / name, content)
        except OSError as error:
            return f"{directory / name} cannot be written: {error.strerror}"
        self._ours[name] = content
        self._owners[name] = device.id
        return ""

    def _remove(self, directory: Path, name: str) -> None:
        self._ours.pop(name, None)
        self._owners.pop(name, None)
        with suppress(OSError):  # gone already, or not ours to remove
            (directory / name).unlink()


def _usable(directory: Path) -> bool:
    """Return whether to write at all: Multus, or whoever mounts the directory for us, has made a place for it."""
    if not directory.is_dir() and directory.parent.parent.is_dir():
        directory.mkdir(parents=True, exist_ok=True)
    return directory.is_dir()


def _replace(path: Path, content: bytes) -> None:
    handle, temporary = tempfile.mkstemp(prefix=".devbay-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).chmod(_MODE)
        Path(temporary).replace(path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
