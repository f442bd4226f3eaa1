"""Specifications in the hands of real container runtimes: the container has the node, the mount and the variable."""

import asyncio
import os
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from devbay.cdi import delivery, document, files, names
from devbay.cdi.directory import SpecificationDirectory
from devbay.model import ContainerEdits
from tests.host.cdi import containers
from tests.host.cdi.parts import RESOURCE, edits, hook, mount, node


@pytest.fixture(autouse=True)
def _able() -> None:
    """Skip where no container can be run, with the reason."""
    if reason := containers.obstacle():
        pytest.skip(reason)


async def deliver(cdi: Path, singles: Mapping[str, ContainerEdits]) -> None:
    """Write the specification of these devices as the host does."""
    directory = SpecificationDirectory(cdi)
    await directory.ensure(RESOURCE, singles)
    directory.close()


def run(place: Path, *devices: str, script: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a container that is given these devices."""
    (place / "podman").mkdir()
    return containers.run(
        place / "podman", place / "cdi", [names.qualified(RESOURCE, device) for device in devices], script
    )


async def test_the_container_has_the_node_and_the_mount(place: Path) -> None:
    """P18: nodes come under their name in the container, with their permissions; mounts read-only or not, as asked."""
    (place / "library").mkdir()
    (place / "library/lib.so").write_text("a library\n")
    os.mknod(place / "node", stat.S_IFCHR | 0o666, os.makedev(240, 7))  # a number that no driver has
    (place / "link").symlink_to("node")
    singles = {
        "0000:3b:00.0": edits(node("/dev/widget0", "/dev/null"), mount("/opt/lib", f"{place}/library")),
        "slot/1": edits(
            node("/dev/widget1", f"{place}/link", "r"), mount("/data", f"{place}/library", read_only=False)
        ),
        "unused": edits(node("/dev/widget2", "/dev/full")),
    }
    await deliver(place / "cdi", singles)

    done = await asyncio.to_thread(
        run,
        place,
        "0000:3b:00.0",
        "slot/1",
        script="""
            busybox stat -c '%n %F %t:%T' /dev/widget*
            busybox cat /opt/lib/lib.so
            busybox touch /opt/lib/new 2>&1
            busybox touch /data/written && echo written
            echo x >/dev/widget0 && echo wrote to 0
            { echo x >/dev/widget1; } 2>&1
            busybox cat /dev/widget1 2>&1
        """,
    )

    assert done.stdout.splitlines() == [
        "/dev/widget0 character special file 1:3",
        "/dev/widget1 character special file f0:7",
        "a library",
        "touch: /opt/lib/new: Read-only file system",
        "written",
        "wrote to 0",
        "sh: can't create /dev/widget1: Operation not permitted",
        "cat: can't open '/dev/widget1': No such device or address",
    ], done.stderr
    assert (place / "library/written").exists()


async def test_hooks_are_run_once_each(place: Path) -> None:
    """P18: of two devices with a hook in common, divided as for a kubelet, each hook is run by the runtime, once."""
    log = place / "log"
    program = place / "hook"
    program.write_text(f'#!/bin/sh\necho "$1" >>{log}\n')
    program.chmod(0o755)
    common, h1, h2 = (hook(str(program), "hook", text) for text in ("common", "1", "2"))
    singles = {"a": edits(node("/dev/a", "/dev/null"), common, h1), "b": edits(node("/dev/b", "/dev/null"), common, h2)}
    whole = edits(node("/dev/a", "/dev/null"), node("/dev/b", "/dev/null"), common, h1, h2)
    await deliver(place / "cdi", singles)
    (place / "podman").mkdir()

    done = await asyncio.to_thread(
        containers.run,
        place / "podman",
        place / "cdi",
        delivery.split(RESOURCE, whole, singles).names,
        "busybox ls /dev/a",
    )

    assert (done.returncode, done.stdout) == (0, "/dev/a\n"), done.stderr
    assert sorted(log.read_text().split()) == ["1", "2", "common"]


def test_the_container_has_the_variable(place: Path) -> None:
    """P18: what is generated for machines without a kubelet brings a device's environment too."""
    entry = delivery.entry("w0", edits(node("/dev/widget0", "/dev/null"), WIDGETS="w0", MODE="a=b"), str, with_env=True)
    assert entry is not None
    kind = names.kind_of(RESOURCE)
    text = document.encode(delivery.specification(kind, [entry]))
    files.write(place / "cdi" / names.file_name(kind), text)

    done = run(place, "w0", script='echo "$WIDGETS $MODE"')

    assert done.stdout == "w0 a=b\n", done.stderr


async def test_a_device_that_is_not_there_starts_no_container(place: Path) -> None:
    """P19: without its entry a container does not start, which is why an allocation waits for the file."""
    await deliver(place / "cdi", {"w0": edits(node("/dev/null"))})

    done = await asyncio.to_thread(run, place, "w9", script="echo started")

    assert (done.returncode != 0, done.stdout) == (True, "")
    assert "unresolvable CDI devices devbay.example.com/widget=w9" in done.stderr
