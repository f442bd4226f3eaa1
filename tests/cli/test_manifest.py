"""``devbay manifest`` and the files in ``deploy/``: both are the same, are valid, and ask for little (P23)."""

import itertools
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]  # it comes without types
import pytest
import yaml

from devbay.cli.manifest import composing
from devbay.settings import NodeSection
from devbay.sources import read
from tests.house.workspace import ROOT

COMPONENTS = ("cdi", "devinfo", "events", "pod-resources", "prometheus-operator")
OVERLAYS = sorted(path.parent for path in (ROOT / "deploy/overlays").glob("*/kustomization.yaml"))
EXAMPLES = sorted((ROOT / "deploy/examples").glob("**/*.yaml"))
APPLIED = [path for path in EXAMPLES if path.name != "config.yaml"]
MANIFESTS = sorted((ROOT / "host/src/devbay/manifests").glob("**/daemonset.yaml"))
VERSIONS = ("1.32", "1.36")


def kustomize(folder: Path) -> list[dict[str, Any]]:
    """Return what the real kustomize makes of a folder, as ``kubectl kustomize`` has it."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl, which holds kustomize, is not installed")
    done = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``devbay manifest``."""
    command = [sys.executable, "-m", "devbay", "manifest", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def ours(*arguments: str) -> list[dict[str, Any]]:
    """Return what ``devbay manifest`` prints."""
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def ordered(value: Any) -> Any:
    """Return a value with its lists in one order: kustomize puts what it adds first, and we put it last."""
    if isinstance(value, dict):
        return {key: ordered(item) for key, item in value.items()}
    if isinstance(value, list):
        return sorted((ordered(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True))
    return value


def by_kind(objects: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    """Return the one object of a kind."""
    (found,) = (one for one in objects if one["kind"] == kind)
    return found


def the_pod(objects: list[dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the pod that the DaemonSet makes, and its container."""
    pod = by_kind(objects, "DaemonSet")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    return pod, container


COMBINATIONS = [chosen for count in (0, 1, 2, len(COMPONENTS)) for chosen in itertools.combinations(COMPONENTS, count)]
"""The base, each component, each two, and all."""


def test_every_component_is_known() -> None:
    """A component that is added to the files is a flag of the command, and tried here."""
    assert composing.COMPONENTS == COMPONENTS


@pytest.mark.parametrize("components", COMBINATIONS, ids=",".join)
def test_it_is_what_kustomize_makes(tmp_path: Path, components: tuple[str, ...]) -> None:
    """For those without kustomize the command prints what kustomize makes of the same files."""
    place = tmp_path / "overlay"
    place.mkdir()
    content = {
        "resources": ["../deploy/base"],
        "components": [f"../deploy/components/{name}" for name in components],
    }
    (tmp_path / "deploy").symlink_to(ROOT / "deploy")
    (place / "kustomization.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")

    assert ordered(composing.compose(components)) == ordered(kustomize(place))


def test_the_command_composes_what_its_flags_name() -> None:
    """Each flag adds its component, and nothing else is there."""
    flags = [f"--{name}" for name in COMPONENTS]

    assert ours() == composing.compose(())
    assert ours(*flags) == composing.compose(COMPONENTS)


def test_options() -> None:
    """Image, namespace, backends, nodes, and the kubelet's directory on the node can be chosen."""
    objects = ours(
        *("--image", "r.example.com/d:1", "--namespace", "hardware", "--backends", "gpu-*: nvidia", "--events"),
        *("--node-selector", "gpu=true", "--kubelet-dir", "/var/lib/k0s/kubelet/device-plugins"),
    )
    pod, container = the_pod(objects)

    assert container["image"] == "r.example.com/d:1"
    assert {"name": "DEVBAY_BACKENDS", "value": "gpu-*: nvidia"} in container["env"]
    assert pod["nodeSelector"] == {"gpu": "true"}
    assert {volume["name"]: volume.get("hostPath", {}).get("path") for volume in pod["volumes"]} == {
        "device-plugins": "/var/lib/k0s/kubelet/device-plugins",
        "dev": "/dev",
        "config": None,
    }
    assert {one["metadata"].get("namespace", "hardware") for one in objects} == {"hardware", "default"}
    assert {one["kind"] for one in objects if one["metadata"].get("namespace") == "default"} == {"Role", "RoleBinding"}
    assert by_kind(objects, "Namespace")["metadata"]["name"] == "hardware"
    assert by_kind(objects, "RoleBinding")["subjects"][0]["namespace"] == "hardware"


def test_a_configuration_goes_into_the_config_map(tmp_path: Path) -> None:
    """The file that is named is what the ConfigMap holds, comments and all."""
    file = tmp_path / "config.yaml"
    file.write_text("# ours\nbackends: [mock]\n", encoding="utf-8")

    assert by_kind(ours("--config", str(file)), "ConfigMap")["data"] == {"config.yaml": "# ours\nbackends: [mock]\n"}


@pytest.mark.parametrize("arguments", [["--node-selector", "gpu"], ["--config", "/nowhere"], ["--cdy"]])
def test_bad_options(arguments: list[str]) -> None:
    """What cannot be meant is refused, and nothing is printed that could be applied."""
    done = run(*arguments)

    assert (done.returncode, done.stdout) == (2, "")
    assert arguments[-1] in done.stderr


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("folder", [ROOT / "deploy/base", *OVERLAYS], ids=lambda path: path.name)
def test_kubernetes_knows_every_field(folder: Path, version: str) -> None:
    """Base and overlays are valid by Kubernetes' own schemas, without a field that it would ignore."""
    for one in kustomize(folder):
        if "monitoring.coreos.com" not in one["apiVersion"]:
            kubernetes_validate.validate(one, version, strict=True)


@pytest.mark.parametrize("file", APPLIED, ids=lambda path: str(path.relative_to(ROOT / "deploy/examples")))
def test_examples_are_valid(file: Path) -> None:
    """Every example that is to be applied is valid by Kubernetes' own schemas."""
    for one in yaml.safe_load_all(file.read_text(encoding="utf-8")):
        kubernetes_validate.validate(one, VERSIONS[-1], strict=True)


@pytest.mark.parametrize("folder", OVERLAYS, ids=lambda path: path.name)
def test_the_overlays_configurations_can_be_used(folder: Path) -> None:
    """P20: what an overlay configures is read without a complaint."""
    text = by_kind(kustomize(folder), "ConfigMap")["data"]["config.yaml"]

    assert read(text, "config.yaml", {}).settings().node == NodeSection()


@pytest.mark.parametrize("components", COMBINATIONS, ids=",".join)
def test_nothing_more_than_it_needs(components: tuple[str, ...]) -> None:
    """P23: whatever is switched on: no privilege, no capability, a read-only root, nothing of the node's own."""
    pod, container = the_pod(composing.compose(components))

    assert container["securityContext"] == {
        "runAsUser": 0,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["securityContext"] == {"seccompProfile": {"type": "RuntimeDefault"}}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    assert pod["automountServiceAccountToken"] is ("events" in components)


@pytest.mark.parametrize("file", MANIFESTS, ids=lambda path: path.parent.name)
def test_each_directory_of_the_node_says_why(file: Path) -> None:
    """P23: beside everything that is mounted, where it is declared or where it is used, stands why."""
    lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    volumes = lines[lines.index("volumes:") :] if "volumes:" in lines else []
    explained = {line for before, line in itertools.pairwise(lines) if before.startswith("#")}

    assert [line for line in volumes if line.startswith("- name:") and line not in explained] == []


def test_a_directory_without_a_reason_is_noticed(tmp_path: Path) -> None:
    """The check above can fail."""
    file = tmp_path / "daemonset.yaml"
    file.write_text("volumes:\n  - name: secret\n    hostPath: {path: /etc}\n", encoding="utf-8")

    with pytest.raises(AssertionError):
        test_each_directory_of_the_node_says_why(file)
