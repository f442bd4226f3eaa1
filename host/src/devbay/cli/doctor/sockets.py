"""The sockets of a kubelet's directory: which of them somebody listens on, who, and for which resource.

Looks and connects, and says nothing on the connection. A device plugin is not asked: its API has no question for its
resource, and some plugins hand all that they have to whoever opened ListAndWatch last.
"""

import base64
import binascii
import errno
import os
import re
import socket
import stat
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from devbay.contract import resource_name_problem
from devbay.kubelet.directory import KUBELET_SOCKET, hash_in, refusal, resource_hash

_GENERIC = re.compile(r"gdp-(?P<name>[A-Za-z0-9_=-]+)-\d+\.sock")
_NVIDIA = re.compile(r"nvidia-(?P<name>.+)\.sock")
_PREFIXED = re.compile(r"(?P<domain>[a-z0-9.-]+\.[a-z]+)[_-](?P<name>[A-Za-z0-9_.-]+?)(\.sock)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Socket:
    """A socket in a kubelet's directory.

    Attributes:
        path: its file.
        error: why nobody can be reached on it; None if somebody listens.
        process: who does, as ``nvidia-device-plugin (process 4711)``; empty where that cannot be seen.
        ours: the hash of the resource that its name has, if its name is as devbay's are.
    """

    path: Path
    error: OSError | None = None
    process: str = ""
    ours: str = ""

    @property
    def is_live(self) -> bool:
        """Whether somebody listens."""
        return self.error is None

    @property
    def is_dead(self) -> bool:
        """Whether certainly nobody does."""
        return self.error is not None and self.error.errno == errno.ECONNREFUSED

    @property
    def who(self) -> str:
        """The file's name, and who listens."""
        return f"{self.path.name}{f', served by {self.process}' if self.process else ''}"

    def claims(self, resource: str) -> bool:
        """Whether the name of the file is one that a device plugin we know of gives to a resource."""
        return resource in guessed(self.path.name)


def in_directory(directory: Path) -> tuple[Socket, ...]:
    """Return a directory's sockets but the kubelet's own, sorted.

    Raises:
        OSError: the directory cannot be read.
    """
    return tuple(
        _look(path) for path in sorted(directory.iterdir()) if path.name != KUBELET_SOCKET and _is_socket(path)
    )


def of(sockets: Iterable[Socket], resource: str) -> list[Socket]:
    """Return the sockets on which a devbay serves a resource."""
    ours = resource_hash(resource)
    return [one for one in sockets if one.ours == ours and one.is_live]


def guessed(name: str) -> tuple[str, ...]:
    """Return the resources that a socket's name may stand for, as other device plugins name theirs.

    >>> guessed("nvidia-gpu.sock"), guessed("intel.com_sriov_dpdk.sock")
    (('nvidia.com/gpu',), ('intel.com/sriov_dpdk',))
    """
    return tuple(resource for resource in _guesses(name) if resource_name_problem(resource) is None)


def _guesses(name: str) -> Iterator[str]:
    if match := _GENERIC.fullmatch(name):
        try:
            yield base64.urlsafe_b64decode(match["name"] + "==").decode("ascii")
        except (binascii.Error, UnicodeDecodeError):
            return
    elif match := _NVIDIA.fullmatch(name):
        yield f"nvidia.com/{match['name']}"
    elif match := _PREFIXED.fullmatch(name):
        yield f"{match['domain']}/{match['name']}"


def _look(path: Path) -> Socket:
    error = refusal(path)
    return Socket(path=path, error=error, process="" if error else _listener(path), ours=hash_in(path.name))


def _listener(path: Path) -> str:
    """Return which process listens on a socket, as far as this one may see it."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(0)
            probe.connect(os.fspath(path))
            pid, _, _ = struct.unpack("3i", probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        name = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip() if pid else ""
    except OSError:  # gone meanwhile, or in another PID namespace
        return ""
    return f"{name} (process {pid})" if name else ""


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.lstat().st_mode)
    except OSError:
        return False
