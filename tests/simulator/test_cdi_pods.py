"""CDI on the way to a pod: what plugins answer, what the container gets, and what fails its creation."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from devbay._proto import deviceplugin_v1beta1_pb2 as pb
from devbay.model import DeviceNode, Hook, Mount
from devbay.simulator import (
    CdiFileRefused,
    ContainerFailed,
    ContainerStarted,
    ContainerStatus,
    Kubelet,
    PodStatus,
    questions,
    reports,
)
from devbay.simulator.final import FinalDevice, FinalMount
from tests.simulator.cdifiles import KIND, NAME, device, write
from tests.simulator.conftest import QUICK, pod, up
from tests.simulator.plugin import Plugin, response

FAILED = "failed to create containerd container: CDI device injection failed: "
EVERYTHING: dict[str, Any] = {
    "env": ["FROM=cdi", "NEW=1"],
    "deviceNodes": [{"path": "/dev/w", "hostPath": "/dev/zero", "permissions": "rw", "fileMode": 0o600, "gid": 5}],
    "mounts": [{"hostPath": "/opt/w", "containerPath": "/lib/w", "options": ["ro", "nosuid"]}],
    "hooks": [{"hookName": "createContainer", "path": "/usr/bin/hook", "args": ["hook", "x"], "timeout": 2}],
    "additionalGids": [44],
    "netDevices": [{"hostInterfaceName": "eth1", "name": "net1"}],
    "intelRdt": {"closID": "fast", "schemata": ["MB:0=50"]},
}


def answering(plugin: Plugin, *names: str, **fields: Any) -> None:
    """Let a plugin answer with CDI names, and whatever else."""

    async def allocate(_ids: Sequence[str]) -> pb.AllocateResponse:
        return response(cdi_devices=[pb.CDIDevice(name=name) for name in names], **fields)

    plugin.on_allocate = allocate


@pytest.fixture
async def runtime(directory: Path, tmp_path: Path) -> AsyncIterator[Kubelet]:
    """Run a kubelet whose runtime looks into ``etc`` and ``run`` of the test's directory."""
    async with Kubelet(directory, timing=QUICK, cdi_dirs=(tmp_path / "etc", tmp_path / "run")) as kubelet:
        yield kubelet


def why(status: PodStatus) -> tuple[str, str, str]:
    """Return the pod's phase, and why its container waits."""
    return status.phase, status.container("c").reason, status.container("c").message


async def test_cdi_1_a_container_ends_up_with_plugin_s_pod_s_and_cdi_s(
    runtime: Kubelet, plugin: Plugin, tmp_path: Path
) -> None:
    """CDI behaviour 1: CDI's edits come over what plugins and pod said; plugin under pod under CDI for variables."""
    write(tmp_path / "etc" / "w.json", device(**EVERYTHING))
    answering(
        plugin,
        NAME,
        envs={"FROM": "plugin", "P": "plugin", "Q": "plugin"},
        devices=[
            pb.DeviceSpec(container_path="/dev/w", host_path="/dev/full", permissions="r"),
            pb.DeviceSpec(container_path="/dev/v", host_path="/dev/null", permissions="rw"),
        ],
        mounts=[pb.Mount(container_path="/lib/w", host_path="/opt/p", read_only=False)],
    )
    await up(runtime, plugin)
    got = (await runtime.create_pod(pod("p", FROM="pod", Q="pod"))).container("c")

    assert got.env == {"FROM": "cdi", "P": "plugin", "Q": "pod", "NEW": "1"}
    assert got.final.devices == (
        FinalDevice(path="/dev/v", host_path="/dev/null", type="c", major=1, minor=3, permissions="rw"),
        FinalDevice(
            path="/dev/w", host_path="/dev/zero", type="c", major=1, minor=5, permissions="rw", file_mode=0o600, gid=5
        ),
    )
    assert got.final.mounts == (FinalMount(container_path="/lib/w", host_path="/opt/w", options=("ro", "nosuid")),)
    assert got.device_nodes == (
        DeviceNode(path="/dev/v", host_path="/dev/null", permissions="rw"),
        DeviceNode(path="/dev/w", host_path="/dev/zero", permissions="rw"),
    )
    assert got.mounts == (Mount(container_path="/lib/w", host_path="/opt/w", read_only=True),)
    hook = Hook(hook_name="createContainer", path="/usr/bin/hook", args=("hook", "x"), timeout=2)
    assert (got.hooks, got.final.additional_gids, got.final.cdi_devices) == ((hook,), (44,), (NAME,))
    assert got.cdi_names == (NAME,)


async def test_cdi_1_annotations_ask_like_the_field(runtime: Kubelet, plugin: Plugin, tmp_path: Path) -> None:
    """CDI behaviour 1: devices of annotations are merged after the field's, each applied once."""
    write(tmp_path / "etc" / "w.json", *(device(name, env=[f"LAST={name}", f"{name}=1"]) for name in ("a", "b")))
    annotations = {"cdi.k8s.io/widget_0": f"{KIND}=b,{NAME}", "other": "a"}
    answering(plugin, NAME, annotations=annotations)
    await up(runtime, plugin)
    got = (await runtime.create_pod(pod("p"))).container("c")

    assert (got.env, got.final.cdi_devices) == ({"LAST": "b", "a": "1", "b": "1"}, (NAME, f"{KIND}=b"))
    assert (got.cdi_names, got.annotations) == ((NAME,), annotations)


async def test_cdi_1_an_invalid_name_in_an_annotation_fails_the_container(
    runtime: Kubelet, plugin: Plugin, tmp_path: Path
) -> None:
    """CDI behaviour 1: an annotation with a name that is none fails a container whose other devices resolve."""
    write(tmp_path / "etc" / "w.json")
    answering(plugin, NAME, annotations={"cdi.k8s.io/x": "widget"})
    await up(runtime, plugin)

    phase, reason, message = why(await runtime.create_pod(pod("p")))
    assert (phase, reason) == ("Pending", "CreateContainerError")
    assert message == (
        "failed to create containerd container: failed to parse CDI device annotations: "
        'invalid CDI device name "widget"'
    )


async def test_cdi_1_an_unresolvable_device_fails_the_container_until_its_file_is_there(
    runtime: Kubelet, plugin: Plugin, tmp_path: Path
) -> None:
    """CDI behaviour 1: nothing is applied, the reason is the runtime's, and a file written later heals it."""
    write(tmp_path / "etc" / "w.json")
    answering(plugin, f"{KIND}=x", NAME, f"{KIND}=y", envs={"A": "1"})
    await up(runtime, plugin)
    status = await runtime.create_pod(pod("p"))

    message = f"{FAILED}unresolvable CDI devices {KIND}=x, {KIND}=y"
    assert why(status) == ("Pending", "CreateContainerError", message)
    assert status.container("c").env == {}
    await runtime.wait_until(lambda: len(runtime.events_of(ContainerFailed)) > 1, what="a second attempt")
    failures = {(event.reason, event.message) for event in runtime.events_of(ContainerFailed)}
    assert failures == {("CreateContainerError", message)}
    write(tmp_path / "run" / "v.json", device("x"), device("y"))
    await runtime.wait_until(lambda: runtime.pods["p"].phase == "Running", what="the container to start")
    assert why(runtime.pods["p"]) == ("Running", "", "")
    assert runtime.pods["p"].container("c").env == {"A": "1", "DEVICE_A": "a", "DEVICE_X": "x", "DEVICE_Y": "y"}
    assert len(plugin.asked("Allocate")) == 1


async def test_cdi_1_a_container_restarts_only_while_its_files_are_there(
    runtime: Kubelet, plugin: Plugin, tmp_path: Path
) -> None:
    """CDI behaviour 1: files are looked up at each creation: without one a restart fails, with another it is used."""
    file = write(tmp_path / "etc" / "w.json", device("a", env=["V=1"]))
    answering(plugin, NAME)
    await up(runtime, plugin)
    await runtime.create_pod(pod("p"))
    file.unlink()

    failed = await runtime.restart_container("p", "c")
    assert why(failed) == ("Pending", "CreateContainerError", f"{FAILED}unresolvable CDI devices {NAME}")
    write(file, device("a", env=["V=2"]))
    await runtime.wait_until(lambda: runtime.pods["p"].phase == "Running", what="the container to start")
    assert runtime.pods["p"].container("c").env == {"V": "2"}


async def test_cdi_1_a_device_node_that_is_none_fails_the_container(
    runtime: Kubelet, plugin: Plugin, tmp_path: Path
) -> None:
    """CDI behaviour 1: a path that is no device node on this machine is an error of the container's creation."""
    (tmp_path / "link").symlink_to("/dev/null")
    write(tmp_path / "etc" / "w.json", device("a", deviceNodes=[{"path": "/d", "hostPath": f"{tmp_path}/link"}]))
    answering(plugin, NAME)
    await up(runtime, plugin)

    assert why(await runtime.create_pod(pod("p")))[1:] == (
        "CreateContainerError",
        f'{FAILED}failed to inject devices: failed to stat CDI host device "{tmp_path}/link": not a device node',
    )


async def test_cdi_1_without_directories_nothing_resolves(kubelet: Kubelet, plugin: Plugin) -> None:
    """CDI behaviour 1: a simulator that was told of no directory finds no device, whatever this machine has."""
    answering(plugin, NAME)
    await up(kubelet, plugin)

    assert why(await kubelet.create_pod(pod("p")))[2] == f"{FAILED}unresolvable CDI devices {NAME}"


async def test_cdi_1_a_runtime_without_cdi_refuses_names_and_overlooks_annotations(
    directory: Path, plugin: Plugin, tmp_path: Path
) -> None:
    """CDI behaviour 1: where CDI is switched off, the field is an error and annotations are nothing."""
    write(tmp_path / "w.json")
    async with Kubelet(directory, timing=QUICK, cdi_dirs=[tmp_path], cdi_enabled=False) as kubelet:
        answering(plugin, annotations={"cdi.k8s.io/x": "nonsense"})
        await up(kubelet, plugin)
        overlooked = await kubelet.create_pod(pod("annotated"))
        answering(plugin, NAME, "b")
        refused = await kubelet.create_pod(pod("named"))

    assert (overlooked.phase, overlooked.container("c").env) == ("Running", {})
    assert why(refused)[1:] == (
        "CreateContainerError",
        f"failed to get container spec opts: CDI devices ({NAME}, b) requested but CDI support is explicitly disabled",
    )


async def test_cdi_2_a_file_that_runtimes_refuse_fails_its_containers_only(
    runtime: Kubelet, plugin: Plugin, tmp_path: Path
) -> None:
    """CDI behaviour 2: a file with an unknown field or too low a version has no devices; others are not affected."""
    write(tmp_path / "etc" / "good.json")
    write(tmp_path / "etc" / "unknown.json", device("b"), more=1)
    write(tmp_path / "etc" / "old.json", device("c", intelRdt={}), cdiVersion="0.3.0")
    answering(plugin, f"{KIND}=b", f"{KIND}=c", NAME)
    await up(runtime, plugin)
    failed = await runtime.create_pod(pod("p"))
    await runtime.delete_pod("p")
    answering(plugin, NAME)

    assert why(failed)[2] == f"{FAILED}unresolvable CDI devices {KIND}=b, {KIND}=c"
    told = {Path(event.path).name: event.reason for event in runtime.events_of(CdiFileRefused)}
    assert sorted(told) == ["old.json", "unknown.json"]
    assert told["old.json"].endswith("the spec version must be at least v0.7.0")
    assert (await runtime.create_pod(pod("q"))).phase == "Running"
    assert [event.pod for event in runtime.events_of(ContainerStarted)] == ["q"]


async def test_cdi_3_the_kubelet_s_directories_are_in_order(runtime: Kubelet, plugin: Plugin, tmp_path: Path) -> None:
    """CDI behaviour 3: the last of the directories that a kubelet is given wins; a conflict within one loses all."""
    for place in ("etc", "run"):
        write(tmp_path / place / "w.json", device("a", env=[f"FROM={place}"]))
    answering(plugin, NAME)
    await up(runtime, plugin)
    won = await runtime.create_pod(pod("p"))
    write(tmp_path / "run" / "again.json")

    assert won.container("c").env == {"FROM": "run"}
    assert why(await runtime.create_pod(pod("q")))[2] == f"{FAILED}unresolvable CDI devices {NAME}"


async def test_cdi_1_a_report_shows_what_the_container_ended_up_with(
    runtime: Kubelet, plugin: Plugin, tmp_path: Path
) -> None:
    """CDI behaviour 1: people read every edit in lines, and programs find it whole after its way as JSON."""
    write(tmp_path / "etc" / "w.json", device(**EVERYTHING))
    answering(plugin, NAME)
    await up(runtime, plugin)
    report = reports.pod(runtime, await runtime.create_pod(pod("p")))

    got: ContainerStatus = report.status.container("c")
    assert reports.delivered(got) == {
        "Devices": ["/dev/w from /dev/zero (c 1:5, rw, mode 0600, gid 5)"],
        "Mounts": ["/lib/w from /opt/w (ro, nosuid)"],
        "Hooks": ["createContainer, /usr/bin/hook, args ['hook', 'x'], timeout 2 s"],
        "Additional Groups": ["44"],
        "Net Devices": ["net1 from eth1"],
        "Intel RDT": ["closID fast, schemata MB:0=50"],
        "CDI": [NAME],
    }
    assert msgspec.json.decode(questions.encode(report), type=reports.PodReport) == report
