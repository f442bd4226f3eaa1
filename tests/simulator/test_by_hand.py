"""The commands that talk to a simulator in the foreground, each a process, as a person at two terminals meets them."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from devbay.cli import Exit, run_command_line
from devbay.simulator import remote
from tests.simulator.plugin import Plugin
from tests.simulator.test_command import line_with, simulate

MANIFEST = """
apiVersion: v1
kind: Pod
metadata: {name: written}
spec:
  initContainers:
    - {name: first, image: x, resources: {limits: {example.com/widget: 1}}}
  containers:
    - name: c
      image: x
      env: [{name: MODE, value: fast}]
      resources: {limits: {example.com/widget: "1", cpu: 500m}}
"""


async def ask(directory: Path, *arguments: str) -> tuple[int | None, str, str]:
    """Run one of the commands on the simulator in `directory`; return its code, output and errors."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "devbay", "simulate", *arguments, "--directory", str(directory)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await process.communicate()
    return process.returncode, out.decode(), errors.decode()


async def test_a_pod_s_life_by_hand(directory: Path, tmp_path: Path) -> None:
    """Pods are created by flags and by manifest, described with what they hold, listed and deleted."""
    (tmp_path / "pod.yaml").write_text(MANIFEST)
    async with simulate(directory) as process, Plugin(directory, "a", "b") as plugin:
        await line_with(process, "waiting for device plugins")
        await plugin.stop()
        await plugin.serve()
        await plugin.register()
        await line_with(process, "node:")
        assert directory in remote.running()

        created = await ask(directory, "pod", "create", "p", "--limit", "example.com/widget=1", "--env", "K=V")
        assert created[0] == Exit.OK, created
        code, out, _ = await ask(directory, "pod", "describe", "p")
        assert code == Exit.OK
        assert "K=V" in out
        assert "WIDGETS=" in out
        assert "PodAdmitted" in out

        assert (await ask(directory, "pod", "create", "-f", str(tmp_path / "pod.yaml")))[0] == Exit.OK
        _, out, _ = await ask(directory, "pod", "list", "--output", "json")
        pods: list[Any] = json.loads(out)
        assert [pod["status"]["phase"] for pod in pods] == ["Running", "Running"]
        _, out, _ = await ask(directory, "node", "--output", "json")
        assert json.loads(out)["requested"] == {"example.com/widget": 2}
        _, out, _ = await ask(directory, "node")
        assert "Capacity:\n  example.com/widget:  2\nAllocatable:\n  example.com/widget:  2\n" in out

        code, _, errors = await ask(directory, "pod", "create", "p")
        assert (code, "there is a pod p in namespace default already" in errors) == (Exit.FAILED, True)
        assert (await ask(directory, "pod", "delete", "p"))[0] == Exit.OK
        code, _, errors = await ask(directory, "pod", "describe", "p")
        assert (code, errors) == (Exit.FAILED, "devbay: there is no pod p in namespace default\n")


async def test_a_restart_by_hand_deletes_the_plugin_s_socket(directory: Path) -> None:
    """The kubelet restarts, the plugin's socket is gone, and the control socket answers as before."""
    async with simulate(directory) as process, Plugin(directory, "a") as plugin:
        await line_with(process, "waiting for device plugins")
        await plugin.stop()
        await plugin.serve()

        assert (await ask(directory, "restart"))[0] == Exit.OK
        assert not plugin.socket.exists()
        assert (await ask(directory, "node"))[0] == Exit.OK


def test_where_none_runs_the_error_says_how_to_start_one(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A command without a simulator exits with 1 and names the remedy."""
    assert run_command_line(["simulate", "node", "--directory", str(directory)]) == Exit.FAILED
    assert f"start one with: devbay simulate {directory}" in capsys.readouterr().err


def test_a_mistyped_command_is_no_directory(capsys: pytest.CaptureFixture[str]) -> None:
    """What looks like a command is refused, not made as a directory."""
    assert run_command_line(["simulate", "nodes"]) == Exit.USAGE
    assert "did you mean 'node'?" in capsys.readouterr().err
    assert not Path("nodes").exists()
