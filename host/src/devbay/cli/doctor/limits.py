"""Checks of what a node has only so much of: inotify instances, open files."""

import re
import resource
from collections.abc import Iterator
from pathlib import Path

from devbay.cli.doctor.findings import Finding, Findings
from devbay.cli.doctor.scene import Scene

_FEW_FILES = 256
_NEARLY = 0.9
_limits = Findings("limits")


def inotify(scene: Scene) -> Iterator[Finding]:
    """Whether there are inotify instances left for a host of this user: it needs two, and one for many a backend."""
    path = scene.proc / "sys/fs/inotify/max_user_instances"
    try:
        most = int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return
    used = _instances(scene)
    if used >= most * _NEARLY:
        yield _limits.warning(
            f"{used} of {most} inotify instances are in use by uid {scene.euid}",
            path,
            why="without one, devbay looks twice a second instead of being woken, and hardware is seen later",
            remedy="allow more",
            command="sysctl -w fs.inotify.max_user_instances=1024\n"
            "echo fs.inotify.max_user_instances=1024 > /etc/sysctl.d/90-inotify.conf",
        )
    else:
        yield _limits.ok(f"{used} of {most} inotify instances are in use, as far as is seen", path)


def _instances(scene: Scene) -> int:
    """Count those of our user, in the processes that we may look into."""
    count = 0
    for process in _processes(scene.proc):
        try:
            if process.stat().st_uid != scene.euid:
                continue
            count += sum("inotify" in str(one.readlink()) for one in (process / "fd").iterdir())
        except OSError:  # ended meanwhile, or not ours to look into
            continue
    return count


def _processes(proc: Path) -> list[Path]:
    try:
        return [path for path in proc.iterdir() if re.fullmatch(r"\d+", path.name)]
    except OSError:
        return []


def files(scene: Scene) -> Iterator[Finding]:
    """Whether a process like this one may open enough files: some ten for each resource, and those of the backends."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = _FEW_FILES + 16 * len(scene.offers)
    if soft != resource.RLIM_INFINITY and soft < enough:
        yield _limits.warning(
            f"a process may open {soft} files here",
            "RLIMIT_NOFILE",
            why="a host that can open no more answers no kubelet",
            remedy=f"allow {enough} or more (the hard limit is {hard}); in a unit of systemd: LimitNOFILE",
            command=f"ulimit -n {enough}",
        )
    else:
        yield _limits.ok("a process may open enough files", "RLIMIT_NOFILE")
