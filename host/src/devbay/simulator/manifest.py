"""Pods as people write them for Kubernetes, read into the simulator's own. Pure: text in, values out.

Only what a device manager looks at is read; the rest of a manifest (images, volumes, probes) is passed over. What a
reader would miss in the container's environment is told.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import msgspec
import yaml

from devbay.errors import ConfigError
from devbay.simulator.pods import Container, Pod

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LONGEST_NAME = 253
_LONGEST_LABEL = 63
_QUANTITY = re.compile(r"(\d+)(|k|Ki|M|Mi|G|Gi)")
_FACTORS = {"": 1, "k": 1000, "Ki": 1024, "M": 1000**2, "Mi": 1024**2, "G": 1000**3, "Gi": 1024**3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a manifest says.

    Attributes:
        pods: its pods, in order.
        unread: a sentence for each thing in it that a cluster would give its containers and a simulator cannot.
    """

    pods: tuple[Pod, ...]
    unread: tuple[str, ...] = ()


class _Variable(msgspec.Struct, rename="camel"):
    name: str
    value: str = ""
    value_from: dict[str, Any] | None = None


class _Resources(msgspec.Struct):
    limits: dict[str, int | float | str] = {}
    requests: dict[str, int | float | str] = {}


class _Container(msgspec.Struct, rename="camel"):
    name: str
    env: list[_Variable] = []
    env_from: list[dict[str, Any]] = []
    resources: _Resources = msgspec.field(default_factory=_Resources)
    restart_policy: str = ""


class _Metadata(msgspec.Struct):
    name: str
    namespace: str = "default"


class _Spec(msgspec.Struct, rename="camel"):
    containers: list[_Container]
    init_containers: list[_Container] = []


class _Document(msgspec.Struct):
    metadata: _Metadata
    spec: _Spec


def read(text: str, source: str) -> Manifest:
    """Return what a manifest says, JSON or YAML, one document or more. `source` names it in what is told of it.

    Raises:
        ConfigError: it is no manifest of pods, or a cluster would refuse it for its devices.
    """
    try:
        found = [document for document in yaml.safe_load_all(text) if document is not None]
    except yaml.YAMLError as error:
        raise ConfigError(f"{source} is not YAML: {' '.join(str(error).split())}") from error
    if not found:
        raise ConfigError(f"{source} holds no pod")
    documents = [_document(each, source) for each in found]
    return Manifest(
        pods=tuple(_pod(document, source) for document in documents),
        unread=tuple(f"{source}: {told}" for document in documents for told in _unread(document)),
    )


def quantity(value: float | str, what: str) -> int:
    """Return a count of devices as Kubernetes writes one: a whole number, or such as ``2k``.

    An extended resource is counted in whole numbers (pkg/apis/core/validation/validation.go, ValidateResourceQuantity-
    Value).
    """
    match = _QUANTITY.fullmatch(str(value))
    if match is None:
        raise ConfigError(f"{what}: {value!r} is not a whole number of devices")
    return int(match[1]) * _FACTORS[match[2]]


def check(pod: Pod) -> Pod:
    """Return `pod` if a cluster would take its names, else raise `ConfigError`."""
    if not _NAME.fullmatch(pod.name) or len(pod.name) > _LONGEST_NAME:
        raise ConfigError(f"pod {pod.name!r}: a pod's name is lower case letters, digits, '-' and '.'")
    if not _LABEL.fullmatch(pod.namespace) or len(pod.namespace) > _LONGEST_LABEL:
        raise ConfigError(f"namespace {pod.namespace!r}: a name is lower case letters, digits and '-'")
    if not pod.containers:
        raise ConfigError(f"pod {pod.name} has no containers")
    names = [container.name for container in pod.all_containers]
    for name in names:
        if not _LABEL.fullmatch(name) or len(name) > _LONGEST_LABEL:
            raise ConfigError(f"container {name!r}: a name is lower case letters, digits and '-'")
        if names.count(name) > 1:
            raise ConfigError(f"pod {pod.name} has two containers called {name}")
    return pod


def _document(found: object, source: str) -> _Document:
    if not isinstance(found, Mapping):
        raise ConfigError(f"{source}: expected a manifest with kind: Pod, found {found!r:.60}")
    kind = cast("Mapping[str, Any]", found).get("kind", "none")
    if kind != "Pod":
        raise ConfigError(f"{source}: expected a manifest with kind: Pod, found kind: {kind}")
    try:
        return msgspec.convert(found, _Document)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{source}: {error}") from error


def _pod(manifest: _Document, source: str) -> Pod:
    try:
        return check(
            Pod(
                name=manifest.metadata.name,
                namespace=manifest.metadata.namespace,
                containers=tuple(_container(container) for container in manifest.spec.containers),
                init_containers=tuple(_container(container) for container in manifest.spec.init_containers),
            )
        )
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from error


def _unread(manifest: _Document) -> Iterator[str]:
    """Yield what is said of variables whose values only a cluster has: an empty one would be a wrong one."""
    for container in manifest.spec.init_containers + manifest.spec.containers:
        where = f"pod {manifest.metadata.name}, container {container.name}"
        for variable in container.env:
            if variable.value_from is not None:
                source = next(iter(variable.value_from), "nothing")
                yield f"{where}: {variable.name} is left out, for its value is from {source}; write a value to set it"
        if container.env_from:
            yield f"{where}: envFrom is left out; write the variables that matter into env"


def _container(written: _Container) -> Container:
    limits = _devices(written.resources.limits, f"container {written.name}, limits")
    for resource, count in _devices(written.resources.requests, f"container {written.name}, requests").items():
        # An extended resource cannot be overcommitted (pkg/apis/core/validation/validation.go).
        if limits.get(resource) != count:
            raise ConfigError(
                f"container {written.name} requests {count} of {resource}, and its limit is "
                f"{limits.get(resource, 'not set')}: they must be equal"
            )
    return Container(
        name=written.name,
        limits=limits,
        env={variable.name: variable.value for variable in written.env if variable.value_from is None},
        restartable=written.restart_policy == "Always",
    )


def _devices(quantities: Mapping[str, int | float | str], where: str) -> dict[str, int]:
    """Return the counts of extended resources; cpu, memory and their like have no domain."""
    return {name: quantity(value, f"{where}, {name}") for name, value in quantities.items() if "/" in name}
