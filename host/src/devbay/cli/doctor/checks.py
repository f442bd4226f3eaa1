"""All checks, in the order of a device's way to a pod. A check that fails by itself is a finding too."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from devbay.cli.doctor import backends, cdi, kubelet, limits, node, records, rivals, runtime
from devbay.cli.doctor.findings import Finding, Findings
from devbay.cli.doctor.scene import Scene
from devbay.threads import describe

Check: TypeAlias = Callable[[Scene], Iterable[Finding]]

CHECKS: tuple[Check, ...] = (
    backends.configuration,
    backends.backends,
    backends.devices,
    kubelet.directory,
    kubelet.kubelet,
    kubelet.sockets,
    rivals.hosts,
    rivals.rivals,
    records.checkpoint,
    records.pod_resources,
    cdi.directory,
    cdi.files,
    runtime.switches,
    node.status,
    limits.inotify,
    limits.files,
)

_itself = Findings("doctor")


def examine(scene: Scene, checks: Iterable[Check] = CHECKS) -> tuple[Finding, ...]:
    """Return what all checks find, and what could not be gathered for them."""
    return (*scene.gaps, *(finding for check in checks for finding in _run(check, scene)))


def _run(check: Check, scene: Scene) -> Iterator[Finding]:
    try:
        yield from check(scene)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with a node, the other checks must be seen
        name = f"{check.__module__.rpartition('.')[2]}.{check.__name__}"
        yield _itself.warning(
            f"a check failed: {describe(error)}",
            name,
            why="what it would have found is not known",
            remedy="tell the authors of devbay, with this line",
        )
