"""The driver's files below its root that a container needs: libraries, programs, firmware, sockets. Reads only.

Libraries are those of the driver's version, in the directories where the linker of the driver's root finds the first
of them. Each is mounted under the names that links beside it give it, so that a program finds ``libcuda.so.1`` without
a hook. (NVIDIA's toolkit: ``pkg/nvcdi/driver-nvml.go``, ``internal/lookup``.)
"""

import struct
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from devbay.api import Mount
from devbay_nvidia.nvml import PLACES

PROGRAMS = (
    "nvidia-smi",
    "nvidia-debugdump",
    "nvidia-persistenced",
    "nvidia-cuda-mps-control",
    "nvidia-cuda-mps-server",
    "nvidia-imex",
    "nvidia-imex-ctl",
)
SOCKETS = ("run/nvidia-persistenced/socket", "run/nvidia-fabricmanager/socket")

_BEGIN = b"glibc-ld.so.cache1.1"
_HEADER = 48
_ENTRY = struct.Struct("<iIIIQ")  # flags, name, path, version, capabilities of the processor
_ROUNDS = 8


def find(root: Path, host_root: str, version: str) -> Iterator[Mount]:
    """Yield the driver's files as mounts, sorted, each place once.

    Args:
        root: where this process finds the driver's root.
        host_root: what the node calls it.
        version: the driver's.
    """
    mounts = dict((*_libraries(root, version), *_others(root, version)))
    for container_path, path in sorted(mounts.items()):
        inside = path.relative_to(root)
        yield Mount(container_path=container_path, host_path=str(PurePosixPath(host_root) / inside), read_only=True)


def linked(cache: bytes) -> Iterator[tuple[str, str]]:
    """Yield the names and paths in a linker's cache, ``ld.so.cache``; nothing of what is none.

    Old caches have the new form behind the old one, whose offsets then count from where it begins.
    """
    start = cache.find(_BEGIN)
    if start < 0 or len(cache) < start + _HEADER:
        return
    body = cache[start:]
    (count,) = struct.unpack_from("<I", body, len(_BEGIN))
    end = _HEADER + count * _ENTRY.size
    for _flags, name, path, _version, _capabilities in _ENTRY.iter_unpack(
        body[_HEADER:end] if end <= len(body) else b""
    ):
        yield _string(body, name), _string(body, path)


def _libraries(root: Path, version: str) -> Iterator[tuple[str, Path]]:
    """Yield each library with the path that a container sees it at."""
    if not version:
        return
    for folder in _folders(root, version):
        for path in sorted((*folder.glob(f"lib*.so.{version}"), *folder.glob(f"vdpau/lib*.so.{version}"))):
            yield from _with_links(root, path)
        for path in sorted(folder.glob("libnvidia-nvvm70.so.*")):
            yield from _with_links(root, path)


def _folders(root: Path, version: str) -> list[Path]:
    name = f"libcuda.so.{version}"
    try:
        cache = (root / "etc/ld.so.cache").read_bytes()
    except OSError:
        cache = b""
    paths = [inside(root, path) for soname, path in linked(cache) if soname.startswith("libcuda.so")]
    found = [path.parent for path in paths if path is not None and (path.parent / name).exists()]
    found += [root / place for place in PLACES if (root / place / name).exists()]
    unique: dict[Path, Path] = {}
    for folder in found:
        unique.setdefault(folder.resolve(), folder)
    return list(unique.values())


def inside(root: Path, path: str) -> Path | None:
    """Return where a path of the driver's root leads, links followed as if `root` were ``/``; None where to nothing."""
    place = PurePosixPath(path)
    for _ in range(_ROUNDS):
        here = root / str(place).lstrip("/")
        if not here.is_symlink():
            return here if here.exists() else None
        target = PurePosixPath(here.readlink())
        place = target if target.is_absolute() else place.parent / target
    return None


def _with_links(root: Path, path: Path) -> Iterator[tuple[str, Path]]:
    yield f"/{path.relative_to(root)}", path
    stem = path.name.partition(".so.")[0]
    for link in sorted(path.parent.glob(f"{stem}.so*")):
        if link.is_symlink() and link.resolve().name == path.resolve().name:
            yield f"/{link.relative_to(root)}", path


def _others(root: Path, version: str) -> Iterator[tuple[str, Path]]:
    for program in PROGRAMS:
        for folder in ("usr/bin", "bin", "opt/bin"):
            if (root / folder / program).is_file():
                yield f"/usr/bin/{program}", root / folder / program
                break
    for firmware in sorted((root / "lib/firmware/nvidia" / version).glob("gsp*.bin")) if version else ():
        yield f"/{firmware.relative_to(root)}", firmware
    for socket in SOCKETS:
        if (root / socket).exists():
            yield f"/{socket}", root / socket


def _string(body: bytes, offset: int) -> str:
    end = body.find(b"\0", offset)
    return body[offset : end if end >= 0 else offset].decode(errors="replace")
