"""What the cases share: what they ask of the rig, and how they judge an answer."""

import gc
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest

from devbay import contract
from devbay.errors import BackendUnavailable
from devbay.model import ContainerEdits, Device, Health, Node
from devbay.testing import answers
from devbay.testing.kubelet import SimulatedKubelet
from devbay.testing.trial import NoAnswer, Trial, by_resource, violation

T = TypeVar("T")

MAX_ASKED = 3
"""How many devices a request for several has: as many as show an order."""
_HEARD = 4
"""After so many answers of the kubelet a host has believed one: the first may be from before, two in a row count."""
MANY = 8
"""How many devices a request for all has: more than anybody thinks of, and few enough to look at every pair."""


def need(given: Callable[[T], object] | None, name: str) -> Callable[[T], object]:
    """Return what the rig gives, or skip the case."""
    if given is None:
        pytest.skip(f"the rig has no `{name}`, which this case needs")
    return given


def found(trial: Trial) -> Sequence[Any]:
    """Return the items of a `discover` answer; none where the backend is unavailable."""
    try:
        return trial.discover()
    except BackendUnavailable:
        return ()


def devices_as_given(trial: Trial) -> list[Device]:
    """Return the devices of a `discover` answer, the unusable ones included."""
    given = trial.discover()
    if wrong := [item for item in given if not isinstance(item, Device)]:
        violation(f"discover returned {wrong[0]!r}, which is no devbay.api.Device")
    return given


def several(trial: Trial, most: int = MAX_ASKED) -> list[list[Device]]:
    """Return, for each resource that has several, some devices."""
    groups = [devices[:most] for devices in by_resource(trial.devices()).values() if len(devices) > 1]
    if not groups:
        pytest.skip("the rig has no two devices of one resource, which this case needs")
    return groups


def alone(trial: Trial, devices: Sequence[Device]) -> dict[str, ContainerEdits]:
    """Return what each device's container gets if it asks for that one alone, by id."""
    return {device.id: trial.edit([device]) for device in devices}


def judge(devices: Sequence[Device]) -> None:
    """Fail if a host would refuse one of these."""
    _, rejected = contract.accept_devices(devices)
    if rejected:
        violation("; ".join(f"{item}: {reason}" for item, reason in rejected))


def judge_health(answer: Mapping[str, Any], devices: Sequence[Device]) -> None:
    """Fail if a `check` answer leaves a person asking why a device is unhealthy."""
    for device in devices:
        health = answer.get(device.id)
        if not isinstance(health, Health):
            violation(f"check says {health!r} of {device.id}; say HEALTHY or unhealthy(reason)")
        elif not health and health.reason.strip() in {"", "no reason given"}:
            violation(f"check calls {device.id} unhealthy and does not say why")


def survives(trial: Trial, device: Device) -> None:
    """Fail if an `edit` for a device that is gone does worse than answer or raise."""
    try:
        trial.edit([device])
    except NoAnswer as error:
        violation(f"{device.id} vanished: {error}; return the edits, or raise an exception that says what is wrong")
    except Exception:  # noqa: BLE001 - any exception is a fine answer: it becomes that one pod's event
        return


def answers_meanwhile(trial: Trial, devices: Sequence[Device]) -> None:
    """Fail if `edit` does not answer while a `discover` is held."""
    try:
        trial.edit(devices)
    except NoAnswer as error:
        violation(f"discover waits for the hardware, and {error}; edit must not need a lock that discover holds")


def closeness(trial: Trial, a: Device, b: Device) -> float | str:
    """Return how close two devices are, as the host takes it; where there is no such number, what is wrong."""
    try:
        return contract.accept_affinity(trial.affinity(a, b))
    except contract.ContractViolation as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - whatever it raises is an answer that is no number
        return f"it raised {error!r}"


def stay(kubelet: SimulatedKubelet, resource: str) -> None:
    """Let a pod hold a device until a host that asks the kubelet has heard of it, and end it; fail if it cannot run."""

    def answers() -> int:
        return kubelet.kubelet.metrics.pod_resources_endpoint_requests_list["v1"]

    container = kubelet.give(resource, pod="stays").container("main")
    if container.state != "Running":
        violation(f"a container with {resource} is {container.state}: {container.reason} {container.message}")
    before = answers()
    kubelet.wait_until(lambda: answers() >= before + _HEARD, "questions of the host about who holds what")
    kubelet.delete_pod("stays")


def open_files() -> int:
    """Return how many files this process has open, those that nobody refers to any more not counted."""
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


def host_paths(edits: ContainerEdits) -> set[str]:
    """Return the node's paths that a container is to get, whether as device nodes or as mounts."""
    return {trait.what for trait in answers.traits(edits) if not trait.place.startswith("env ")}


def empty_node(place: Path) -> Node:
    """Make a node that has nothing."""
    node = Node(name="bare", sys=place / "sys", dev=place / "dev", proc=place / "proc")
    for root in (node.sys, node.dev, node.proc):
        root.mkdir(parents=True)
    return node


def listed(names: Iterable[object]) -> str:
    """Return ids, devices or paths as a person reads them, cut short where they are many."""
    texts = sorted(str(getattr(name, "id", name)) for name in names)
    return ", ".join(texts[:10]) + (f" and {len(texts) - 10} more" if len(texts) > 10 else "") or "nothing"  # noqa: PLR2004 - as many as one line shows
