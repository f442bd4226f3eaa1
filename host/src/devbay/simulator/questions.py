"""What can be asked of a simulated kubelet from another process, and how questions and answers travel: as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import msgspec

from devbay.simulator.pods import Pod


@dataclass(frozen=True, slots=True)
class CreatePod:
    """Bind a pod to the node; answered once the start of its containers was tried."""

    pod: Pod


@dataclass(frozen=True, slots=True)
class DeletePod:
    """Delete a pod."""

    name: str
    namespace: str


@dataclass(frozen=True, slots=True)
class RestartContainer:
    """Restart a container, as if it had crashed."""

    name: str
    namespace: str
    container: str


@dataclass(frozen=True, slots=True)
class DescribePods:
    """Describe the pods: all, or the one that is named."""

    name: str = ""
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class DescribeNode:
    """Describe the node."""


@dataclass(frozen=True, slots=True)
class Restart:
    """Restart the kubelet, or reboot the node: `gap` seconds pass in between."""

    gap: float
    reboot: bool


Question: TypeAlias = CreatePod | DeletePod | RestartContainer | DescribePods | DescribeNode | Restart

QUESTIONS: dict[str, type[Question]] = {
    kind.__name__: kind for kind in (CreatePod, DeletePod, RestartContainer, DescribePods, DescribeNode, Restart)
}


class Asked(msgspec.Struct):
    """A question on its way."""

    kind: str
    fields: msgspec.Raw


class Answered(msgspec.Struct):
    """An answer on its way: a value, or why there is none."""

    value: msgspec.Raw = msgspec.Raw(b"null")
    refused: str = ""


def encode(value: object) -> bytes:
    """Return any value of the simulator as JSON."""

    def plain(other: object) -> object:
        if isinstance(other, Mapping):  # a read-only view
            return dict(other)
        if isinstance(other, Path):
            return str(other)
        raise NotImplementedError(f"{type(other).__name__} does not travel")

    return msgspec.json.encode(value, enc_hook=plain)
