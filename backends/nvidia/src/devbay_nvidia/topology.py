"""How close GPUs are to each other: NVLink first, then what they share of PCIe.

The numbers are those that NVIDIA's plugin adds up (go-gpuallocator ``gpuallocator/device.go``), so that what was a good
set for it is one here; and links that end at an NVSwitch, which it does not see, count as links to every GPU behind it.
"""

from collections import Counter
from collections.abc import Callable

from devbay.api import Device
from devbay_nvidia.values import SWITCH, Level, Nvml, NvmlError

_SCORES = {
    Level.SYSTEM: 10,
    Level.NODE: 20,
    Level.HOSTBRIDGE: 30,
    Level.MULTIPLE: 40,
    Level.SINGLE: 50,
    Level.INTERNAL: 60,
}
_PER_LINK = 100


class Topology:
    """What was asked of the driver, once per GPU and pair, until `forget`."""

    def __init__(self) -> None:
        self._links: dict[str, Counter[str]] = {}
        self._ancestors: dict[frozenset[str], int] = {}

    def forget(self) -> None:
        """Ask anew: the hardware has changed."""
        self._links.clear()
        self._ancestors.clear()

    def score(self, nvml: Nvml, a: Device, b: Device) -> int:
        """Return how close two devices are.; 0 where the driver cannot tell."""
        one, other = (device.parent or device.id for device in (a, b))
        if one == other:
            return _SCORES[Level.INTERNAL]
        key = frozenset((one, other))
        if (shared := self._ancestors.get(key)) is None:  # one look: `forget` may come from another thread
            shared = self._ancestors[key] = _pcie(nvml, one, other)
        if a.parent or b.parent:
            return shared  # MIG devices have no NVLink
        return shared + _PER_LINK * self._nvlinks(nvml, a, b)

    def _nvlinks(self, nvml: Nvml, a: Device, b: Device) -> int:
        one, other = self._leads(nvml, a), self._leads(nvml, b)
        direct = min(one[str(b.attributes.get("pci_address"))], other[str(a.attributes.get("pci_address"))])
        return direct + min(one[SWITCH], other[SWITCH])

    def _leads(self, nvml: Nvml, device: Device) -> Counter[str]:
        if (leads := self._links.get(device.id)) is None:
            leads = self._links[device.id] = Counter(_unless_refused(lambda: nvml.links(device.id)))
        return leads


def _pcie(nvml: Nvml, a: str, b: str) -> int:
    try:
        level = nvml.ancestor(a, b)
    except NvmlError:
        return 0  # one of them is lost; it is given to nobody anyway
    return next((score for known, score in _SCORES.items() if known == level), 0)


def _unless_refused(ask: Callable[[], tuple[str, ...]]) -> tuple[str, ...]:
    try:
        return ask()
    except NvmlError:
        return ()
