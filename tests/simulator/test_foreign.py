"""Device plugins that are not ours, as processes with flags of their own, beside ``devbay simulate``."""

import asyncio
import json
import subprocess
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from devbay.cli import Exit
from tests.simulator.test_by_hand import ask
from tests.simulator.test_command import line_with, simulate

FOREIGN = [sys.executable, "-m", "tests.simulator.foreign"]
RESOURCE = "foreign.example/widget"
INSIDE = """
mount -t tmpfs none /var/lib && mkdir -p /var/lib/kubelet/device-plugins &&
mount --bind "$0" /var/lib/kubelet/device-plugins && exec "$@"
"""
APART = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]


def may_be_apart() -> bool:
    """Return whether this machine lets us have a mount namespace of our own."""
    return subprocess.run([*APART, "mount -t tmpfs none /var/lib"], capture_output=True, check=False).returncode == 0


@asynccontextmanager
async def foreign(*command: str) -> AsyncIterator[Process]:
    """Run a plugin as a process, from the root of the repository."""
    process = await asyncio.create_subprocess_exec(*command, cwd=Path(__file__).parents[2])
    try:
        yield process
    finally:
        process.kill()
        await process.wait()


async def is_served(directory: Path, simulator: Process) -> None:
    """Check that a pod gets a device of the plugin's, before and after a restart of the kubelet."""
    for name in ("before", "after"):
        await line_with(simulator, f"{RESOURCE} lists 2 healthy (w0, w1)")
        code, _, errors = await ask(directory, "pod", "create", name, "--limit", f"{RESOURCE}=1")
        assert (code, errors) == (Exit.OK, "")
        assert (await ask(directory, "restart"))[0] == Exit.OK
    _, out, _ = await ask(directory, "pod", "list", "--output", "json")
    given = [pod["status"]["containers"][0] for pod in json.loads(out)]
    assert sorted(container["env"]["FOREIGN"] for container in given) == ["w0", "w1"]
    assert [container["device_nodes"][0]["path"] for container in given] == ["/dev/foreign"] * 2


async def test_a_plugin_with_a_flag_for_its_directory_is_served(directory: Path) -> None:
    """A plugin that shares no line with the host, whose flag names the directory, is a plugin like ours."""
    async with simulate(directory) as simulator:
        await line_with(simulator, "waiting for device plugins")
        async with foreign(*FOREIGN, "--plugin-directory", str(directory)):
            await is_served(directory, simulator)


@pytest.mark.skipif(not may_be_apart(), reason="needs a mount namespace of its own")
async def test_a_plugin_with_a_fixed_path_is_served(directory: Path) -> None:
    """A plugin that knows only the kubelet's own path finds the simulator there, in a mount namespace of its own."""
    there = Path("/var/lib/kubelet").exists()
    async with simulate(directory) as simulator:
        await line_with(simulator, "waiting for device plugins")
        async with foreign(*APART, INSIDE, str(directory), *FOREIGN):
            await is_served(directory, simulator)

    assert Path("/var/lib/kubelet").exists() == there
