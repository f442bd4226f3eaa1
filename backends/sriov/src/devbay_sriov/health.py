"""Whether a device that is offered is still there, is still the same, and can be used. Reads only.

Each question is about the function itself, so that one whose interface or RDMA device has moved into a pod's network
namespace is as healthy as it was.
"""

import os
from collections.abc import Iterator

from devbay.api import HEALTHY, Device, Health, Node, unhealthy
from devbay_sriov import sysfs
from devbay_sriov.offers import nodes_of


def judge(node: Node, device: Device, *, pf_link: bool) -> Health:
    """Return a device's health, with everything that is wrong in one line."""
    problems = list(_function_problems(node, device))
    problems = problems or [*_node_problems(node, device), *(_link_problems(node, device) if pf_link else ())]
    return unhealthy("; ".join(problems)) if problems else HEALTHY


def _function_problems(node: Node, device: Device) -> Iterator[str]:
    facts = device.attributes
    place = f"{node.sys}/bus/pci/devices/{facts['pci_address']}"
    alias = sysfs.text(f"{place}/modalias").lower()
    if not alias:
        yield f"the PCI function {facts['pci_address']} is gone"
        return
    known = f"v0000{facts['vendor']}d0000{facts['device']}sv"
    if known not in alias:
        yield f"another function has its address: {alias}"
    if (driver := sysfs.leaf(f"{place}/driver")) != facts["driver"]:
        yield f"{f'the driver {driver}' if driver else 'no driver'} is bound to it; it was {facts['driver']}"
    if device.id != facts["pci_address"] and not os.path.isdir(f"{place}/{device.id}"):  # noqa: PTH112 - as in `sysfs`
        yield f"the auxiliary device {device.id} is gone"


def _node_problems(node: Node, device: Device) -> Iterator[str]:
    for path in nodes_of(device):
        try:
            os.stat(node.locate(path))  # noqa: PTH116 - as in `sysfs`
        except FileNotFoundError:
            yield f"device node {path} is missing"
        except OSError as error:
            yield f"device node {path} cannot be looked at: {error.strerror}"


def _link_problems(node: Node, device: Device) -> Iterator[str]:
    name = device.attributes.get("pf_name")
    if name and sysfs.text(f"{node.sys}/class/net/{name}/operstate") in {"down", "lowerlayerdown"}:
        yield f"the interface {name} of its physical function has no link"
