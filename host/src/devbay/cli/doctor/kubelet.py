"""Checks of the kubelet's device plugin directory: whether sockets can be made in it, and who answers."""

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from devbay.cli.doctor.findings import Finding, Findings, typed
from devbay.cli.doctor.scene import Scene
from devbay.cli.doctor.sight import is_directory
from devbay.kubelet.directory import KUBELET_SOCKET, MAX_PATH, refusal

USUAL = "/var/lib/kubelet/device-plugins"
"""The kubelet's constant: it does not follow ``--root-dir`` (DM/manager.go:136)."""

_OTHERS = (
    "/var/snap/microk8s/common/var/lib/kubelet",
    "/var/lib/k0s/kubelet",
    "/var/lib/rancher/rke2/agent/kubelet",
    "/var/lib/rancher/k3s/agent/kubelet",
)
"""Root directories of kubelets that distributions bring. ``/var/lib/kubelet`` is a link to it on some."""

_NAME_BYTES = len("/devbay-01234567-01234567.sock")
_WORLD = stat.S_IWOTH
_directory = Findings("kubelet-directory")
_socket = Findings("kubelet-socket")
_sockets = Findings("plugin-sockets")


def directory(scene: Scene) -> Iterator[Finding]:
    """Whether there is a directory that a host can make its sockets in."""
    path = scene.place.kubelet
    mount = f"mount the node's {USUAL} into the pod there, writable"
    try:
        status = path.stat()
    except FileNotFoundError:
        yield _missing(scene)
        return
    except OSError as error:
        if scene.euid:
            yield _directory.note(
                f"it cannot be looked at by uid {scene.euid}: {error.strerror}",
                path,
                why="nothing of the kubelet's is in this report",
                remedy="run devbay doctor as root",
                command="sudo devbay doctor",
            )
            return
        yield _directory.problem(
            f"it cannot be looked at by uid {scene.euid}: {error.strerror}",
            path,
            why="nothing below it can be seen, and no socket can be made",
            remedy="see to the directories above it, and to what mounts them",
        )
        return
    if not stat.S_ISDIR(status.st_mode):
        yield _directory.problem(
            "it is no directory", path, why="no socket can be made in it", remedy=f"remove it, and {mount}"
        )
        return
    found = [*_space(path), *_permissions(scene, path, status)]
    yield from found or [_directory.ok(f"sockets can be made in it by uid {scene.euid}", path)]


def _missing(scene: Scene) -> Finding:
    path = scene.place.kubelet
    places = [scene.place.on_node(name) / "device-plugins" for name in _OTHERS]
    others = [place for place in places if is_directory(place)]
    remedy = "install and start the kubelet, or name its directory with --kubelet-dir (kubelet.directory)"
    if others:
        remedy = f"{others[0]} is there: name it with --kubelet-dir (kubelet.directory), if that kubelet is meant"
    elif path.as_posix() != USUAL:
        remedy = f"the kubelet's directory is always {USUAL}, whatever its --root-dir is; mount that, or name it"
    return _directory.problem(
        "it does not exist",
        path,
        why="there is no kubelet to offer devices to",
        remedy=remedy,
        command=typed("ls", "-la", path),
    )


def _space(path: Path) -> Iterator[Finding]:
    length = len(os.fsencode(path)) + _NAME_BYTES
    if length > MAX_PATH:
        yield _directory.problem(
            f"a socket's path in it would have {length} bytes, and may have {MAX_PATH}",
            path,
            why="no socket can be made there",
            remedy="mount it under a shorter path, and name that with --kubelet-dir (kubelet.directory)",
        )


def _permissions(scene: Scene, path: Path, status: os.stat_result) -> Iterator[Finding]:
    why = "no socket can be made there, so nothing is offered"
    read_only = os.statvfs(path).f_flag & os.ST_RDONLY
    if read_only:
        yield _directory.problem(
            "it is on a read-only file system",
            path,
            why=why,
            remedy="in a pod, take readOnly from its volumeMount; on the node, see why it was mounted so",
            command=typed("findmnt", "-T", path),
        )
    elif not os.access(path, os.W_OK | os.X_OK) and scene.euid:
        yield _directory.note(
            f"uid {scene.euid} cannot make files in it; uid 0 perhaps can",
            path,
            why="what only root sees is left out of this report",
            remedy="run devbay doctor as root",
            command="sudo devbay doctor",
        )
    elif not os.access(path, os.W_OK | os.X_OK):
        yield _directory.problem(
            "uid 0 cannot make files in it",
            path,
            why=why,
            remedy="see to its owner and mode; where SELinux is enforcing, the pod needs the type "
            "container_device_plugin_t",
            command=typed("ls", "-ldZ", path),
        )
    if status.st_mode & _WORLD:
        yield _directory.warning(
            "everybody may write into it",
            path,
            why="any user of the node can register devices with the kubelet",
            remedy="take that right away",
            command=typed("chmod", "o-w", path),
        )


def kubelet(scene: Scene) -> Iterator[Finding]:
    """Whether the kubelet takes registrations."""
    path = scene.place.kubelet / KUBELET_SOCKET
    if not is_directory(scene.place.kubelet):
        return
    restart = "systemctl status kubelet\njournalctl -u kubelet -n 100 --no-pager"
    error = refusal(path)
    if error is None:
        yield _socket.ok("the kubelet answers", path)
    elif error.errno in (errno.EACCES, errno.EPERM) and not scene.euid:
        yield _socket.problem(
            f"uid 0 may not ask it: {error.strerror}",
            path,
            why="no device plugin can register from here",
            remedy="where SELinux is enforcing, the pod needs the type container_device_plugin_t; the node's audit log "
            "has what it refused",
            command="ausearch -m avc -ts recent",
        )
    elif error.errno in (errno.EACCES, errno.EPERM):
        yield _socket.note(
            f"uid {scene.euid} may not ask it",
            path,
            why="whether the kubelet answers is not known",
            remedy="run devbay doctor as root",
            command="sudo devbay doctor",
        )
    elif error.errno == errno.ENOENT:
        yield _socket.problem(
            "there is none",
            path,
            why="no kubelet has started on this directory, so nobody takes registrations; devbay waits for it",
            remedy=f"start the kubelet; if it runs, this is not its directory, which is {USUAL} on the node",
            command=restart,
        )
    else:
        yield _socket.problem(
            f"nobody answers: {error.strerror or error}",
            path,
            why="the kubelet has ended or restarts, and left its socket; devbay waits for it",
            remedy="start the kubelet",
            command=restart,
        )


def sockets(scene: Scene) -> Iterator[Finding]:
    """Whether there are sockets that nobody listens on."""
    if scene.sockets is None:
        return
    ours = [one.path for one in scene.sockets if one.ours and one.is_dead]
    others = [one.path for one in scene.sockets if not one.ours and one.is_dead]
    if ours:
        yield _sockets.note(
            f"{len(ours)} of devbay that nobody listens on: {', '.join(path.name for path in ours)}",
            scene.place.kubelet,
            why="a killed devbay left them; the next one removes them, and so does a kubelet that starts",
            remedy="nothing need be done; or remove them now",
            command="devbay cleanup",
        )
    if others:
        yield _sockets.warning(
            f"{len(others)} of other device plugins that nobody listens on: {', '.join(p.name for p in others)}",
            scene.place.kubelet,
            why="their plugins have ended: their resources have no devices. Some do not start over such a file",
            remedy="see to these plugins; once they are gone for good, remove the files",
            command="\n".join(typed("rm", path) for path in others),
        )
    if not ours and not others:
        live = [one for one in scene.sockets if one.is_live]
        yield _sockets.ok(f"{len(live)} in use, none left over", scene.place.kubelet)
