"""The device manager's checkpoint file: its one line of JSON, and the checksum over Go's view of it.

DM/checkpoint/checkpoint.go:34-93. Text in and values out are pure; `write` and `read` are the file. The checksum is
FNV-1a over what the Go library ``spew`` prints of the data (KL/checkpointmanager/checksum/checksum.go:44-48).
"""

import base64
import contextlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from devbay.simulator.answers import Answer
from devbay.simulator.records import Record, Records

FILE = "kubelet_internal_checkpoint"

_OFFSET = 0x811C9DC5
_PRIME = 0x01000193
_MASK = 0xFFFFFFFF


class CorruptCheckpoint(Exception):  # noqa: N818 - says what the file is
    """The file is not a checkpoint, or its checksum is wrong. The kubelet goes on without it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One record, with its fields in the file's order."""

    pod_uid: str
    container: str
    resource: str
    devices: Mapping[int, Sequence[str]] = field(hash=False)
    answer: bytes


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What the file holds: the records, and the healthy ids of every registered resource."""

    entries: tuple[Entry, ...]
    registered: Mapping[str, Sequence[str]] = field(hash=False)


def of(records: Records, healthy: Mapping[str, set[str]]) -> Checkpoint:
    """Return the checkpoint of this state."""
    entries = tuple(Entry(*key, record.by_node, record.answer.raw) for key, record in records.items())
    return Checkpoint(entries, {resource: tuple(sorted(ids)) for resource, ids in healthy.items()})


def records(checkpoint: Checkpoint, answer: Callable[[bytes], Answer]) -> Records:
    """Return the records that a checkpoint holds; `answer` reads a stored answer."""
    restored = Records()
    for entry in checkpoint.entries:
        devices = {node: tuple(ids) for node, ids in entry.devices.items()}
        restored.insert(entry.pod_uid, entry.container, entry.resource, Record(devices, answer(entry.answer)))
    return restored


def dumps(checkpoint: Checkpoint) -> str:
    """Return the file's text."""
    entries = [
        {
            "PodUID": entry.pod_uid,
            "ContainerName": entry.container,
            "ResourceName": entry.resource,
            "DeviceIDs": {str(node): list(ids) for node, ids in entry.devices.items()},
            "AllocResp": base64.b64encode(entry.answer).decode(),
        }
        for entry in checkpoint.entries
    ]
    data = {
        # A Go slice without elements is nil, and nil is null.
        "PodDeviceEntries": entries or None,
        "RegisteredDevices": {resource: list(ids) for resource, ids in checkpoint.registered.items()},
    }
    return json.dumps({"Data": data, "Checksum": checksum(checkpoint)}, separators=(",", ":"))


def loads(text: str) -> Checkpoint:
    """Return what the file's text holds, its checksum verified."""
    try:
        document: dict[str, Any] = json.loads(text)
        data = document["Data"]
        checkpoint = Checkpoint(
            tuple(
                Entry(
                    entry["PodUID"],
                    entry["ContainerName"],
                    entry["ResourceName"],
                    {int(node): tuple(ids) for node, ids in entry["DeviceIDs"].items()},
                    base64.b64decode(entry["AllocResp"] or ""),
                )
                for entry in data["PodDeviceEntries"] or ()
            ),
            {resource: tuple(ids or ()) for resource, ids in (data["RegisteredDevices"] or {}).items()},
        )
        expected = document["Checksum"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorruptCheckpoint(f"not a checkpoint: {error!r}") from error
    if checksum(checkpoint) != expected:
        raise CorruptCheckpoint("checkpoint is corrupted")
    return checkpoint


def checksum(checkpoint: Checkpoint) -> int:
    """Return the FNV-1a sum (32 bits) of what Go's spew prints of the data."""
    value = _OFFSET
    for byte in _spew(checkpoint).encode():
        value = ((value ^ byte) * _PRIME) & _MASK
    return value


def _spew(checkpoint: Checkpoint) -> str:
    entries = " ".join(
        f"{{PodUID:(string){entry.pod_uid} ContainerName:(string){entry.container} "
        f"ResourceName:(string){entry.resource} "
        f"DeviceIDs:(checkpoint.DevicesPerNUMA){_spew_map(sorted(entry.devices.items()))} "
        f"AllocResp:([]uint8)[{' '.join(map(str, entry.answer))}]}}"
        for entry in checkpoint.entries
    )
    slice_ = f"[{entries}]" if checkpoint.entries else "<nil>"
    registered = sorted(checkpoint.registered.items(), key=lambda item: item[0].encode())
    return (
        f"(checkpoint.checkpointData){{PodDeviceEntries:([]checkpoint.PodDevicesEntry){slice_} "
        f"RegisteredDevices:(map[string][]string){_spew_map(registered)}}}"
    )


def _spew_map(items: Sequence[tuple[object, Sequence[str]]]) -> str:
    pairs = (f"{key}:[{' '.join(ids)}]" for key, ids in items)
    return f"map[{' '.join(pairs)}]"


def write(directory: Path, checkpoint: Checkpoint) -> None:
    """Write the file through a temporary one, as the kubelet does (KL/util/store/filestore.go:103-150)."""
    handle, temporary = tempfile.mkstemp(prefix=".", dir=directory)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(dumps(checkpoint))
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).rename(directory / FILE)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(temporary).unlink()
        raise


def read(directory: Path) -> Checkpoint | None:
    """Return what the file holds, or None where there is none. Raises `CorruptCheckpoint`."""
    try:
        return loads((directory / FILE).read_text(encoding="utf-8", errors="replace"))
    except FileNotFoundError:
        return None
