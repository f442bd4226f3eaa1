"""How close two functions are. Pure: their paths through the PCIe fabric and their NUMA nodes tell."""

from devbay.api import Device

SAME_FUNCTION = 4.0
SAME_SWITCH = 3.0
SAME_ROOT = 2.0
SAME_NUMA_NODE = 1.0


def closeness(a: Device, b: Device) -> float:
    """Return how close two devices are: on one physical function, one PCIe switch, one root port, one NUMA node."""
    if a.parent and a.parent == b.parent:
        return SAME_FUNCTION
    shared = 0
    for left, right in zip(_bridges(a), _bridges(b), strict=False):
        if left != right:
            break
        shared += 1
    if shared > 1:
        return SAME_SWITCH
    if shared == 1:
        return SAME_ROOT
    return SAME_NUMA_NODE if set(a.numa_nodes) & set(b.numa_nodes) else 0.0


def _bridges(device: Device) -> list[str]:
    """Return the bridges above a device, from the root port down."""
    return str(device.attributes.get("pcie_path", "")).split("/")[:-1]
