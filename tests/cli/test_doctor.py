"""``devbay doctor``, on nodes with one thing wrong each, as an operator has it: nothing else is known."""

import asyncio
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devbay.cli.doctor import checks
from devbay.cli.doctor.findings import Finding, Severity
from devbay.cli.doctor.scene import Place, Scene
from devbay.cli.doctor.sockets import guessed
from devbay.simulator import Kubelet
from devbay.simulator.checkpoint import Checkpoint, write
from tests.cli.conftest import Devbay
from tests.cli.nodes import RESOURCE, NodeTree, examined, make, of
from tests.host.apiserver.server import refusal, serving
from tests.host.running import running
from tests.house.workspace import ROOT

PAGE = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
KUBELET = "kubelet.sock"


@pytest.fixture
def node(place: Path) -> NodeTree:
    """Make a node with two devices."""
    return make(place)


@pytest.fixture
def cdi(node: NodeTree) -> dict[str, str]:
    """Have devices delivered through CDI."""
    text = f"resources: {{{RESOURCE}: {{delivery: cdi}}}}"
    return {"DEVBAY_CONFIG": str(node.write("config.yaml", text))}


def test_a_good_node_is_well(devbay: Devbay, node: NodeTree) -> None:
    """A node with a kubelet and a devbay has no problem, and doctor exits with 0."""
    with node.live(KUBELET, node.ours()):
        code, findings = examined(devbay, node)

    assert (code, [one for one in findings if one["severity"] == "problem"]) == (0, [])
    assert of(findings, "host") == [f"serves {RESOURCE}"]
    assert of(findings, "devices", "ok") == ["2 devices, all healthy"]


async def test_doctor_beside_a_running_host(devbay: Devbay, node: NodeTree) -> None:
    """Beside a real kubelet's counterpart and a real host it finds nothing wrong and changes nothing."""
    async with (
        Kubelet(node.plugins, pod_resources_socket=node.root / "pr.sock") as kubelet,
        running(node.plugins, **node.variables) as host,
    ):
        await host.says("ListAndWatch opened")
        await kubelet.wait_until(lambda: kubelet.allocatable.get(RESOURCE) == 2, what="two devices")
        before = sorted(node.plugins.iterdir())
        code, findings = await asyncio.to_thread(examined, devbay, node)  # while this loop plays the kubelet
        after = sorted(node.plugins.iterdir())

    assert [one for one in findings if one["severity"] in {"problem", "warning"}] == []
    assert (code, after) == (0, before)
    assert of(findings, "pod-resources", "ok") == ["the kubelet tells who holds which device"]
    assert of(findings, "checkpoint", "ok") == ["1 resources are registered, all of them served"]


def test_a_missing_directory_is_named_with_where_it_may_be(devbay: Devbay, node: NodeTree) -> None:
    """A distribution with a root directory of its own is known, and named."""
    (node.root / "var/snap/microk8s/common/var/lib/kubelet/device-plugins").mkdir(parents=True)

    code, findings = examined(devbay, node, "--kubelet-dir", f"{node.root}/none")

    (found,) = [one for one in findings if one["check"] == "kubelet-directory"]
    assert (code, found["severity"], found["what"]) == (1, "problem", "it does not exist")
    assert "microk8s" in found["remedy"]


@pytest.mark.parametrize(
    ("make_wrong", "said"),
    [
        (lambda node: (node.plugins.rmdir(), node.plugins.write_text("")), "it is no directory"),
        (lambda node: node.plugins.chmod(0o777), "everybody may write into it"),
    ],
)
def test_a_wrong_directory_is_said(devbay: Devbay, node: NodeTree, make_wrong: Any, said: str) -> None:
    """What stands where the directory should be, and who may write into it, are looked at."""
    make_wrong(node)

    _, findings = examined(devbay, node)

    assert of(findings, "kubelet-directory") == [said]


def test_a_path_too_long_for_sockets_is_said(devbay: Devbay, node: NodeTree) -> None:
    """P8: a directory in which no socket can be bound is a problem before anything is bound."""
    deep = node.root / ("d" * 80)
    deep.mkdir()

    code, findings = examined(devbay, node, "--kubelet-dir", str(deep))

    assert code == 1
    assert re.search(r"would have \d+ bytes, and may have 107", of(findings, "kubelet-directory")[0])


def test_an_absent_and_a_dead_kubelet_are_told_apart(devbay: Devbay, node: NodeTree) -> None:
    """No kubelet.sock means that none ever started here, a dead one that it has ended."""
    absent = examined(devbay, node)[1]
    node.dead(KUBELET)
    dead = examined(devbay, node)[1]

    assert of(absent, "kubelet-socket", "problem") == ["there is none"]
    assert of(dead, "kubelet-socket", "problem") == ["nobody answers: Connection refused"]


def test_sockets_without_a_listener_are_told_apart(devbay: Devbay, node: NodeTree) -> None:
    """P8: what a killed devbay left is no matter; another's is, and is not devbay's to remove."""
    ours, others = node.dead(node.ours()), node.dead("nvidia-gpu.sock")

    with node.live(KUBELET):
        _, findings = examined(devbay, node)

    assert of(findings, "plugin-sockets", "note") == [f"1 of devbay that nobody listens on: {ours.name}"]
    (other,) = [one for one in findings if one["check"] == "plugin-sockets" and one["severity"] == "warning"]
    assert other["command"] == f"rm {others}"
    assert ours.exists()
    assert others.exists()


def test_a_plugin_with_our_resource_in_its_socket_is_found(devbay: Devbay, node: NodeTree) -> None:
    """A second device plugin is named with its process, where that can be seen."""
    with node.live(KUBELET, node.ours(), "example.com_custom-accelerator.sock"):
        code, findings = examined(devbay, node)

    (said,) = of(findings, "second-plugin", "problem")
    assert code == 1
    assert said.startswith(f"another device plugin has a socket for {RESOURCE}: example.com_custom-accelerator.sock")
    assert f"(process {os.getpid()})" in said


def test_devices_in_the_checkpoint_that_are_not_ours_are_found(devbay: Devbay, node: NodeTree) -> None:
    """The kubelet wrote down ids of our resource that no backend has: somebody else registered it."""
    write(node.plugins, Checkpoint((), {RESOURCE: ("acc0", "strange-1")}))

    with node.live(KUBELET, node.ours()):
        _, findings = examined(devbay, node)

    (said,) = of(findings, "second-plugin", "problem")
    assert said == f"the kubelet's checkpoint has devices of {RESOURCE} that no backend here has: strange-1"


def test_pipes_are_not_waited_for(devbay: Devbay, node: NodeTree) -> None:
    """What stands where a file should be is said, and doctor ends whatever it is."""
    (node.root / "etc/containerd").mkdir(parents=True)
    for path in ("etc/containerd/config.toml", "p/kubelet_internal_checkpoint"):
        os.mkfifo(node.root / path)

    _, findings = examined(devbay, node)

    assert of(findings, "checkpoint", "warning") == ["it is damaged: it is no plain file"]
    assert of(findings, "runtime-cdi", "note") == ["containerd's file cannot be read: it is no plain file"]


def test_a_files_name_is_never_a_command(devbay: Devbay, node: NodeTree) -> None:
    """Names in the node's directories may be chosen by anybody, and what is to be copied is copied by root."""
    evil = node.dead("x; touch y\x1b[31m.sock")

    shown = devbay("doctor", environment=node.variables)
    _, findings = examined(devbay, node)

    (found,) = [one for one in findings if one["check"] == "plugin-sockets"]
    assert shlex.split(found["command"]) == ["rm", str(evil)]
    assert "\x1b" not in shown.stdout


@pytest.mark.parametrize(
    ("name", "resources"),
    [
        ("nvidia-mig-1g.5gb.sock", ("nvidia.com/mig-1g.5gb",)),
        ("gdp-c3F1YXQuYWkvdHR5-1700000000.sock", ("squat.ai/tty",)),
        ("gdp-%%-1.sock", ()),
        ("intel.com_sriov_dpdk", ("intel.com/sriov_dpdk",)),
        ("something.sock", ()),
        ("devbay-01234567-01234567.sock", ()),
    ],
)
def test_the_sockets_of_others_are_known_by_their_names(name: str, resources: tuple[str, ...]) -> None:
    """What other device plugins call their sockets says what they serve."""
    assert guessed(name) == resources


def test_two_hosts_and_none_are_said(devbay: Devbay, node: NodeTree) -> None:
    """P8: two devbay that serve one resource are a warning, none is a problem."""
    with node.live(KUBELET, node.ours(), node.ours(number=1)):
        two = examined(devbay, node)[1]
    for name in (KUBELET, node.ours(), node.ours(number=1)):
        (node.plugins / name).unlink()
    with node.live(KUBELET):
        none = examined(devbay, node)[1]

    assert of(two, "host", "warning")[0].startswith(f"2 devbay serve {RESOURCE}: ")
    assert of(none, "host", "problem") == [f"no devbay runs here; it would offer {RESOURCE}"]


async def test_a_host_with_another_configuration_is_told(devbay: Devbay, node: NodeTree) -> None:
    """P16: shares that this configuration does not make are another configuration's, and no second plugin's."""
    shared = node.write("shared.yaml", f"resources: {{{RESOURCE}: {{sharing: {{replicas: 2}}}}}}")
    async with (
        Kubelet(node.plugins, pod_resources_socket=node.root / "pr.sock") as kubelet,
        running(node.plugins, **node.variables, DEVBAY_CONFIG=str(shared)),
    ):
        await kubelet.wait_until(lambda: kubelet.allocatable.get(RESOURCE) == 4, what="four shares")
        _, findings = await asyncio.to_thread(examined, devbay, node)

    assert of(findings, "host", "warning")[0].startswith(
        "the kubelet has 4 ids of these devices, and 2 are healthy here"
    )
    assert of(findings, "second-plugin", "problem") == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "it is damaged: not a checkpoint"),
        ("[" * 100_000, "it is damaged: not a checkpoint"),
        ('{"Data":{"PodDeviceEntries":null,"RegisteredDevices":{"a.com/b":[1]}},"Checksum":1}', "not a checkpoint"),
        ('{"Data":{"PodDeviceEntries":null,"RegisteredDevices":{}},"Checksum":1}', "checkpoint is corrupted"),
    ],
)
def test_a_damaged_checkpoint_is_said(devbay: Devbay, node: NodeTree, text: str, said: str) -> None:
    """A kubelet that starts on it would forget who holds what."""
    (node.plugins / "kubelet_internal_checkpoint").write_text(text, encoding="utf-8")

    _, findings = examined(devbay, node)

    assert said in of(findings, "checkpoint", "warning")[0]


def test_devices_that_fail_are_problems_with_their_reasons(devbay: Devbay, node: NodeTree) -> None:
    """P12: an unhealthy device is named with its reason, and with the command that tells more."""
    node.device("acc2", "offline")

    code, findings = examined(devbay, node)

    (found,) = [one for one in findings if one["check"] == "devices"]
    assert code == 1
    assert (found["what"], found["where"]) == ("unhealthy: status is offline, not online", f"device acc2 of {RESOURCE}")
    assert found["command"] == "devbay explain device acc2"


def test_backends_that_do_not_do_are_told(devbay: Devbay, node: NodeTree) -> None:
    """P1, P3: a driver that is absent is a warning, a backend that fails or cannot be loaded a problem."""
    shown = devbay(
        *("doctor", "-o", "json"),
        packages=("devbay-faulty", "devbay-noimport"),
        environment=node.variables
        | {
            "DEVBAY_BACKENDS": "mock,faulty,noimport",
            "DEVBAY_MOCK__ROOT": "/missing",
            "DEVBAY_FAULTY__FAULT": "raise",
        },
    )

    findings = json.loads(shown.stdout)["findings"]
    assert [text.split(":")[0] for text in of(findings, "backends", "warning")] == ["unavailable"]
    assert sorted(text.split(":")[0] for text in of(findings, "backends", "problem")) == ["failing", "it cannot be run"]
    assert shown.returncode == 1


def test_a_configuration_that_cannot_be_read_does_not_end_the_examination(devbay: Devbay, node: NodeTree) -> None:
    """P20: what is wrong with it is the first finding, and the node is looked at all the same."""
    file = node.write("bad.yaml", "helth: {}")

    code, findings = examined(devbay, node, "--config", str(file), "--kubelet-dir", str(node.plugins))

    assert code == 1
    assert "unknown section 'helth'; did you mean 'health'?" in of(findings, "configuration", "problem")[0]
    assert of(findings, "kubelet-socket") == ["there is none"]


def test_rules_that_match_nothing_here_are_told(devbay: Devbay, node: NodeTree) -> None:
    """P20: a name that is nearly one of this node's is a slip, any other is another node's."""
    text = "resources: {example.com/custom-acelerator: {policy: pack}, nvidia.com/gpu: {policy: pack}}"

    _, findings = examined(devbay, node, "--config", str(node.write("c.yaml", text)))

    assert f"did you mean {RESOURCE}?" in of(findings, "configuration", "warning")[0]
    assert of(findings, "configuration", "note") == ["nvidia.com/gpu is configured and not on this node"]


@pytest.mark.parametrize(
    ("path", "text", "severity", "said"),
    [
        (
            "etc/containerd/config.toml",
            'version = 2\n[plugins."io.containerd.grpc.v1.cri"]\nenable_cdi = false\n',
            "problem",
            "CDI is switched off in containerd",
        ),
        (
            "etc/containerd/config.toml",
            'version = 3\n[plugins."io.containerd.cri.v1.runtime"]\ncdi_spec_dirs = ["/etc/cdi"]\n',
            "problem",
            "containerd reads specifications in /etc/cdi, and not in",
        ),
        ("etc/containerd/config.toml", "version = 2\n", "warning", "depends on its version"),
        ("etc/containerd/config.toml", "version = 3\n", "ok", "containerd reads specifications in"),
        ("etc/containerd/config.toml", "version = [", "note", "containerd's file cannot be read"),
        (
            "etc/crio/crio.conf.d/10-cdi.conf",
            '[crio.runtime]\ncdi_spec_dirs = ["/elsewhere"]\n',
            "problem",
            "CRI-O reads specifications in /elsewhere",
        ),
    ],
)
def test_the_runtimes_switch_is_read(  # noqa: PLR0913, PLR0917 - two fixtures and a case
    devbay: Devbay, node: NodeTree, cdi: dict[str, str], path: str, text: str, severity: str, said: str
) -> None:
    """P18: a runtime that does not read what devbay writes is found before a container fails."""
    node.write(path, text)

    _, findings = examined(devbay, node, environment=cdi)

    assert said in of(findings, "runtime-cdi", severity)[0]


def test_what_containerd_includes_counts(devbay: Devbay, node: NodeTree, cdi: dict[str, str]) -> None:
    """An included file wins over the one that includes it, as in containerd."""
    switch = '[plugins."io.containerd.grpc.v1.cri"]\nenable_cdi = {}\n'
    main = 'version = 2\nimports = ["/etc/containerd/conf.d/*.toml"]\n' + switch.format("true")
    node.write("etc/containerd/config.toml", main)
    node.write("etc/containerd/conf.d/off.toml", switch.format("false"))

    _, findings = examined(devbay, node, environment=cdi)

    assert of(findings, "runtime-cdi") == ["CDI is switched off in containerd"]


def test_broken_and_conflicting_specifications_are_found(devbay: Devbay, node: NodeTree) -> None:
    """P19: files that runtimes pass over, whoever wrote them, are named with the reason."""
    good = "cdiVersion: 0.5.0\nkind: a.com/bb\ndevices: [{name: x, containerEdits: {env: [A=1]}}]\n"
    for name in ("one.yaml", "two.yaml"):
        node.write(f"etc/cdi/{name}", good)
    node.write("etc/cdi/broken.yaml", "kind: 3")

    _, findings = examined(devbay, node)

    said = of(findings, "cdi-directory", "warning")
    assert [text.split(":")[0] for text in said] == [
        "runtimes pass over it",
        "two files of one directory have the same devices, so that nobody gets them",
    ]


def test_stale_resources_come_with_the_command_that_removes_them(devbay: Devbay, node: NodeTree) -> None:
    """What a plugin left in the node's status is named, with a patch that a person can copy; nothing is changed."""
    lists = {"gone.example/x": "0", RESOURCE: "2", "cpu": "8"}
    (node.root / "api").mkdir()
    with serving(node.root / "api") as cluster, node.live(KUBELET, node.ours()):
        cluster.nodes["node-a"] = {"status": {"capacity": lists, "allocatable": lists}}
        code, findings = examined(devbay, node, environment={"KUBECONFIG": str(cluster.kubeconfig())})

    (found,) = [one for one in findings if one["check"] == "node-status"]
    *kubectl, patch = shlex.split(found["command"])
    assert (code, found["severity"]) == (0, "warning")
    assert kubectl == ["kubectl", "patch", "node", "node-a", "--subresource=status", "--type=json", "-p"]
    assert {step["path"] for step in json.loads(patch)} == {
        "/status/capacity/gone.example~1x",
        "/status/allocatable/gone.example~1x",
    }
    assert cluster.asked == [("GET", "/api/v1/nodes/node-a")]


def test_a_node_without_our_resource_is_a_problem(devbay: Devbay, node: NodeTree) -> None:
    """What the kubelet never told the cluster gets no pods."""
    (node.root / "api").mkdir()
    with serving(node.root / "api") as cluster:
        cluster.nodes["node-a"] = {"status": {}}
        _, findings = examined(devbay, node, environment={"KUBECONFIG": str(cluster.kubeconfig())})
        cluster.answers.append(refusal(403, "no"))
        forbidden = examined(devbay, node, environment={"KUBECONFIG": str(cluster.kubeconfig())})[1]

    assert of(findings, "node-status", "problem") == [f"it does not have {RESOURCE}"]
    assert "resources: [nodes], verbs: [get]" in of(forbidden, "node-status", "note")[0]


def test_a_check_that_fails_is_a_finding_and_hides_no_other() -> None:
    """Whatever is wrong with a node, each check is on its own."""

    def breaks(_: Scene) -> Iterator[Finding]:
        raise RuntimeError("an odd node")

    scene = Scene(place=Place(root=Path("/x"), kubelet=Path("/x"), pod_resources=None, cdi=Path("/x")))

    found = checks.examine(scene, (breaks, *checks.CHECKS))

    assert (found[0].check, found[0].severity, len(found) > 3) == ("doctor", Severity.WARNING, True)
    assert "an odd node" in found[0].what


def test_a_person_reads_the_worst_first(devbay: Devbay, node: NodeTree) -> None:
    """The text has what, where, why and what to do, problems first; what is well is shown if asked for."""
    shown = devbay("doctor", environment=node.variables)
    whole = devbay("doctor", "--all", environment=node.variables)

    marks = [line[0] for line in shown.stdout.splitlines() if line[:1] in "✗!·✓" and line]
    assert shown.returncode == 1
    assert marks == sorted(marks, key="✗!·✓".index)
    assert "✓" not in marks
    assert whole.stdout.count("✓") > 2
    assert re.search(r"\d+ problems?, .*checks found nothing wrong\.\n$", shown.stdout)
    assert "$ systemctl status kubelet" in shown.stdout


def test_every_finding_has_its_section_on_the_page() -> None:
    """Whoever reads a name in brackets finds it in the documentation, and the page has none that is not one."""
    sources = (ROOT / "host/src/devbay/cli/doctor").glob("*.py")
    names = {name for path in sources for name in re.findall(r'Findings\("([a-z-]+)"\)', path.read_text("utf-8"))}

    assert set(re.findall(r"^### `([a-z-]+)`", PAGE, re.MULTILINE)) == names


AS_NOBODY = """
import codecs, json, os, sys
from pathlib import Path
from devbay.cli.doctor.checks import examine
from devbay.cli.doctor.scene import Place, gather
from devbay.settings import Settings

root = Path(sys.argv[1])
codecs.lookup("ascii")  # what is imported late, that user cannot read
os.setuid(65534)  # here: that user may not start a Python that is root's
place = Place(root=root, kubelet=root / "p", pod_resources=root / "pr.sock", cdi=root / "cdi")
print(json.dumps([one.plain() for one in examine(gather(place, Settings(), None))]))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_another_user_is_told_what_it_could_not_see(node: NodeTree) -> None:
    """P23: without root nothing is guessed: what could not be seen is a note that says so."""
    node.root.chmod(0o755)
    with node.live(KUBELET, "../pr.sock"):
        for path in (node.plugins / KUBELET, node.root / "pr.sock"):
            path.chmod(0o600)
        shown = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, str(node.root)], capture_output=True, text=True, check=True
        )

    findings = json.loads(shown.stdout)
    assert of(findings, "kubelet-directory", "note") == ["uid 65534 cannot make files in it; uid 0 perhaps can"]
    assert of(findings, "kubelet-socket", "note") == ["uid 65534 may not ask it"]
    assert "does not let uid 65534 in" in of(findings, "pod-resources", "note")[0]
    assert of(findings, "doctor") == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_what_another_user_cannot_look_into_hides_nothing_else(node: NodeTree) -> None:
    """P23: the kubelet's directory is below one that is root's alone on many nodes: a note, and no check fails."""
    with node.live(KUBELET, "../pr.sock"):
        node.root.chmod(0o700)
        shown = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, str(node.root)], capture_output=True, text=True, check=True
        )

    findings = json.loads(shown.stdout)
    assert of(findings, "kubelet-directory") == ["it cannot be looked at by uid 65534: Permission denied"]
    assert of(findings, "limits")
    assert of(findings, "doctor") == []
