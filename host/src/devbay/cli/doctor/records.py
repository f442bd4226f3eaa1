"""Checks of what the kubelet knows and wrote down: its checkpoint, and its pod-resources socket."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from devbay.cli.doctor.findings import Finding, Findings, typed
from devbay.cli.doctor.scene import Scene
from devbay.cli.doctor.sight import is_directory, is_there
from devbay.podresources import Silent, Why
from devbay.simulator.checkpoint import FILE

_checkpoint = Findings("checkpoint")
_pods = Findings("pod-resources")
_ROOTS = ("/var/snap/microk8s/common/var/lib/kubelet", "/var/lib/k0s/kubelet")
_SOCKET = "pod-resources/kubelet.sock"


def checkpoint(scene: Scene) -> Iterator[Finding]:
    """Whether the kubelet's checkpoint can be read, and fits what is here."""
    path = scene.place.kubelet / FILE
    if scene.checkpoint_problem.startswith("it cannot be read"):
        yield _checkpoint.note(
            scene.checkpoint_problem,
            path,
            why="what the kubelet has written down is not known",
            remedy="run devbay doctor as root",
            command="sudo devbay doctor",
        )
    elif scene.checkpoint_problem:
        yield _checkpoint.warning(
            f"it is damaged: {scene.checkpoint_problem}",
            path,
            why="a kubelet that starts ignores it, and then forgets which containers have which devices: they may be "
            "given away twice",
            remedy="drain the node before its kubelet restarts next; then remove the file, and start the kubelet",
            command=f"{typed('kubectl', 'drain', scene.node_name)} --ignore-daemonsets\nsystemctl stop kubelet\n"
            f"{typed('rm', path)}\n"
            "systemctl start kubelet",
        )
    elif scene.checkpoint is None:
        yield _checkpoint.ok("there is none: no device plugin has registered yet", path)
    else:
        found = [*_unserved(scene, path), *_gone(scene, path)]
        count = len(scene.checkpoint.registered)
        yield from found or [_checkpoint.ok(f"{count} resources are registered, all of them served", path)]


def _unserved(scene: Scene, path: Path) -> Iterator[Finding]:
    if scene.checkpoint is None or not isinstance(scene.allocatable, Mapping):
        return
    for resource, ids in sorted(scene.checkpoint.registered.items()):
        if ids and not scene.known_to_kubelet(resource):
            mine = resource in scene.offers
            yield _checkpoint.warning(
                f"{resource} was registered with {len(ids)} healthy devices, and none of them is there now",
                path,
                why="its device plugin is gone or has not registered again, or all of its devices have failed; pods "
                "that ask for it are rejected with UnexpectedAdmissionError",
                remedy="start devbay" if mine else "start its device plugin, or ask for it no more",
                command="devbay run" if mine else "",
            )


def _gone(scene: Scene, path: Path) -> Iterator[Finding]:
    """Look whether pods that hold devices are still there: the kubelet has a directory for each."""
    pods = scene.place.kubelet.parent / "pods"
    if scene.checkpoint is None or not is_directory(pods):
        return
    gone = {entry.pod_uid for entry in scene.checkpoint.entries if not is_there(pods / entry.pod_uid)}
    if gone:
        yield _checkpoint.note(
            f"it has devices for {len(gone)} pods that are gone: {', '.join(sorted(gone))}",
            path,
            why="normal: the kubelet frees devices when it next gives some away, or is asked who holds them",
        )


def pod_resources(scene: Scene) -> Iterator[Finding]:
    """Whether the kubelet tells who holds which device."""
    path = scene.place.pod_resources
    if path is None:
        yield _pods.note("not asked: kubelet.pod_resources is empty", why="who holds a device is not known")
        return
    silent = next((one for one in (scene.held, scene.allocatable) if isinstance(one, Silent)), None)
    if silent is None:
        yield _pods.ok("the kubelet tells who holds which device", path)
        return
    why = "a device that vanishes is kept for health.keep_lost seconds, since nobody can say whether a pod holds it"
    match silent.why:
        case Why.FORBIDDEN if not scene.euid:
            yield _pods.warning(
                silent.reason,
                path,
                why=why,
                remedy="uid 0 asked: where SELinux is enforcing, the pod needs the type container_device_plugin_t; the "
                "node's audit log has what it refused",
                command="ausearch -m avc -ts recent",
            )
        case Why.FORBIDDEN:
            yield _pods.note(
                silent.reason,
                path,
                why="who holds a device is not known",
                remedy="run it as root",
                command="sudo devbay doctor",
            )
        case Why.ABSENT:
            others = [p for root in _ROOTS if is_there(p := scene.place.on_node(root) / _SOCKET)]
            remedy = f"mount the directory {path.parent} of the node into the pod; it follows the kubelet's --root-dir"
            if others:
                remedy = f"{others[0]} is there: name it as kubelet.pod_resources"
            yield _pods.warning(silent.reason, path, why=why, remedy=remedy)
        case Why.UNSUPPORTED:
            yield _pods.warning(silent.reason, path, why=why, remedy="update the kubelet: 1.28 and newer have it")
        case _:
            yield _pods.warning(
                silent.reason,
                path,
                why=why,
                remedy="see to the kubelet, if it does not end by itself",
                command="systemctl status kubelet",
            )
