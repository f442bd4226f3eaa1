"""``devbay simulate``'s commands at their edges, each a process beside a simulator and a plugin that are real."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from devbay._proto import deviceplugin_v1beta1_pb2 as pb
from devbay.cli import Exit
from tests.host.running import short_directory
from tests.simulator.plugin import RESOURCE, Plugin, device
from tests.simulator.test_by_hand import ask
from tests.simulator.test_command import line_with, simulate

ONE = f"{RESOURCE}=1"
OPTIONS = pb.DevicePluginOptions(pre_start_required=True)


@asynccontextmanager
async def standing(place: Path, *devices: str) -> AsyncIterator[tuple[Process, Plugin]]:
    """Run a simulator in `place` with a plugin that has these devices and wants PreStartContainer."""
    async with simulate(place) as process:
        await line_with(process, "waiting for device plugins")
        plugin = Plugin(place, *devices)
        plugin.options = OPTIONS
        async with plugin:
            await plugin.register()
            await line_with(process, "node:")
            yield process, plugin


async def look(place: Path, *arguments: str) -> Any:
    """Return what a command prints as JSON."""
    code, out, errors = await ask(place, *arguments, "--output", "json")
    assert errors == "", code
    return json.loads(out)


async def test_init_containers_by_hand(place: Path) -> None:
    """``--init`` gives a pod init containers, which end before the container and leave it their devices."""
    async with standing(place, "a", "b"):
        code, _, errors = await ask(place, "pod", "create", "p", "--limit", ONE, "--init", f"{RESOURCE}=2")
        (pod,) = await look(place, "pod", "list")
        _, described, _ = await ask(place, "pod", "describe", "p")

    assert (code, errors) == (Exit.OK, "")
    (first,), (main,) = pod["status"]["init_containers"], pod["status"]["containers"]
    assert (first["name"], first["state"], first["reason"]) == ("init-1", "Terminated", "Completed")
    assert first["devices"] == {RESOURCE: ["a", "b"]}
    assert set(main["devices"][RESOURCE]) < {"a", "b"}
    assert "Init Containers:\n  init-1:\n    State:          Terminated\n    Reason:         Completed\n" in described


async def test_a_container_s_restart_by_hand(place: Path) -> None:
    """``pod restart`` starts a container anew with what it had: PreStartContainer again, Allocate not."""
    async with standing(place, "a") as (_, plugin):
        await ask(place, "pod", "create", "p", "--limit", ONE)
        code, out, _ = await ask(place, "pod", "restart", "p")
        (pod,) = await look(place, "pod", "list")
        unknown = await ask(place, "pod", "restart", "p", "--container", "c")

    assert (code, "Running" in out) == (Exit.OK, True)
    assert pod["status"]["containers"][0]["restart_count"] == 1
    assert (len(plugin.asked("Allocate")), len(plugin.asked("PreStartContainer"))) == (1, 2)
    assert unknown == (Exit.FAILED, "", "devbay: pod p has no container c\n")


async def test_a_reboot_by_hand(place: Path) -> None:
    """``restart --reboot`` ends the containers; a pod that is admitted before its plugin is back fails for good."""
    async with standing(place, "a"):
        await ask(place, "pod", "create", "p", "--limit", ONE)
        rebooted = await ask(place, "restart", "--reboot")
        (pod,) = await look(place, "pod", "list")

    assert rebooted == (Exit.OK, "the node was rebooted\n", "")
    assert (pod["status"]["phase"], pod["status"]["reason"]) == ("Failed", "UnexpectedAdmissionError")


async def test_several_simulators_are_told_apart(place: Path) -> None:
    """Where several run, ``--directory`` chooses; without it the error names them all."""
    with short_directory() as other:
        async with standing(place, "a"), standing(other, "b"):
            here, there = [await look(each, "node") for each in (place, other)]
            command = [sys.executable, "-m", "devbay", "simulate", "node"]
            process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
            _, errors = await process.communicate()

    assert [node["directory"] for node in (here, there)] == [str(place), str(other)]
    assert process.returncode == Exit.USAGE
    assert all(str(each) in errors.decode() for each in (place, other))
    assert errors.decode().endswith("; choose one with --directory\n")


async def test_of_several_simulators_the_near_one_is_meant(place: Path) -> None:
    """Somebody else's simulator elsewhere is no reason to name one's own, on the current directory or below it."""
    with short_directory() as other:
        async with standing(place / "plugins", "a"), standing(other, "b"):
            found = []
            for here in (place, place / "plugins", other):
                command = [sys.executable, "-m", "devbay", "simulate", "node", "--output", "json"]
                process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE, cwd=here)
                out, errors = await process.communicate()
                assert process.returncode == Exit.OK, errors
                found.append(json.loads(out)["directory"])

    assert found == [str(place / "plugins"), str(place / "plugins"), str(other)]


async def test_one_directory_has_one_simulator(place: Path) -> None:
    """A second simulator on a directory is refused, with what to do instead, and the first goes on."""
    async with standing(place, "a"):
        async with simulate(place) as second:
            _, errors = await second.communicate()
        node = await look(place, "node")

    assert second.returncode == Exit.USAGE
    assert f"devbay: a simulated kubelet runs on {place} already; talk to it with" in errors.decode()
    assert node["allocatable"] == {RESOURCE: 1}


async def test_a_kubelet_that_is_away_says_so(place: Path) -> None:
    """While it is away for ``restart --gap``, a pod cannot be created, and the error says what to do."""
    async with standing(place, "a") as (process, _):
        restart = asyncio.create_task(ask(place, "restart", "--gap", "5"))
        await line_with(process, "kubelet stopped")
        away = await ask(place, "pod", "create", "p", "--limit", ONE)
        again = await restart

    said = "devbay: the simulated kubelet is not running: it restarts; ask again when it is back\n"
    assert away == (Exit.FAILED, "", said)
    assert again[0] == Exit.OK


async def test_two_restarts_at_once_are_two_restarts(place: Path) -> None:
    """A restart that is asked for during another comes after it; neither fails."""
    async with standing(place, "a") as (process, _):
        first = asyncio.create_task(ask(place, "restart", "--gap", "1"))
        await line_with(process, "kubelet stopped")
        second = await ask(place, "restart")

        assert await first == second == (Exit.OK, "the kubelet was restarted\n", "")
        await line_with(process, "kubelet started")
        await line_with(process, "kubelet started")


async def test_a_refused_pod_fails_the_command(place: Path) -> None:
    """A pod that admission refuses is shown with the kubelet's reason and message, and the exit code is 1."""
    async with standing(place, "a"):
        code, out, errors = await ask(place, "pod", "create", "p", "--limit", f"{RESOURCE}=2")

    assert (code, errors) == (Exit.FAILED, "")
    assert "0/1    Failed  UnexpectedAdmissionError: Pod was rejected: Allocate failed due to requested number" in out


async def test_a_container_that_does_not_start_fails_the_command(place: Path) -> None:
    """A container that cannot be created is shown with why, and the exit code is 1."""

    async def fail(_ids: Sequence[str]) -> None:
        raise ValueError("it is on fire")

    async with standing(place, "a") as (_, plugin):
        plugin.on_pre_start = fail
        code, out, _ = await ask(place, "pod", "create", "p", "--limit", ONE)

    assert code == Exit.FAILED
    assert "0/1    Pending  CreateContainerConfigError: device plugin PreStartContainer rpc failed" in out
    assert "it is on fire" in out


async def test_a_resource_that_nobody_offers_is_said(place: Path) -> None:
    """A kubelet starts a container without a resource it does not know; whoever mistyped it is told."""
    async with standing(place, "a"):
        code, _, errors = await ask(place, "pod", "create", "p", "--limit", "example.com/wigdet=1")

    assert code == Exit.OK
    assert "container main of pod p runs without example.com/wigdet, which no plugin has registered" in errors


async def test_deletion_goes_on_after_a_name_that_is_unknown(place: Path) -> None:
    """Of several names, those that are there are deleted, each of the others is named, and the exit code is 1."""
    async with standing(place, "a"):
        await ask(place, "pod", "create", "p")
        await ask(place, "pod", "create", "q")
        done = await ask(place, "pod", "delete", "x", "p", "y", "q")
        left = await look(place, "pod", "list")

    unknown = "devbay: there is no pod x in namespace default\ndevbay: there is no pod y in namespace default\n"
    assert done == (Exit.FAILED, "pod p deleted\npod q deleted\n", unknown)
    assert left == []


async def test_a_manifest_s_pods_do_not_wait_for_each_other(place: Path) -> None:
    """One pod of a manifest that is there already costs a line and the exit code; the others are created."""
    pods = [{"kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [{"name": "c"}]}} for name in "pqr"]
    (place / "pods").mkdir()
    (place / "pods/all.yaml").write_text("---\n".join(json.dumps(pod) + "\n" for pod in pods))
    async with standing(place, "a"):
        await ask(place, "pod", "create", "q")
        code, out, errors = await ask(place, "pod", "create", "--file", f"{place}/pods/all.yaml")

    assert (code, errors) == (Exit.FAILED, "devbay: there is a pod q in namespace default already\n")
    assert [line.split()[1] for line in out.splitlines()[2:]] == ["p", "r"]


async def test_a_variable_without_a_value_is_said(place: Path) -> None:
    """A variable whose value is from a secret is named on the way, and the pod is created without it."""
    secret = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    pod = {"kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "env": [secret]}]}}
    (place / "p").mkdir()
    (place / "p/p.yaml").write_text(json.dumps(pod))
    async with standing(place, "a"):
        code, _, errors = await ask(place, "pod", "create", "--file", f"{place}/p/p.yaml")
        (report,) = await look(place, "pod", "list")

    assert code == Exit.OK
    assert errors.startswith(f"devbay: {place}/p/p.yaml: pod p, container c: TOKEN is left out, ")
    assert report["status"]["containers"][0]["env"] == {}


async def test_a_manifest_that_is_none_creates_nothing(place: Path) -> None:
    """What cannot be read as pods is one line with its place and exit code 2; so is an empty standard input."""
    (place / "m").mkdir()
    (place / "m/deployment.yaml").write_text("{kind: Deployment, metadata: {name: d}}")
    async with standing(place, "a"):
        unknown = await ask(place, "pod", "create", "--file", f"{place}/m/deployment.yaml")
        absent = await ask(place, "pod", "create", "--file", f"{place}/m/pod.yaml")
        empty = await ask(place, "pod", "create", "--file", "/dev/null")
        left = await look(place, "pod", "list")

    where = f"devbay: {place}/m"
    said = f"{where}/deployment.yaml: expected a manifest with kind: Pod, found kind: Deployment\n"
    assert unknown == (Exit.USAGE, "", said)
    assert (absent[0], absent[2].startswith(f"{where}/pod.yaml cannot be read: ")) == (Exit.USAGE, True)
    assert empty == (Exit.USAGE, "", "devbay: /dev/null holds no pod\n")
    assert left == []


async def test_a_device_s_health_in_a_pod_s_description(place: Path) -> None:
    """``pod describe`` tells the health of a container's devices, as allocatedResourcesStatus does (behaviour 52)."""
    async with standing(place, "a", "b") as (process, plugin):
        await ask(place, "pod", "create", "p", "--limit", f"{RESOURCE}=2")
        plugin.send(device("a", "Unhealthy"), "b")
        await line_with(process, "pod p updated")
        _, out, _ = await ask(place, "pod", "describe", "p")

    assert f"    Allocated Resources Status:\n      {RESOURCE}: a Unhealthy, b Healthy\n" in out


async def test_pods_of_two_namespaces_are_told_apart(place: Path) -> None:
    """Two pods of one name have each their own events, which name the namespace."""
    async with standing(place, "a"):
        await ask(place, "pod", "create", "p", "--limit", ONE)
        await ask(place, "pod", "create", "p", "--namespace", "team")
        _, ours, _ = await ask(place, "pod", "describe", "p")
        _, theirs, _ = await ask(place, "pod", "describe", "p", "--namespace", "team")

    assert "PodAdmitted" in ours
    assert "team" not in ours
    assert theirs.count("PodAdmitted") == 1
    assert "pod team/p admitted" in theirs
    assert RESOURCE not in theirs


async def test_an_asker_that_gives_up_is_told_what_goes_on(place: Path) -> None:
    """Ctrl-C while a plugin does not answer ends the command with one line and 1; the pod is still created."""
    asked, answer = asyncio.Event(), asyncio.Event()

    async def hold(_ids: Sequence[str]) -> pb.AllocateResponse:
        asked.set()
        await answer.wait()
        return pb.AllocateResponse(container_responses=[pb.ContainerAllocateResponse()])

    async with standing(place, "a") as (process, plugin):
        plugin.on_allocate = hold
        command = [sys.executable, "-m", "devbay", "simulate", "pod", "create", "p", "--limit", ONE, "-d", str(place)]
        asker = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
        await asked.wait()
        asker.send_signal(signal.SIGINT)
        _, errors = await asker.communicate()
        answer.set()
        await line_with(process, "container p/main started")

    assert asker.returncode == Exit.FAILED
    assert errors.decode() == "devbay: not waited for; the simulated kubelet goes on with what it was asked\n"


async def test_a_reader_that_is_gone_ends_the_simulator(place: Path) -> None:
    """After ``| head`` nobody reads: the simulator ends as if asked to, and leaves no socket behind."""
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "devbay", "simulate", str(place)]
    process = await asyncio.create_subprocess_exec(*command, stdout=writing, stderr=PIPE)
    os.close(writing)
    with os.fdopen(reading, "rb") as lines:
        await asyncio.to_thread(lines.readline)
        await asyncio.to_thread(lines.readline)
    async with Plugin(place, "a") as plugin:
        with contextlib.suppress(grpc.aio.AioRpcError):  # it may end while it answers
            await plugin.register()
        _, errors = await process.communicate()

    assert (process.returncode, errors) == (Exit.OK, b"")
    assert [path for path in place.iterdir() if path.is_socket()] == []


async def test_a_command_whose_reader_is_gone_says_nothing(place: Path) -> None:
    """A closed pipe costs a command neither a traceback nor the simulator."""
    reading, writing = os.pipe()
    os.close(reading)
    async with standing(place, "a"):
        command = [sys.executable, "-m", "devbay", "simulate", "node", "--directory", str(place)]
        done = await asyncio.to_thread(
            subprocess.run, command, stdout=writing, stderr=subprocess.PIPE, check=False, timeout=60
        )
        os.close(writing)
        node = await look(place, "node")

    assert done.stderr == b""
    assert node["allocatable"] == {RESOURCE: 1}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("pod", "create"), "give the pod's NAME, or its manifest with --file"),
        (("pod", "create", "p", "--file", "x"), "give the pod's NAME, or its manifest with --file"),
        (
            ("pod", "create", "--file", "x", "--limit", ONE),
            "--limit, --env and --init are for a pod without a manifest",
        ),
        (("pod", "create", "p", "--limit", RESOURCE), f"--limit or --init '{RESOURCE}': write it as NAME=VALUE"),
        (("pod", "create", "p", "--limit", f"{RESOURCE}=x"), f"{RESOURCE}: 'x' is not a whole number of devices"),
        (("pod", "create", "p", "--limit", ONE, "--limit", f"{RESOURCE}=2"), f"{RESOURCE} is asked for twice"),
        (("pod", "create", "p", "--init", f"{ONE},{RESOURCE}=2"), f"{RESOURCE} is asked for twice"),
        (("pod", "create", "P_1"), "pod 'P_1': a pod's name is lower case letters, digits, '-' and '.'"),
    ],
)
async def test_arguments_that_cannot_be_used_ask_nobody(place: Path, arguments: Sequence[str], said: str) -> None:
    """A wrong argument is said before a simulator is looked for (exit code 2)."""
    code, _, errors = await ask(place, *arguments)

    assert code == Exit.USAGE
    assert said in errors
