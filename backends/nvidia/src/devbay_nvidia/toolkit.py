"""Devices by the names that NVIDIA's own toolkit gave them, in the CDI specifications that it wrote. Reads only.

A runtime finds such a name in an annotation of the container. Only what a specification really has is named: a name
that the runtime does not know keeps a container from starting.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

VENDOR = "nvidia.com"
_SUFFIXES = (".json", ".yaml", ".yml")


def names(directories: Iterable[str]) -> frozenset[str]:
    """Return the qualified names of NVIDIA's devices in the specifications of some directories."""
    return frozenset(name for directory in directories for path in _files(Path(directory)) for name in _names(path))


def asked(ids: Sequence[str], imex_channels: Sequence[int], flags: Iterable[str]) -> tuple[str, ...]:
    """Return the names of what a container is to get, in the order of NVIDIA's plugin.

    >>> asked(["gpu0"], [0], ["gds"])
    ('nvidia.com/gpu=gpu0', 'nvidia.com/imex-channel=0', 'nvidia.com/gds=all')
    """
    gpus = [f"{VENDOR}/gpu={id_}" for id_ in ids]
    channels = [f"{VENDOR}/imex-channel={channel}" for channel in imex_channels]
    return (*gpus, *channels, *(f"{VENDOR}/{flag}=all" for flag in flags))


def annotations(prefix: str, resource: str, qualified: Sequence[str]) -> dict[str, str]:
    """Return the annotation that gives a container these devices; none, where there are none.

    The key differs for each resource of a container, and is the same for the same request.
    """
    if not qualified:
        return {}
    mark = hashlib.sha256(f"{resource} {qualified}".encode()).hexdigest()[:16]
    return {f"{prefix}nvidia-device-plugin_{mark}": ",".join(qualified)}


def _files(directory: Path) -> list[Path]:
    try:
        return sorted(path for path in directory.iterdir() if path.suffix in _SUFFIXES)
    except OSError:
        return []


def _names(path: Path) -> Iterator[str]:
    try:
        text = path.read_bytes()
        document: Any = msgspec.json.decode(text) if path.suffix == ".json" else msgspec.yaml.decode(text)
    except (OSError, msgspec.MsgspecError, ImportError):
        return  # somebody else's file: the runtime complains about it, and others are as good as before
    if not isinstance(document, dict) or not str(document.get("kind")).startswith(f"{VENDOR}/"):
        return
    for device in document.get("devices") or ():
        if isinstance(device, dict) and isinstance(device.get("name"), str):
            yield f"{document['kind']}={device['name']}"
