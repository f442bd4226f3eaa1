"""The driver's files below its root."""

import struct
from pathlib import Path

import pytest

from devbay_nvidia.driverfiles import find, inside, linked

VERSION = "550.54.15"


def cache(entries: dict[str, str], *, old: bool = False) -> bytes:
    """Return a linker's cache as glibc writes it."""
    texts = b""
    begin = 48 + 24 * len(entries)
    table = b""
    for name, path in entries.items():
        places = []
        for text in (name, path):
            places.append(begin + len(texts))
            texts += text.encode() + b"\0"
        table += struct.pack("<iIIIQ", 0x0303, *places, 0, 0)
    new = b"glibc-ld.so.cache1.1" + struct.pack("<II", len(entries), len(texts)) + bytes(20) + table + texts
    return (b"ld.so-1.7.0\0" + bytes(36) if old else b"") + new


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a driver's root with files in one odd directory, which only the linker's cache tells of."""
    libraries = tmp_path / "opt/driver/lib"
    libraries.mkdir(parents=True)
    for name in ("libcuda", "libnvidia-ml", "libnvidia-ptxjitcompiler"):
        (libraries / f"{name}.so.{VERSION}").touch()
    (libraries / "libcuda.so.1").symlink_to(f"libcuda.so.{VERSION}")
    (libraries / "libcuda.so").symlink_to("libcuda.so.1")
    (libraries / "libnvidia-ml.so.1").symlink_to(f"libnvidia-ml.so.{VERSION}")
    (libraries / "libcuda.so.470.1").touch()
    (libraries / "libother.so.1").touch()
    for file in (
        "usr/bin/nvidia-smi",
        f"lib/firmware/nvidia/{VERSION}/gsp_tu10x.bin",
        "run/nvidia-persistenced/socket",
    ):
        (tmp_path / file).parent.mkdir(parents=True)
        (tmp_path / file).touch()
    (tmp_path / "etc").mkdir()
    content = {"libcuda.so.1": "/opt/driver/lib/libcuda.so.1", "libc.so.6": "/lib/libc.so.6"}
    (tmp_path / "etc/ld.so.cache").write_bytes(cache(content))
    return tmp_path


def test_files_of_a_driver(root: Path) -> None:
    """Libraries of the version under all their names, programs, firmware and sockets; nothing of another version."""
    lib = "/opt/driver/lib"

    given = {mount.container_path: mount.host_path for mount in find(root, "/run/nvidia/driver", VERSION)}

    assert given == {
        container: f"/run/nvidia/driver{host}"
        for container, host in {
            f"/lib/firmware/nvidia/{VERSION}/gsp_tu10x.bin": f"/lib/firmware/nvidia/{VERSION}/gsp_tu10x.bin",
            f"{lib}/libcuda.so": f"{lib}/libcuda.so.{VERSION}",
            f"{lib}/libcuda.so.1": f"{lib}/libcuda.so.{VERSION}",
            f"{lib}/libcuda.so.{VERSION}": f"{lib}/libcuda.so.{VERSION}",
            f"{lib}/libnvidia-ml.so.1": f"{lib}/libnvidia-ml.so.{VERSION}",
            f"{lib}/libnvidia-ml.so.{VERSION}": f"{lib}/libnvidia-ml.so.{VERSION}",
            f"{lib}/libnvidia-ptxjitcompiler.so.{VERSION}": f"{lib}/libnvidia-ptxjitcompiler.so.{VERSION}",
            "/run/nvidia-persistenced/socket": "/run/nvidia-persistenced/socket",
            "/usr/bin/nvidia-smi": "/usr/bin/nvidia-smi",
        }.items()
    }


@pytest.mark.parametrize("content", [b"", b"nonsense", b"glibc-ld.so.cache1.1", cache({"a": "/b"})[:60]])
def test_without_a_cache(root: Path, content: bytes) -> None:
    """Where the cache is missing or broken, the usual directories are looked into."""
    (root / "etc/ld.so.cache").write_bytes(content)
    (root / "usr/lib64").symlink_to("../opt/driver/lib")

    assert f"/usr/lib64/libcuda.so.{VERSION}" in {mount.container_path for mount in find(root, "/", VERSION)}


def test_nothing_there(tmp_path: Path) -> None:
    """A root without a driver gives nothing, and so does a driver that does not say its version."""
    assert list(find(tmp_path, "/", VERSION)) == []
    assert list(find(tmp_path, "/", "")) == []


@pytest.mark.parametrize("old", [False, True])
def test_caches(old: bool) -> None:  # noqa: FBT001 - a form of the cache
    """Both forms of a cache are read, the old one with the new one behind it."""
    entries = {"libcuda.so.1": "/usr/lib/libcuda.so.1", "libc.so.6": "/lib/libc.so.6"}

    assert dict(linked(cache(entries, old=old))) == entries


def test_links_stay_inside(tmp_path: Path) -> None:
    """A link of the driver's root means a file of that root, not one of the machine's; a circle leads nowhere."""
    (tmp_path / "real").touch()
    (tmp_path / "absolute").symlink_to("/real")
    (tmp_path / "outside").symlink_to("/etc/passwd")
    (tmp_path / "circle").symlink_to("circle")

    assert inside(tmp_path, "/absolute") == tmp_path / "real"
    assert [inside(tmp_path, path) for path in ("/outside", "/circle", "/none")] == [None, None, None]


def test_this_machines_cache() -> None:
    """The real cache of a machine with glibc has its C library."""
    path = Path("/etc/ld.so.cache")
    if not path.exists():
        pytest.skip("this machine has no linker's cache")

    assert any(name.startswith("libc.so") and Path(found).exists() for name, found in linked(path.read_bytes()))
