"""A simulated kubelet in another process: found, and asked through its control socket. Blocking, for a command line."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from devbay.errors import DevbayError, KubeletUnavailable
from devbay.simulator.control import FOLDER, NAME, address_of
from devbay.simulator.questions import Answered, Asked, Question, encode

_T = TypeVar("_T")

_LISTENING = "00010000"
"""The flags of a listening socket in /proc/net/unix (include/uapi/linux/net.h, SO_ACCEPTCON)."""


class Refused(DevbayError):  # noqa: N818 - says what the simulated kubelet did
    """Whoever asked must ask for something else: the simulated kubelet has no such pod, or has one already."""


def ask(directory: Path, question: Question, answer: type[_T]) -> _T:
    """Ask the simulator on `directory`, and return its answer, which is an `answer`.

    Raises:
        KubeletUnavailable: none is there, or it ended before it answered.
        Refused: it cannot do that; the text says why.
    """
    asked = Asked(type(question).__name__, msgspec.Raw(encode(question)))
    with socket.socket(socket.AF_UNIX) as client:
        try:
            with address_of(directory / FOLDER) as address:
                client.connect(address)
        except OSError as error:
            raise KubeletUnavailable(
                f"no simulated kubelet runs on {directory} ({error.strerror}); start one with: "
                f"devbay simulate {directory}"
            ) from error
        try:
            client.sendall(msgspec.json.encode(asked))
            client.shutdown(socket.SHUT_WR)
            data = b"".join(iter(lambda: client.recv(1 << 16), b""))
            answered = msgspec.json.decode(data, type=Answered)
        except (ConnectionError, msgspec.DecodeError) as error:
            raise KubeletUnavailable(f"the simulated kubelet on {directory} ended before it answered") from error
    if answered.refused:
        raise Refused(answered.refused)
    value: _T = msgspec.json.decode(answered.value, type=answer)
    return value


def lives(directory: Path) -> bool:
    """Say whether a simulator answers for `directory`, be its kubelet stopped or not."""
    with socket.socket(socket.AF_UNIX) as client:
        try:
            with address_of(directory / FOLDER) as address:
                client.connect(address)
        except OSError:
            return False
    return True


def running(table: Path = Path("/proc/net/unix"), usable: Callable[[Path], bool] = lives) -> list[Path]:
    """Return the directories of all simulators that this user can ask.

    The kernel lists every bound socket with its path (proc(5)); one whose path is too long for that is not found.
    """
    try:
        lines = table.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return []
    found = set()
    for line in lines:
        fields = line.split(maxsplit=7)
        if len(fields) > 7 and fields[3] == _LISTENING and fields[7].endswith(f"/{FOLDER}/{NAME}"):  # noqa: PLR2004 - proc(5)
            found.add(Path(fields[7]).parent.parent)
    return sorted(directory for directory in found if usable(directory))
