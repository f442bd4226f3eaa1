"""Pods as people write them for Kubernetes, read into the simulator's own. Pure: text in, values out.

Only what a device manager looks at is read; the rest of a manifest (images, volumes, probes) is passed over.
"""

import re
from collections.abc import Mapping
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


class _Variable(msgspec.Struct):
    name: str
    value: str = ""


class _Resources(msgspec.Struct):
    limits: dict[str, int | float | str] = {}
    requests: dict[str, int | float | str] = {}


class _Container(msgspec.Struct, rename="camel"):
    name: str
    env: list[_Variable] = []
    resources: _Resources = msgspec.field(default_factory=_Resources)
    restart_policy: str = ""


class _Metadata(msgspec.Struct):
    name: str
    namespace: str = "default"


class _Spec(msgspec.Struct, rename="camel"):
    containers: list[_Container]
    init_containers: list[_Container] = []


class _Manifest(msgspec.Struct):
    metadata: _Metadata
    spec: _Spec


def read(text: str, source: str) -> list[Pod]:
    """Return the pods of a manifest, JSON or YAML, one document or more. `source` names it in errors.

    Raises:
        ConfigError: it is no manifest of pods, or a cluster would refuse it for its devices.
    """
    try:
        documents = [document for document in yaml.safe_load_all(text) if document is not None]
    except yaml.YAMLError as error:
        raise ConfigError(f"{source} is not YAML: {' '.join(str(error).split())}") from error
    if not documents:
        raise ConfigError(f"{source} holds no pod")
    return [_read_one(document, source) for document in documents]


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


def _read_one(document: object, source: str) -> Pod:
    kind = cast("Mapping[str, Any]", document).get("kind") if isinstance(document, Mapping) else None
    if kind != "Pod":
        raise ConfigError(f"{source}: expected a manifest with kind: Pod, found {kind or type(document).__name__}")
    try:
        manifest = msgspec.convert(document, _Manifest)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{source}: {error}") from error
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
        env={variable.name: variable.value for variable in written.env},
        restartable=written.restart_policy == "Always",
    )


def _devices(quantities: Mapping[str, int | float | str], where: str) -> dict[str, int]:
    """Return the counts of extended resources; cpu, memory and their like have no domain."""
    return {name: quantity(value, f"{where}, {name}") for name, value in quantities.items() if "/" in name}
