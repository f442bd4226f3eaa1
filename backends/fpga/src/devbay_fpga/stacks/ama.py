"""AMD MA35 media accelerators: a node and an entry of the class ``misc`` for each transcoder."""

import re
from collections.abc import Iterator

from devbay.api import Node
from devbay_fpga import pci, sysfs
from devbay_fpga.settings import Settings
from devbay_fpga.unit import Fault, Reading, Unit

_NAME = re.compile(r"ama_transcoder\d*")
_BUS_ID = re.compile(r"[\w.:-]{1,63}")
_MODEL = "MA35"


def find(node: Node, settings: Settings) -> Iterator[Unit]:  # noqa: ARG001 - the form of a stack
    """Yield the transcoders that the node has a device node, or an entry in ``/sys/class/misc``, for."""
    there = {path.name for path in sysfs.entries(node.dev, _NAME) if not sysfs.is_directory(path)}
    there |= {path.name for path in sysfs.entries(node.sys / "class/misc", _NAME)}
    for name in sorted(there, key=sysfs.natural):
        yield _card(node, name)


def judge(unit: Unit) -> Iterator[Fault]:  # noqa: ARG001 - the form of a stack
    """Yield nothing: the driver tells nothing of its health in sysfs."""
    yield from ()


def _card(node: Node, name: str) -> Unit:
    place = node.sys / "class/misc" / name
    reading = Reading()
    reading.need("bus_id", place / "bus_id", "identity", _BUS_ID)
    reading.need("info", place / "device_info", "identity")
    said = dict(_pairs(reading.facts.pop("info", "")))
    facts = {
        **reading.facts,
        "product": said.get("product name", ""),
        "serial": said.get("product serial number", ""),
        "device_id": said.get("pcie device id", ""),
    }
    if facts["product"]:
        facts |= {"shell": _MODEL, "product": _MODEL, "uuid": _MODEL.lower(), "timestamp": "0"}
    elif not reading.faults:
        reading.faults.append(Fault("identity", "device_info names no product"))
    address = facts.pop("bus_id", "")
    function = node.sys / "bus/pci/devices" / address if address else None
    return Unit(
        key=f"misc/{name}",
        name=address or name,
        stack="ama",
        directory=sysfs.real(place),
        address=address,
        facts={key: text for key, text in {**facts, "pci_address": address}.items() if text},
        nodes={"transcoder": f"/dev/{name}"},
        numa_nodes=pci.numa_nodes(function),
        ancestry=() if function is None else pci.ancestry(sysfs.real(function)),
        faults=tuple(reading.faults),
    )


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals:
            yield key.strip().lower(), value.strip()
