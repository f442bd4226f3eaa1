"""Cards of AMD's XRT drivers: xocl on the user function, xclmgmt on the function that manages the card.

Functions are told by a file's existence, and pair by their address without the function's number. In a reset the user
function keeps ``user_pf`` and loses nearly everything else.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from devbay.api import Node
from devbay_fpga import pci, sysfs
from devbay_fpga.settings import Settings
from devbay_fpga.stacks import alarms
from devbay_fpga.unit import Fault, Reading, Unit

_AWS = "0x1d0f"
_VENDORS = frozenset({"0x10ee", "0x3475", _AWS, "0x13fe"})
"""Xilinx, Arista, AWS, Advantech."""

_ACCELERATOR = "0x12"
_ROM = re.compile(r"rom.*")
_SERIAL = re.compile(r"(xmc|hwmon_sdm)\.u\..*")
_RENDER = re.compile(r"renderD\d+")
_QDMA = re.compile(r"dma\.qdma\.u.*")
_FIREWALL = re.compile(r"firewall\.m\..*")
_MANAGED = re.compile(r"fmgr\.m\..*")
_UUID = 6
_PRODUCT = 2


def find(node: Node, settings: Settings) -> Iterator[Unit]:  # noqa: ARG001 - the form of a stack
    """Yield the cards: each user function, with the function that manages it, where that is here."""
    functions = [path for path in sysfs.entries(node.sys / "bus/pci/devices", pci.ADDRESS) if _is_ours(path)]
    management = {path.name[:-2]: path for path in functions if sysfs.exists(path / "mgmt_pf")}
    users = [path for path in functions if sysfs.exists(path / "user_pf")]
    for index, path in enumerate(users):
        yield _card(path, management.get(path.name[:-2]), index)
    shown = {path.name[:-2] for path in users}
    for path in functions:
        if path.name[:-2] not in shown and sysfs.peek(path / "class").startswith(_ACCELERATOR):
            shown.add(path.name[:-2])
            yield _bare(path, managed=path.name[:-2] in management)


def judge(unit: Unit) -> Iterator[Fault]:
    """Yield what a card's files say is wrong.

    The firewall is asked on the managing side only: the user's side asks there, by mail, and logs each time. Its
    ``level`` reads 18446744073709551615 when all is well and ``detected_*`` is history: ``status`` alone counts.
    """
    sides = [unit.directory, *([unit.management] if unit.management is not None else [])]
    for side in sides:
        if sysfs.number(sysfs.peek(side / "ready")) == 0:
            yield Fault("ready", f"{side.name}: ready is 0: the other function does not answer")
        if sysfs.number(sysfs.peek(side / "dev_offline")):
            yield Fault("offline", f"{side.name}: dev_offline is set: the driver has taken the card off")
        yield from alarms.hwmon(side)
    if unit.management is not None:
        for firewall in sysfs.entries(unit.management, _FIREWALL):
            yield from alarms.register(firewall / "status", "firewall")
        for manager in managers(unit.management):
            yield from alarms.manager(manager)


def managers(management: Path) -> list[Path]:
    """Return the kernel's FPGA managers of a managing function."""
    return [manager for parent in sysfs.entries(management, _MANAGED) for manager in alarms.managers(parent)]


def _is_ours(path: Path) -> bool:
    return sysfs.peek(path / "vendor").lower() in _VENDORS


def _called(paths: list[Path], pattern: re.Pattern[str]) -> list[Path]:
    return [path for path in paths if pattern.fullmatch(path.name)]


def _card(path: Path, management: Path | None, index: int) -> Unit:
    directory = sysfs.real(path)
    reading = Reading()
    inside = sysfs.entries(path)
    roms = _called(inside, _ROM)
    rom = next((each for each in roms if sysfs.peek(each / "VBNV")), roms[0] if roms else None)
    if rom is None:
        reading.faults.append(Fault("reset", "it has no rom directory: it is being reset, or its driver gave it up"))
    else:
        reading.need("shell", rom / "VBNV", "reset")
        reading.need("timestamp", rom / "timestamp", "reset")
    _details(reading, path, _called(inside, _SERIAL))
    nodes = _nodes(path, management, queued=bool(_called(inside, _QDMA)))
    if "render" not in nodes:
        reading.faults.append(Fault("nodes", "it has no render node (drm/renderD*)"))
    return Unit(
        key=path.name,
        name=path.name,
        stack="xrt",
        directory=directory,
        management=management,
        address=path.name,
        facts={**reading.facts, "index": str(index), "pci_address": path.name},
        nodes=nodes,
        numa_nodes=pci.numa_nodes(path),
        ancestry=pci.ancestry(directory) or (path.name,),
        faults=tuple(reading.faults),
    )


def _details(reading: Reading, path: Path, parts_with_serial: list[Path]) -> None:
    facts = reading.facts
    parts = facts.get("shell", "").split("_")
    if len(parts) >= _PRODUCT:
        facts["product"] = parts[_PRODUCT - 1]
    reading.take("device_id", path / "device")
    reading.take("vendor_id", path / "vendor")
    if uuids := sysfs.peek(path / "logic_uuids"):  # EINVAL on shells that describe no partitions
        facts["uuid"] = uuids[-_UUID:]
    if facts.get("vendor_id", "").lower() != _AWS:
        for part in parts_with_serial:
            if "serial" not in facts:
                reading.take("serial", part / "serial_num")


def _nodes(path: Path, management: Path | None, *, queued: bool) -> dict[str, str]:
    nodes = {}
    if renders := sysfs.entries(path / "drm", _RENDER):
        nodes["render"] = f"/dev/dri/{renders[0].name}"
    if queued:
        nodes["qdma"] = f"/dev/xfpga/dma.qdma.u{pci.instance(path.name)}.0"
    number = None if management is None else sysfs.number(sysfs.peek(management / "instance"))
    if number is not None:
        nodes["management"] = f"/dev/xclmgmt{number}"
    return nodes


def _bare(path: Path, *, managed: bool) -> Unit:
    """Return a card without a user function: nothing to offer, but something to say."""
    why = "it has only its managing function: no shell is flashed, or the user function is elsewhere"
    return Unit(
        key=path.name,
        name=path.name,
        stack="xrt",
        directory=sysfs.real(path),
        address=path.name,
        facts={"pci_address": path.name},
        faults=(Fault("reset", why if managed else "no driver of XRT (xocl) is bound to it"),),
    )
