"""``devbay simulate DIRECTORY`` with the options that say what kind of node it plays."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from devbay._proto import deviceplugin_v1beta1_pb2 as pb
from devbay.cli import Exit, run_command_line
from devbay.simulator import Kubelet
from tests.simulator.asking import Asking
from tests.simulator.cdifiles import NAME, device, write
from tests.simulator.plugin import Plugin, response
from tests.simulator.plugin import device as plugin_device
from tests.simulator.test_by_hand import ask
from tests.simulator.test_command import line_with, simulate

LIMIT = ("--limit", "example.com/widget=1")
PAIR = """
kind: Pod
metadata: {name: pair}
spec:
  containers:
    - {name: one, resources: {limits: {example.com/widget: 1}}}
    - {name: two, resources: {limits: {example.com/widget: 1}}}
"""


def with_cdi(place: Path) -> Plugin:
    """Return a plugin with two devices that answers with a CDI name."""
    plugin = Plugin(place, "a", "b")

    async def allocate(_ids: Sequence[str]) -> pb.AllocateResponse:
        return response(cdi_devices=[pb.CDIDevice(name=NAME)])

    plugin.on_allocate = allocate
    return plugin


async def registered(process: Any, plugin: Plugin) -> None:
    """Wait for the simulator, let the plugin register with it, and wait for its devices."""
    await line_with(process, "waiting for device plugins")
    await plugin.serve()
    await plugin.register()
    await line_with(process, "node:")


async def test_cdi_directories_are_where_devices_resolve(place: Path) -> None:
    """With --cdi-dir a pod's container is described with what CDI files give it; of two directories the later wins."""
    edits = {"env": ["FROM=run"], "deviceNodes": [{"path": "/dev/w", "hostPath": "/dev/null"}]}
    hook = {"hookName": "createContainer", "path": "/usr/bin/hook"}
    write(place / "etc" / "w.json", device("a", env=["FROM=etc"]))
    write(place / "run" / "w.json", device("a", **edits, hooks=[hook], additionalGids=[44]))
    directory, plugin = place / "plugins", with_cdi(place / "plugins")
    async with simulate(directory, "--cdi-dir", place / "etc", "--cdi-dir", place / "run") as process:
        await registered(process, plugin)
        created = await ask(directory, "pod", "create", "p", *LIMIT)
        _, text, _ = await ask(directory, "pod", "describe", "p")
        _, out, _ = await ask(directory, "pod", "describe", "p", "--output", "json")
        await plugin.stop()

    assert created[0] == Exit.OK, created
    assert "FROM=run" in text
    assert "    Devices:\n      /dev/w from /dev/null (c 1:3, rwm)\n" in text
    assert "    Hooks:\n      createContainer, /usr/bin/hook\n    Additional Groups:\n      44\n" in text
    assert f"    CDI:\n      {NAME}\n" in text
    final = json.loads(out)["status"]["containers"][0]["final"]
    assert (final["devices"][0]["major"], final["additional_gids"], final["cdi_devices"]) == (1, [44], [NAME])


async def test_without_cdi_directories_a_pod_says_why_it_does_not_start(place: Path) -> None:
    """Without --cdi-dir no CDI device resolves: the pod waits, and its list says for what."""
    directory, plugin = place / "plugins", with_cdi(place / "plugins")
    async with simulate(directory) as process:
        await registered(process, plugin)
        code, out, _ = await ask(directory, "pod", "create", "p", *LIMIT)
        await plugin.stop()

    assert code == Exit.FAILED
    assert (
        f"CreateContainerError: failed to create containerd container: CDI device injection failed: unresolvable CDI \
devices {NAME}"
        in out
    )


async def test_cdi_can_be_switched_off(place: Path) -> None:
    """With --no-cdi a container that asks for CDI devices is refused, whatever directories there are."""
    write(place / "etc" / "w.json")
    directory, plugin = place / "plugins", with_cdi(place / "plugins")
    async with simulate(directory, "--cdi-dir", place / "etc", "--no-cdi") as process:
        await registered(process, plugin)
        code, out, _ = await ask(directory, "pod", "create", "p", *LIMIT)
        await plugin.stop()

    assert code == Exit.FAILED
    assert f"CDI devices ({NAME}) requested but CDI support is explicitly disabled" in out


@pytest.mark.parametrize(("scope", "phase"), [("container", "Running"), ("pod", "Failed")])
async def test_devices_are_aligned_as_policy_and_scope_say(place: Path, scope: str, phase: str) -> None:
    """With a policy of one NUMA node, two containers may be on two nodes, and a pod as a whole may not."""
    (place / "pair.yaml").write_text(PAIR)
    directory = place / "plugins"
    plugin = Plugin(directory, plugin_device("a", "Healthy", 4), plugin_device("b", "Healthy", 5))
    flags = ("--topology-policy", "single-numa-node", "--topology-scope", scope, "--numa-nodes", "4-5")
    async with simulate(directory, *flags) as process:
        await registered(process, plugin)
        await ask(directory, "pod", "create", "--file", str(place / "pair.yaml"))
        _, out, _ = await ask(directory, "pod", "describe", "pair", "--output", "json")
        await plugin.stop()

    status = json.loads(out)["status"]
    assert (status["phase"], status["reason"]) == (phase, "TopologyAffinityError" if phase == "Failed" else "")


async def test_the_pod_resources_api_is_served_where_it_is_asked_for(place: Path) -> None:
    """With --pod-resources-socket an agent can ask there which container holds which device."""
    directory, socket, plugin = place / "plugins", place / "resources" / "kubelet.sock", Plugin(place / "plugins", "a")
    async with simulate(directory, "--pod-resources-socket", socket) as process:
        await registered(process, plugin)
        await ask(directory, "pod", "create", "p", *LIMIT)
        async with Asking(socket) as asking:
            listed = await asking.list()
        await plugin.stop()

    assert [(pod.name, list(pod.containers[0].devices[0].device_ids)) for pod in listed.pod_resources] == [("p", ["a"])]


async def test_a_pod_resources_socket_of_another_s_is_left_alone(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where a kubelet answers, or where something else is, --pod-resources-socket is refused before anything starts."""
    (place / "notes").write_text("mine")
    socket = place / "resources.sock"
    async with Kubelet(place / "other", pod_resources_socket=socket):
        codes = [
            run_command_line(["simulate", str(place / "plugins"), "--pod-resources-socket", str(path)])
            for path in (socket, place / "notes")
        ]

    assert codes == [Exit.USAGE, Exit.USAGE]
    told = capsys.readouterr().err
    assert f"a kubelet answers on {socket}; name another path with --pod-resources-socket" in told
    assert f"{place}/notes is no socket, and would be deleted" in told
    assert (place / "notes").read_text() == "mine"
    assert not (place / "plugins").exists()


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (("--numa-nodes", "3-1"), "'3-1' are not NUMA nodes; write them as 0-3 or 0,2"),
        (("--numa-nodes", ""), "'' are not NUMA nodes"),
        (("--numa-nodes", "0-8", "--topology-policy", "restricted"), "unsupported on machines with more than 8 NUMA"),
        (("--topology-policy", "strict"), "'strict' is not one of 'none', 'best-effort', 'restricted'"),
        (("--cdi-dir", __file__), f"Directory '{__file__}' is a file"),
    ],
)
def test_what_no_node_can_be_is_refused(
    place: Path, capsys: pytest.CaptureFixture[str], flags: Sequence[str], why: str
) -> None:
    """An option that makes no sense is a wrong argument, said before anything is touched."""
    assert run_command_line(["simulate", str(place / "plugins"), *flags]) == Exit.USAGE
    assert why in " ".join(capsys.readouterr().err.split())
    assert not (place / "plugins").exists()


def test_the_options_are_explained_to_someone_new(capsys: pytest.CaptureFixture[str]) -> None:
    """The help says what CDI files, NUMA nodes and the pod-resources API are, and examples keep their lines."""
    assert run_command_line(["simulate", "--help"]) == Exit.OK
    shown = capsys.readouterr().out
    text = " ".join(shown.split())
    assert "CDI files, which say in JSON or YAML what a device needs in a container" in text
    assert "A NUMA node is a part of a machine whose processors, memory and devices are close" in text
    assert "it tells which container holds which device" in text
    assert "\n  Another terminal:   devbay run --kubelet-dir /tmp/plugins\n" in shown
