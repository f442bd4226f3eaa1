"""Machines with PCI functions, as trees for `FakeNode`, and one that was recorded from a real kernel."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from devbay.api import Device, Node
from devbay.testing import DIRECTORY, CharacterDevice, Link, Tree
from devbay_sriov import Backend, Settings
from devbay_sriov.functions import Function
from devbay_sriov.scan import Scan

PCI = "/sys/bus/pci/devices"
RECORDING = Path(__file__).parent / "recordings/igb-vfio-nvme.json"


def recorded() -> Tree:
    """Return what was recorded: two 82576 NICs with functions, and an NVMe controller with functions."""
    data = json.loads(RECORDING.read_text())
    tree: Tree = dict(data["files"])
    tree |= {path: Link(target) for path, target in data["links"].items()}
    tree |= {f"/dev/vfio/{name}": CharacterDevice() for name in ("vfio", "18", "20", "22")}
    return tree


def function(address: str, *, driver: str = "", ids: str = "8086:154c", kind: str = "020000", numa: int = -1) -> Tree:
    """Return a PCI function."""
    vendor, _, device = ids.upper().partition(":")
    place = f"{PCI}/{address}"
    alias = f"pci:v0000{vendor}d0000{device}sv00008086sd00000000bc{kind[:2]}sc{kind[2:4]}i{kind[4:]}\n"
    tree: Tree = {f"{place}/modalias": alias, f"{place}/numa_node": f"{numa}\n"}
    if driver:
        tree |= {f"/sys/bus/pci/drivers/{driver}": DIRECTORY}
        tree |= {f"{place}/driver": Link(f"/sys/bus/pci/drivers/{driver}")}
    return tree


def netdev(address: str, name: str, *, kind: int = 1, state: str = "up", **more: str) -> Tree:
    """Return a function's network interface."""
    place = f"{PCI}/{address}/net/{name}"
    return {
        f"{place}/type": f"{kind}\n",
        f"{place}/operstate": f"{state}\n",
        **{f"{place}/{key}": value for key, value in more.items()},
        f"/sys/class/net/{name}": Link(place),
    }


def family(pf: str, name: str, vfs: Mapping[int, str], *, total: int = 8, driver: str = "ice") -> Tree:
    """Return a physical function with an interface, and links between it and its virtual functions."""
    tree: Tree = {**function(pf, driver=driver, ids="8086:1592"), **netdev(pf, name)}
    tree |= {f"{PCI}/{pf}/sriov_totalvfs": f"{total}\n", f"{PCI}/{pf}/sriov_numvfs": f"{len(vfs)}\n"}
    for number, vf in vfs.items():
        tree |= {f"{PCI}/{pf}/virtfn{number}": Link(f"../{vf}"), f"{PCI}/{vf}/physfn": Link(f"../{pf}")}
    return tree


def vfio(address: str, group: int, *, noiommu: bool = False) -> Tree:
    """Return what makes a function one of vfio's, bound to it, with the nodes."""
    place = f"/sys/kernel/iommu_groups/{group}"
    tree: Tree = {
        **function(address, driver="vfio-pci"),
        f"{place}/type": "DMA\n",
        f"{PCI}/{address}/iommu_group": Link(place),
        "/dev/vfio/vfio": CharacterDevice(),
        f"/dev/vfio/{'noiommu-' if noiommu else ''}{group}": CharacterDevice(),
    }
    return tree | ({f"{place}/name": "vfio-noiommu\n"} if noiommu else {})


def rdma(address: str, name: str, number: int, *, cm: bool = True) -> Tree:
    """Return a function's RDMA device with its character devices."""
    tree: Tree = {f"{PCI}/{address}/infiniband/{name}/ports/1/pkeys/0": "0xffff\n"}
    for group, kind in (("mad", "issm"), ("mad", "umad"), ("verbs", "uverbs")):
        tree[f"/sys/class/infiniband_{group}/{kind}{number}/ibdev"] = f"{name}\n"
        tree[f"/dev/infiniband/{kind}{number}"] = CharacterDevice()
    if cm:
        tree["/dev/infiniband/rdma_cm"] = CharacterDevice()
    return tree


def subfunction(pf: str, name: str, number: int, interface: str = "") -> Tree:
    """Return an auxiliary device on a function."""
    place = f"{PCI}/{pf}/{name}"
    tree: Tree = {f"{place}/sfnum": f"{number}\n", f"{place}/driver": Link("/sys/bus/auxiliary/drivers/mlx5_core.sf")}
    tree["/sys/bus/auxiliary/drivers/mlx5_core.sf"] = DIRECTORY
    if interface:
        tree |= {
            f"{place}/net/{interface}/type": "1\n",
            f"/sys/class/net/{interface}": Link(f"{place}/net/{interface}"),
        }
    return tree


def scan(node: Node, *classes: str) -> dict[str, Function]:
    """Return a node's functions by id."""
    found = Scan(f"{node.sys}", f"{node.dev}", frozenset(classes or ("02", "12"))).functions()
    return {each.id: each for each in found}


def settings(*resources: Mapping[str, Any], **more: Any) -> Settings:
    """Return settings with these resources."""
    return msgspec.convert({"resourceList": list(resources), **more}, Settings)


def offered(node: Node, *resources: Mapping[str, Any], **more: Any) -> dict[str, Device]:
    """Return what a new backend offers with these resources, by id."""
    return {device.id: device for device in Backend().discover(node, settings(*resources, **more))}


def resource(name: str = "pool", **keys: Any) -> dict[str, Any]:
    """Return a resource with a selector of these keys; `with_` is about the resource itself."""
    own = keys.pop("with_", {})
    return {"resourceName": name, "selectors": keys, **own}
