"""Containers made by podman and runc from a specification: the real consumers, where the machine can run them.

The root file system is a static busybox and nothing else; no image is needed, and nothing outside a directory of the
test's is written. podman before version 5 reads specifications from ``/etc/cdi`` and ``/var/run/cdi`` alone, so it runs
in a mount namespace in which the test's directory is there.
"""

import functools
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.host.running import PATIENCE, short_directory

_LIMITS = ("nofile=1024:1024", "nproc=1024:1024")  # podman's own are above what a container without privileges may set
_COMMAND = """
mount -t tmpfs none /run && mkdir /run/cdi && mount --bind "$CDI" /run/cdi && exec "$@"
"""


def run(place: Path, cdi: Path, devices: Sequence[str], script: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script in a container that is given these devices.

    Args:
        place: an empty directory, for podman's own files.
        cdi: the directory of specifications.
        devices: full names.
        script: what to run in the container.
    """
    root = place / "root"
    for folder in ("bin", "proc", "sys", "dev", "tmp", "etc", "run"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    shutil.copy(shutil.which("busybox") or "/bin/busybox", root / "bin/busybox")
    podman: list[str | Path] = [
        *("podman", "--root", place / "storage", "--runroot", place / "state", "--tmpdir", place / "tmp"),
        *("--storage-driver", "vfs", "--runtime", "runc", "--cgroup-manager", "cgroupfs", "--events-backend", "none"),
        *("run", "--rm", "--network", "none", "--log-driver", "none"),
        *(f"--ulimit={limit}" for limit in _LIMITS),
        *(f"--device={device}" for device in devices),
        *("--rootfs", root, "/bin/busybox", "sh", "-c", script),
    ]
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", _COMMAND, "sh", *podman],
        env=os.environ | {"CDI": os.fspath(cdi), "XDG_RUNTIME_DIR": os.fspath(place)},
        capture_output=True,
        text=True,
        timeout=PATIENCE * 3,
        check=False,
    )


@functools.cache
def obstacle() -> str:
    """Return why no container can be run here; empty if one can."""
    if os.geteuid() != 0:
        return "only root can run containers that get device nodes"
    missing = [tool for tool in ("podman", "runc", "busybox", "unshare") if shutil.which(tool) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    with short_directory() as place:
        (place / "cdi").mkdir()
        done = run(place, place / "cdi", [], "busybox echo works")
    if done.stdout != "works\n":
        return f"no container runs here: {' '.join(done.stderr.split())[-300:]}"
    return ""
