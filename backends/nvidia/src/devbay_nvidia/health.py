"""Whether a GPU, or a slice of one, may get new containers: what the driver says of it, and what it told by itself.

Pure. What the driver does not say is no news; that it does not answer at all is the worst there is.
"""

from collections.abc import Collection, Iterator
from typing import Literal, TypeAlias, get_args

from devbay.api import HEALTHY, Health, unhealthy
from devbay_nvidia.faults import Fault
from devbay_nvidia.values import Condition

Check: TypeAlias = Literal["remap", "ecc", "recovery", "temperature", "fabric", "links", "pending"]
"""One thing that is looked at."""

CHECKS: tuple[Check, ...] = get_args(Check)

_WANTED = {
    1: "a reset of the GPU",
    2: "a reboot of the node",
    3: "its peers drained",
    4: "it drained and reset",
    5: "the IMEX domain recovered",
    6: "a reset of its bus",
    7: "a reboot of the system",
}
"""What the driver wants done (nvml.h, ``nvmlDeviceGpuRecoveryAction_t``)."""


def judge(
    condition: Condition, faults: Collection[Fault], checks: Collection[Check], lost_links: Collection[int] = ()
) -> Health:
    """Return the health of a device of a GPU that answers.

    Args:
        condition: what the driver says of the GPU.
        faults: what it told by itself of the device and is not over.
        checks: what is looked at.
        lost_links: NVLinks that were up and are down.
    """
    reasons = [fault.reason for fault in faults]
    reasons += [reason for check, reason in _complaints(condition, lost_links) if check in checks]
    return unhealthy("; ".join(dict.fromkeys(reasons))) if reasons else HEALTHY


def _complaints(condition: Condition, lost_links: Collection[int]) -> Iterator[tuple[Check, str]]:
    if condition.remap_failed:
        yield "remap", "a row of its memory is bad and cannot be replaced; the GPU must be replaced"
    if condition.ecc_uncorrected and condition.remap_failed is None:  # GPUs that replace rows go on working
        yield "ecc", f"{condition.ecc_uncorrected} uncorrectable memory errors; the GPU needs a reset"
    if condition.recovery:
        yield "recovery", f"the driver wants {_WANTED.get(condition.recovery, f'action {condition.recovery}')}"
    if condition.temperature is not None and condition.slowdown and condition.temperature >= condition.slowdown:
        yield "temperature", f"its temperature is {condition.temperature} °C, and it slows down at {condition.slowdown}"
    if condition.fabric:
        yield "fabric", condition.fabric
    if lost_links:
        yield "links", f"NVLink {', '.join(map(str, sorted(lost_links)))} went down"
    if condition.remap_pending or condition.retirement_pending:
        yield "pending", "bad memory is to be replaced at its next reset"
