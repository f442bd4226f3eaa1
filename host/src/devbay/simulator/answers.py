"""What a plugin answers to Allocate, and how the answers for one container become one. Pure.

The first answer that names a thing wins; a later one that differs is a conflict, which the kubelet only logs
(DM/pod_devices.go:247-372, behaviour 43).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from devbay.model import DeviceNode, Mount

_T = TypeVar("_T")

KUBELET_ANNOTATIONS = (
    "io.kubernetes.container.hash",
    "io.kubernetes.container.restartCount",
    "io.kubernetes.container.terminationMessagePath",
    "io.kubernetes.container.terminationMessagePolicy",
)
"""Annotations that the kubelet sets on every container, over a plugin's (KL/kuberuntime/labels.go:112-120)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One container's answer from one plugin.

    Attributes:
        env: environment variables.
        mounts: mounts, in order.
        device_nodes: device nodes, in order.
        annotations: annotations for the runtime.
        cdi_names: CDI device names, in order.
        raw: the message as it came, for the checkpoint.
    """

    env: Mapping[str, str] = field(default_factory=dict, hash=False)
    mounts: tuple[Mount, ...] = ()
    device_nodes: tuple[DeviceNode, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)
    cdi_names: tuple[str, ...] = ()
    raw: bytes = b""


@dataclass(frozen=True, slots=True)
class Merged:
    """What a container gets from all its plugins together, and what they disagreed on."""

    answer: Answer
    conflicts: tuple[str, ...]


def merge(answers: Sequence[Answer]) -> Merged:
    """Merge the answers for one container; the order decides who wins, and the kubelet's order is random."""
    conflicts: list[str] = []

    def first(items: Iterable[_T], key: Callable[[_T], str], value: Callable[[_T], Any], text: str) -> list[_T]:
        kept: dict[str, _T] = {}
        for item in items:
            winner = kept.setdefault(key(item), item)
            if text and value(winner) != value(item):
                conflicts.append(f"{text}: {key(item)} is {value(winner)}, ignoring {value(item)}")
        return list(kept.values())

    def pairs(maps: Iterable[Mapping[str, str]], text: str) -> dict[str, str]:
        items = [pair for mapping in maps for pair in mapping.items()]
        return dict(first(items, lambda pair: pair[0], lambda pair: pair[1], text))

    merged = Answer(
        env=pairs((answer.env for answer in answers), "Environment variable has conflicting setting"),
        device_nodes=tuple(
            first(
                (node for answer in answers for node in answer.device_nodes),
                lambda node: node.path,
                lambda node: node.host_path,
                "Container device has conflicting mapping host devices",
            )
        ),
        mounts=tuple(
            first(
                (mount for answer in answers for mount in answer.mounts),
                lambda mount: mount.container_path,
                lambda mount: mount.host_path,
                "Container mount has conflicting mapping host mounts",
            )
        ),
        annotations=pairs((answer.annotations for answer in answers), "Annotation has conflicting setting"),
        cdi_names=tuple(dict.fromkeys(name for answer in answers for name in answer.cdi_names)),
    )
    return Merged(merged, tuple(conflicts))


def final_env(plugins: Mapping[str, str], pod: Mapping[str, str]) -> dict[str, str]:
    """Return a container's environment: the plugins' first, the pod's own over it (KL/kubelet_pods.go:656)."""
    return {**plugins, **pod}


def final_annotations(plugins: Mapping[str, str], restarts: int) -> dict[str, str]:
    """Return the plugins' annotations, the kubelet's own values over those keys that it sets itself."""
    own = dict.fromkeys(KUBELET_ANNOTATIONS, "")
    own |= {
        KUBELET_ANNOTATIONS[1]: str(restarts),
        KUBELET_ANNOTATIONS[2]: "/dev/termination-log",
        KUBELET_ANNOTATIONS[3]: "File",
    }
    return {key: own.get(key, value) for key, value in plugins.items()}
