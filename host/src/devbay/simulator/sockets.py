"""The kubelet's directories and its sockets: what is deleted at start, how one is served, what a dead one leaves.

A killed kubelet leaves its kubelet.sock behind (DMP/server.go never removes it at exit), while gRPC unlinks the path it
was given. So it is given one through a directory handle, which is taken away before the server is stopped.
"""

import contextlib
import os
import socket
import stat
import tempfile
from pathlib import Path
from typing import Literal

from devbay.errors import KubeletDirectoryError
from devbay.simulator import checkpoint

NAME = "kubelet.sock"


def prepare(directory: Path) -> None:
    """Make the kubelet's directory, 0755 before umask (KL/util/store/filestore.go:43-48, behaviour 1)."""
    try:
        directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as error:
        raise KubeletDirectoryError(f"cannot make the kubelet's directory {directory}: {error.strerror}") from error


def prepare_pod_resources(path: Path) -> str:
    """Make way for the pod-resources socket at `path`, and return the name to bind it under before it is renamed.

    The directory is 0750 (KL/kubelet.go:1686); an old socket goes first (cri-client, util_unix.go:38-77, behaviour 50).
    """
    try:
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        handle, temporary = tempfile.mkstemp(prefix="", dir=path.parent)
        os.close(handle)
        Path(temporary).unlink()
    except OSError as error:
        raise KubeletDirectoryError(f"cannot make way for {path}: {error.strerror}") from error
    return Path(temporary).name


def clean(directory: Path, what: Literal["sockets", "files"]) -> tuple[str, ...]:
    """Delete what a starting kubelet deletes, and return the names (DM/manager.go:192-224, behaviours 2 and 3).

    Never the checkpoint, never a directory. In directory order, as the kubelet does.
    """
    deleted = []
    with os.scandir(directory) as scan:
        entries = list(scan)
    for entry in entries:
        if entry.name == checkpoint.FILE or entry.is_dir(follow_symlinks=False):
            continue
        # A plugin may take its own socket away meanwhile; like any error here it is passed over (DM/manager.go:209).
        with contextlib.suppress(FileNotFoundError):
            if what == "files" or stat.S_ISSOCK(entry.stat(follow_symlinks=False).st_mode):
                Path(entry.path).unlink()
                deleted.append(entry.name)
    return tuple(deleted)


def answers(path: Path) -> bool:
    """Say whether something accepts connections on the socket at `path`."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1)
        try:
            client.connect(str(path))
        except OSError:
            return False
    return True


class Handle:
    """A way to name a socket for gRPC that can be taken away, so that a stopping server leaves the file alone.

    With `bind_as` it is bound under that name beside `path` and then renamed: who watches sees it appear ready.
    """

    def __init__(self, path: Path, bind_as: str = "") -> None:
        self._path = path
        self._bind_as = bind_as
        self._handle = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
        self._identity: tuple[int, int] | None = None

    @property
    def address(self) -> str:
        """The address to bind: also short enough where the directory's own path is not."""
        return f"unix:/proc/self/fd/{self._handle}/{self._bind_as or self._path.name}"

    def bound(self) -> None:
        """Give the socket its name, and remember which file we bound, so that we never remove another's."""
        if self._bind_as:
            self._path.with_name(self._bind_as).rename(self._path)
        status = self._path.stat()
        self._identity = (status.st_dev, status.st_ino)

    def let_go(self) -> None:
        """Take the name away from the server that will be stopped next."""
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, self._handle)
        os.close(null)

    def close(self) -> None:
        """Release the handle, the server having stopped."""
        os.close(self._handle)

    def remove(self) -> None:
        """Remove the socket if it is still the one we bound."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return
        if (status.st_dev, status.st_ino) == self._identity:
            self._path.unlink(missing_ok=True)


def is_fresh(directory: Path) -> bool:
    """Say whether the node registers as without a checkpoint: any file without a dot counts as one.

    DM/manager.go:1203-1209; KL/util/store/filestore.go:83-95.
    """
    with os.scandir(directory) as entries:
        return all(entry.name.startswith(".") or entry.is_dir() for entry in entries)
