"""What a backend's answers must look like, and which parts of one can be used.

Pure. A backend is someone else's code: whatever it returns is judged here before anything else sees it, item by item,
so that one wrong device costs that device, with a reason, and none of its neighbours. An answer that is no answer at
all raises `ContractViolation` with what was expected.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeGuard

from devbay.model import HEALTHY, ContainerEdits, Device, DeviceNode, Health, Hook, Mount, unhealthy

_MAX_DEVICE_ID = 63  # the device plugin API's own words; the kubelet does not check
_DEVICE_ID = re.compile(r"[!-+\--~]+")  # printable ASCII without space and comma
_MAX_DOMAIN = 244
_MAX_TYPE = 63
_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_TYPE = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_ENV_NAME = re.compile(r"[^=\x00]+")
_PERMISSIONS = "rwm"
_MAX_NUMA_NODE = 2**31 - 1  # far above any machine's, and within what both protocols can say
_HOOKS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
_SHOWN = 80
_MAX_EXPLANATION = 4000
_MAX_DEVICES = 100_000  # more than a list within the kubelet's 4 MiB can hold


class ContractViolation(Exception):  # noqa: N818 - becomes a BackendBug once it is known whose it is
    """An answer that cannot be used at all. The text says what was returned and what was expected."""


class Rejection(NamedTuple):
    """One item of an answer that is not used.

    Attributes:
        item: what it is, as a person would look for it: a device's id where it has one.
        reason: why it is not used, and what would be.
    """

    item: str
    reason: str


def resource_name_problem(name: object) -> str | None:
    """Return why `name` is no extended resource name, or None if it is one.

    The rule is Kubernetes' (``IsExtendedResourceName``): ``vendor-domain/type``, the domain a lower-case DNS name of
    at most 244 characters outside ``kubernetes.io``, the type at most 63 letters, digits, ``-``, ``_`` and ``.``.
    """
    if not isinstance(name, str):
        return f"resource must be a str, not {_show(name)}"
    domain, slash, kind = name.partition("/")
    problem = None
    if not slash or "/" in kind:
        problem = "it must read vendor-domain/type, with one slash"
    elif "kubernetes.io/" in name or name.startswith("requests."):
        problem = "Kubernetes keeps names in kubernetes.io and names starting with requests. for itself"
    elif len(domain) > _MAX_DOMAIN or not _DOMAIN.fullmatch(domain):
        problem = f"the part before the slash must be a lower-case DNS name of at most {_MAX_DOMAIN} characters"
    elif len(kind) > _MAX_TYPE or not _TYPE.fullmatch(kind):
        problem = (
            f"the part after the slash must be at most {_MAX_TYPE} letters, digits, '-', '_' or '.', "
            "beginning and ending with a letter or digit"
        )
    return problem and f"illegal resource name {name!r}: {problem}"


def accept_devices(answer: object) -> tuple[tuple[Device, ...], tuple[Rejection, ...]]:
    """Return the devices of a `discover` answer that can be used, sorted by id, and the rest with reasons.

    NUMA nodes come out sorted, without duplicates and without negative ones; sequences come out as tuples.

    Raises:
        ContractViolation: the answer is None or is no iterable of devices at all.
    """
    if answer is None:
        raise ContractViolation("discover returned None instead of devices; return an empty list where there are none")
    if isinstance(answer, (str, bytes, Mapping)) or not isinstance(answer, Iterable):
        raise ContractViolation(f"discover returned {_show(answer)} instead of devices")
    accepted: dict[str, Device] = {}
    rejected: list[Rejection] = []
    for position, item in enumerate(answer):
        if position >= _MAX_DEVICES:
            raise ContractViolation(f"discover returned more than {_MAX_DEVICES} devices, or does not end")
        device = _judge(item)
        if isinstance(device, str):
            name = item.id if isinstance(item, Device) and isinstance(item.id, str) else ""
            rejected.append(Rejection(name or f"item {position}", device))
        elif device.id in accepted:
            rejected.append(Rejection(device.id, "a second device with this id; the first one is used"))
        else:
            accepted[device.id] = device
    return tuple(accepted[key] for key in sorted(accepted)), tuple(rejected)


def accept_health(answer: object, devices: Sequence[Device]) -> dict[str, Health]:
    """Return the health of each of `devices` from a `check` answer; what it does not say is unhealthy.

    Raises:
        ContractViolation: the answer is no mapping.
    """
    if not isinstance(answer, Mapping):
        raise ContractViolation(f"check returned {_show(answer)} instead of a mapping of device id to health")
    return {device.id: _health(answer.get(device.id)) for device in devices}


def accept_edits(answer: object) -> ContainerEdits:
    """Return an `edit` answer with `host_path` filled in and sequences as tuples.

    Raises:
        ContractViolation: the answer holds something that no container can be given; the text names it.
    """
    if not isinstance(answer, ContainerEdits):
        raise ContractViolation(f"edit returned {_show(answer)} instead of devbay.api.ContainerEdits")
    return ContainerEdits(
        env=_strings("env", answer.env, _ENV_NAME),
        device_nodes=tuple(_device_node(item) for item in _items("device_nodes", answer.device_nodes, DeviceNode)),
        mounts=tuple(_mount(item) for item in _items("mounts", answer.mounts, Mount)),
        annotations=_strings("annotations", answer.annotations, _ENV_NAME),
        hooks=tuple(_hook(item) for item in _items("hooks", answer.hooks, Hook)),
    )


def accept_affinity(answer: object) -> float:
    """Return an `affinity` answer as a number; 0 is "not close".

    Raises:
        ContractViolation: it is no finite number.
    """
    if answer is None:
        return 0.0
    if not isinstance(answer, int | float) or not math.isfinite(answer):
        raise ContractViolation(f"affinity returned {_show(answer)} instead of a number")
    return float(answer)


def accept_explanation(answer: object) -> str:
    """Return an `explain` answer as text of lines; empty where there is nothing to add.

    Raises:
        ContractViolation: it is no text.
    """
    if answer is None:
        return ""
    if not isinstance(answer, str):
        raise ContractViolation(f"explain returned {_show(answer)} instead of text")
    text = "".join(
        letter if letter.isprintable() or letter == "\n" else "\N{REPLACEMENT CHARACTER}" for letter in answer
    )
    return text.strip()[:_MAX_EXPLANATION]


def _judge(item: object) -> Device | str:
    """Return an item of an answer as a device that can be used, or why it is none."""
    if not isinstance(item, Device):
        return f"is {_show(item)}, not a devbay.api.Device"
    try:
        return _device_problem(item) or _tidy(item)
    except Exception as error:  # noqa: BLE001 - its values are objects of someone else's; they cost this device alone
        return f"cannot be read: {_show(error)}"


def _device_problem(device: Device) -> str | None:
    device_id: object = device.id  # what the type promises is what is judged here
    if not isinstance(device_id, str) or not device_id:
        return f"its id is {_show(device_id)}, not a non-empty str"
    if len(device_id) > _MAX_DEVICE_ID or not _DEVICE_ID.fullmatch(device_id) or "::" in device_id:
        return (
            f"illegal device id {device_id!r}: at most {_MAX_DEVICE_ID} printable ASCII characters without space, "
            "comma or '::'"
        )
    return resource_name_problem(device.resource) or _details_problem(device)


def _details_problem(device: Device) -> str | None:
    if not _is_sequence_of(device.numa_nodes, int) or any(node > _MAX_NUMA_NODE for node in device.numa_nodes):
        return f"its numa_nodes are {_show(device.numa_nodes)}, not integers that number NUMA nodes"
    if not _is_sequence_of(device.paths, str) or not all(path.startswith("/") for path in device.paths):
        return f"its paths are {_show(device.paths)}, not absolute paths"
    if not isinstance(device.parent, str | None):
        return f"its parent is {_show(device.parent)}, not an id"
    if not isinstance(device.attributes, Mapping):
        return f"its attributes are {_show(device.attributes)}, not a mapping"
    attributes: dict[Any, Any] = dict(device.attributes)
    for name, value in attributes.items():
        if not isinstance(name, str) or not isinstance(value, str | int | bool):
            return f"its attribute {name!r} is {_show(value)}, not a str, int or bool"
    return None


def _tidy(device: Device) -> Device:
    """Return the device as plain values: a subclass's methods are someone else's code, and end here."""
    return Device(
        id=_plain(device.id),
        resource=_plain(device.resource),
        numa_nodes=tuple(sorted({int.__int__(node) for node in device.numa_nodes if node >= 0})),
        parent=None if device.parent is None else _plain(device.parent),
        paths=tuple(_plain(path) for path in device.paths),
        attributes={_plain(name): _plain(value) for name, value in dict(device.attributes).items()},
    )


def _plain(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    return str.__str__(value) if isinstance(value, str) else int.__int__(value)


def _health(value: object) -> Health:
    if value is None:
        return unhealthy("not reported by the backend's check")
    if isinstance(value, Health):
        return HEALTHY if value.healthy is True else unhealthy(_text(value.reason))
    return unhealthy(f"check returned {_show(value)} instead of devbay.api.Health")


def _device_node(node: DeviceNode) -> DeviceNode:
    node = replace(node, host_path=node.host_path or node.path)
    _absolute("device node", node.path, node.host_path)
    asked: object = node.permissions  # what the type promises is what is judged here
    if not isinstance(asked, str) or not asked or len(set(asked)) < len(asked) or not set(asked) <= set(_PERMISSIONS):
        raise ContractViolation(f"edit gave {node.path} the permissions {_show(asked)}; use 'r', 'w' and 'm'")
    return replace(node, permissions="".join(letter for letter in _PERMISSIONS if letter in asked))


def _mount(mount: Mount) -> Mount:
    mount = replace(mount, host_path=mount.host_path or mount.container_path)
    _absolute("mount", mount.container_path, mount.host_path)
    if not isinstance(mount.read_only, bool):
        raise ContractViolation(
            f"edit mounts {mount.container_path} with read_only {_show(mount.read_only)}, not a bool"
        )
    return mount


def _hook(hook: Hook) -> Hook:
    _absolute("hook", hook.path)
    if not _is_sequence_of(hook.args, str) or not _is_sequence_of(hook.env, str):
        raise ContractViolation(f"edit returned the hook {hook.path} whose args or env are no sequences of str")
    if hook.hook_name not in _HOOKS:
        raise ContractViolation(
            f"edit returned the hook {hook.path} with hook_name {_show(hook.hook_name)}; use one of {', '.join(_HOOKS)}"
        )
    timeout: object = hook.timeout
    if timeout is not None and (not isinstance(timeout, int) or isinstance(timeout, bool) or timeout <= 0):
        raise ContractViolation(f"edit returned the hook {hook.path} with timeout {_show(timeout)}, not whole seconds")
    return replace(hook, args=tuple(hook.args), env=tuple(hook.env))


def _absolute(what: str, *paths: object) -> None:
    for path in paths:
        if not _is_writable(path) or not path.startswith("/"):
            raise ContractViolation(f"edit returned a {what} with the path {_show(path)}, which is not absolute")


def _items(field: str, value: object, kind: type) -> tuple[Any, ...]:
    if not _is_sequence_of(value, kind):
        raise ContractViolation(f"edit returned {field} that are {_show(value)} instead of devbay.api.{kind.__name__}")
    return tuple(value)  # type: ignore[arg-type]  # just seen to be a sequence


def _strings(field: str, value: object, name: re.Pattern[str]) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise ContractViolation(f"edit returned {field} that are {_show(value)} instead of a mapping")
    for key, text in value.items():
        if not _is_writable(key) or not name.fullmatch(key):
            raise ContractViolation(f"edit returned {field} with the illegal name {_show(key)}")
        if not _is_writable(text):
            raise ContractViolation(f"edit returned {field} in which {key} is {_show(text)}, not a str of plain text")
    return dict(value)


def _is_sequence_of(value: object, kind: type) -> bool:
    return (
        isinstance(value, Sequence)
        and not isinstance(value, (str, bytes))
        and all(isinstance(item, kind) and not (kind is int and isinstance(item, bool)) for item in value)
    )


def _is_writable(value: object) -> TypeGuard[str]:
    """Whether a value is text that a message to the kubelet, and an environment, can hold."""
    return isinstance(value, str) and "\0" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - someone else's object; what it is must not matter
        return f"a {type(value).__name__} that cannot be shown"


def _show(value: object) -> str:
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - as in _text
        text = "that cannot be shown"
    return f"{type(value).__name__} {text if len(text) <= _SHOWN else text[:_SHOWN] + '…'}"
