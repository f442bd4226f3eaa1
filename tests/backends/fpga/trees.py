"""Boards as small trees of files, each with its source, for `devbay.testing.FakeNode`.

The forms follow the kernel's ABI documents (``sysfs-class-fpga-manager``, ``sysfs-class-fpga-region``,
``sysfs-platform-dfl-fme``, ``sysfs-platform-dfl-port``) and the attributes that XRT's drivers create
(``xocl_sysfs.c``, ``mgmt-sysfs.c``). ``recorded/dfl.json`` is a running kernel's own tree.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from devbay.testing import DIRECTORY, CharacterDevice, Link, Tree

INTERFACE = "69528db6eb31577a8c3668f9faa081f6"
AFU = "d8424dc4a4a3c413f89e433683f9040b"
OTHER_AFU = "0123456789abcdef0123456789abcdef"
AF = "fpga.intel.com/af-695.d84.aVKNtusxV3qMNmj5-qCB9thCTcSko8QT-J5DNoP5BAs"
REGION = f"fpga.intel.com/region-{INTERFACE}"
U200 = "amd.com/xilinx_u200_xdma_201830_1-1542252769"
U50 = "amd.com/xilinx_u50_gen3x16_xdma_201920_3-0"
NONE = "f" * 32
"""How an id reads that the bus did not answer for."""

RECORDED = Path(__file__).parent / "recorded/dfl.json"


def recorded() -> Tree:
    """Return the tree of a real kernel's DFL drivers; the file says where it is from."""
    document = json.loads(RECORDED.read_text())
    tree: Tree = {}
    for path, entry in document["tree"].items():
        if "link" in entry:
            tree[path] = Link(entry["link"])
        elif "node" in entry:
            tree[path] = CharacterDevice()
        else:
            tree[path] = entry["text"]
    return tree


def function(address: str, bridge: str = "0000:00:01.0", **files: str) -> Tree:
    """Return a PCI function below a bridge, and its link on the bus."""
    place = f"/sys/devices/pci0000:00/{bridge}/{address}"
    tree: Tree = {f"/sys/bus/pci/devices/{address}": Link(place), f"{place}/numa_node": "0\n"}
    return tree | {f"{place}/{name}": f"{text}\n" for name, text in files.items()}


def dfl(
    number: int = 0,
    ports: Iterable[str] = (AFU,),
    interface: str = INTERFACE,
    address: str = "0000:3b:00.0",
    first_port: int | None = None,
) -> Tree:
    """Return a board of the kernel's DFL drivers: one FME, and a port for each function's id."""
    base = f"/sys/devices/pci0000:00/0000:00:01.0/{address}/fpga_region/region{number * 10}"
    fme = f"{base}/dfl-fme.{number}"
    tree = function(address, vendor="0x8086", device="0x09c4") | {
        f"/sys/class/fpga_region/region{number * 10}": Link(base)
    }
    ids = list(ports)
    files = {"bitstream_id": "0x123000410010310", "ports_num": f"{len(ids)}", "socket_id": "0"}
    files |= {"errors/catfatal_errors": "0x0", "errors/nonfatal_errors": "0x0", "errors/first_error": "0x10"}
    files |= {"hwmon/hwmon1/name": "dfl_fme_thermal", "hwmon/hwmon1/temp1_crit_alarm": "0"}
    files |= {f"dfl-fme-mgr.{number}/fpga_manager/fpga{number}/state": "unknown"}
    tree |= {f"{fme}/{name}": f"{text}\n" for name, text in files.items()}
    tree[f"/dev/dfl-fme.{number}"] = CharacterDevice()
    start = number if first_port is None else first_port
    for index, afu in enumerate(ids):
        name, region = f"dfl-port.{start + index}", f"region{number * 10 + index + 1}"
        programmed = f"{fme}/dfl-fme-region.{index}/fpga_region/{region}"
        tree |= port(f"{base}/{name}", afu, index) | {f"{programmed}/compat_id": f"{interface}\n"}
        tree[f"/sys/class/fpga_region/{region}"] = Link(programmed)
    return tree


def port(place: str, afu: str, number: int = 0) -> Tree:
    """Return a port and its node."""
    files = {
        "afu_id": afu,
        "id": f"{number}",
        "power_state": "0x0",
        "errors/first_error": "0x1",
        "errors/errors": "0x0",
    }
    tree: Tree = {f"{place}/{name}": f"{text}\n" for name, text in files.items()}
    return tree | {f"/dev/{Path(place).name}": CharacterDevice()}


def virtual_function(physical: str | None = None, address: str = "0000:3b:00.1") -> Tree:
    """Return a virtual function with its port: beside its physical function, or alone in a machine."""
    place = f"/sys/devices/pci0000:00/0000:00:01.0/{address}"
    base = f"{place}/fpga_region/region7"
    tree = function(address, vendor="0x8086") | port(f"{base}/dfl-port.7", AFU)
    tree["/sys/class/fpga_region/region7"] = Link(base)
    if physical is not None:
        tree[f"{place}/physfn"] = Link(f"/sys/devices/pci0000:00/0000:00:01.0/{physical}")
    return tree


def opae(number: int = 0) -> Tree:
    """Return a board of Intel's out-of-tree driver."""
    base = f"/sys/devices/pci0000:00/0000:00:02.0/0000:5e:00.{number}/fpga/intel-fpga-dev.{number}"
    fme, name = f"{base}/intel-fpga-fme.{number}", f"intel-fpga-port.{number}"
    return (
        function(f"0000:5e:00.{number}", "0000:00:02.0", vendor="0x8086")
        | port(f"{base}/{name}", AFU)
        | {
            f"/sys/class/fpga/intel-fpga-dev.{number}": Link(base),
            f"{fme}/pr/interface_id": f"{INTERFACE}\n",
            f"/dev/intel-fpga-fme.{number}": CharacterDevice(),
        }
    )


@dataclass(frozen=True, kw_only=True)
class Card:
    """A card of XRT's drivers: the user function .1, and .0, which manages it."""

    slot: str = "0000:04:00"
    vbnv: str = "xilinx_u200_xdma_201830_1"
    timestamp: str = "1542252769"
    serial: str = "213047802"
    serial_in: str = "xmc.u"
    render: int = 128
    vendor: str = "0x10ee"
    bridge: str = "0000:00:03.0"
    managed: bool = True

    @property
    def user(self) -> str:
        """Where the user function is."""
        return f"/sys/devices/pci0000:00/{self.bridge}/{self.slot}.1"

    @property
    def manager(self) -> str:
        """Where the managing function is."""
        return f"/sys/devices/pci0000:00/{self.bridge}/{self.slot}.0"

    @property
    def tree(self) -> Tree:
        """The card as it works."""
        files = {"ready": "0x1", "rom.u.1/VBNV": self.vbnv, "rom.u.1/timestamp": self.timestamp}
        if self.serial:
            files[f"{self.serial_in}.1/serial_num"] = self.serial
        tree = self.reset | {f"{self.user}/{name}": f"{text}\n" for name, text in files.items()}
        tree |= {f"{self.user}/dev_offline": "0\n", f"{self.user}/drm/renderD{self.render}": DIRECTORY}
        return tree | {f"/dev/dri/renderD{self.render}": CharacterDevice()}

    @property
    def reset(self) -> Tree:
        """What there is of it in the middle of a reset."""
        accelerator = {"class": "0x120000"}
        tree = function(f"{self.slot}.1", self.bridge, vendor=self.vendor, device="0x5001", **accelerator)
        tree |= {f"{self.user}/{name}": "\n" for name in ("user_pf", "shutdown", "dev_hotplug_done")}
        if not self.managed:
            return tree
        files = {"mgmt_pf": "", "instance": "1024", "ready": "0x1", "dev_offline": "0"}
        files |= {"firewall.m.1/status": "0", "firewall.m.1/level": "18446744073709551615"}
        files |= {"firewall.m.1/detected_status": "0x80000", "firewall.m.1/detected_level": "2"}
        files |= {"fmgr.m.1/fpga_manager/fpga3/state": "operating"}
        tree |= function(f"{self.slot}.0", self.bridge, vendor=self.vendor, **accelerator)
        tree |= {f"{self.manager}/{name}": f"{text}\n" for name, text in files.items()}
        return tree | {"/dev/xclmgmt1024": CharacterDevice()}


U50_CARD = Card(
    slot="0000:05:00", vbnv="xilinx_u50_gen3x16_xdma_201920_3", timestamp="0", serial="50121119CSJ9", render=129
)


def ma35(number: int = 0) -> Tree:
    """Return an MA35 transcoder."""
    place = f"/sys/class/misc/ama_transcoder{number}"
    info = "Product name=MA35D\nProduct serial number=XFL1ABC\nPCIe device ID=0x5070\n"
    address = f"0000:{0x61 + number:02x}:00.0"
    return function(address, vendor="0x10ee") | {
        f"{place}/bus_id": f"{address}\n",
        f"{place}/device_info": info,
        f"/dev/ama_transcoder{number}": CharacterDevice(),
    }


def zocl() -> Tree:
    """Return an embedded board with the driver zocl, behind a bridge of the device tree."""
    place = "/sys/devices/platform/axi/axi:zyxclmm_drm"
    return {
        "/sys/bus/platform/devices/axi": Link("/sys/devices/platform/axi"),
        f"{place}/memstat": "",
        f"{place}/drm/renderD128": DIRECTORY,
        "/dev/dri/renderD128": CharacterDevice(),
    }


def soc(state: str = "operating") -> Tree:
    """Return an FPGA beside a processor on one chip, whose only nodes are those of uio."""
    place = "/sys/devices/soc0/axi/f8007000.devcfg/fpga_manager/fpga0"
    return {
        "/sys/class/fpga_manager/fpga0": Link(place),
        f"{place}/name": "Xilinx Zynq FPGA Manager\n",
        f"{place}/state": f"{state}\n",
        "/dev/uio0": CharacterDevice(),
        "/dev/uio1": CharacterDevice(),
    }
