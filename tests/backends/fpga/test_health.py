"""What makes a device unwell, what does not, and that it keeps its name and place meanwhile."""

from pathlib import Path

import pytest

from devbay.testing import DIRECTORY
from devbay.testing.node import Entry
from tests.backends.fpga import trees
from tests.backends.fpga.conftest import Ask
from tests.backends.fpga.trees import AF, AFU, NONE, U50, U200, Card

BASE = "/sys/devices/pci0000:00/0000:00:01.0/0000:3b:00.0/fpga_region/region0"
FME, PORT = f"{BASE}/dfl-fme.0", f"{BASE}/dfl-port.0"
CARD = Card()
STATES = f"{CARD.manager}/fmgr.m.1/fpga_manager/fpga3/state"

DFL_FAULTS = {
    "afu-none": (f"{PORT}/afu_id", f"{NONE}\n", "identity", "afu_id reads 'ffff"),
    "afu-unreadable": (f"{PORT}/afu_id", DIRECTORY, "identity", "afu_id cannot be read: Is a directory"),
    "afu-empty": (f"{PORT}/afu_id", "", "identity", "afu_id reads ''"),
    "fatal": (f"{FME}/errors/catfatal_errors", "0x40\n", "fatal-errors", "catfatal_errors reads 0x40, not 0"),
    "fatal-decimal": (f"{FME}/errors/catfatal_errors", "64\n", "fatal-errors", "reads 64"),
    "hot": (f"{FME}/hwmon/hwmon1/temp1_crit_alarm", "1\n", "temperature", "temp1_crit_alarm is set"),
    "power": (f"{FME}/hwmon/hwmon2/power1_crit_alarm", "1\n", "power", "power1_crit_alarm is set"),
    "ap6": (f"{PORT}/power_state", "0x6\n", "power-state", "AP6"),
    "ap6-decimal": (f"{PORT}/power_state", "6\n", "power-state", "AP6"),
    "manager": (f"{FME}/dfl-fme-mgr.0/fpga_manager/fpga0/state", "write error\n", "manager", "'write error'"),
    "compat-none": (f"{FME}/dfl-fme-region.0/fpga_region/region1/compat_id", f"{NONE}\n", "identity", "compat_id"),
    "compat-gone": (f"{FME}/dfl-fme-region.0/fpga_region/region1/compat_id", "", "identity", "interface_id was"),
}
XRT_FAULTS = {
    "not-ready": (f"{CARD.user}/ready", "0x0\n", "ready", "ready is 0"),
    "offline": (f"{CARD.user}/dev_offline", "1\n", "offline", "dev_offline is set"),
    "firewall": (f"{CARD.manager}/firewall.m.1/status", "0x80000\n", "firewall", "status reads 0x80000"),
    "power-off": (STATES, "power off\n", "manager", "'power off'"),
    "shell-lost": (f"{CARD.user}/rom.u.1/VBNV", "", "reset", "VBNV reads ''"),
    "stamp-lost": (f"{CARD.user}/rom.u.1/timestamp", DIRECTORY, "reset", "timestamp cannot be read"),
}
HISTORY = {
    f"{FME}/errors/first_error": "0x1\n",
    f"{FME}/errors/next_error": "0x2\n",
    f"{FME}/errors/nonfatal_errors": "0x1\n",
    f"{FME}/errors/fme_errors": "0x1\n",
    f"{PORT}/errors/first_malformed_req": "0x1\n",
    f"{PORT}/power_state": "0x1\n",
    f"{FME}/hwmon/hwmon1/temp1_max_alarm": "1\n",
    f"{FME}/hwmon/hwmon1/temp1_crit_alarm": "0x0\n",
    f"{CARD.manager}/firewall.m.1/detected_level": "3\n",
    f"{CARD.manager}/firewall.m.1/detected_trip": "1\n",
    f"{CARD.manager}/firewall.m.1/level": "18446744073709551615\n",
}


@pytest.mark.parametrize(("path", "entry", "source", "reason"), DFL_FAULTS.values(), ids=DFL_FAULTS)
def test_a_port_that_is_unwell(ask: Ask, path: str, entry: Entry, source: str, reason: str) -> None:
    """Each fault of a DFL board is told at the next look with its reason, on the same name; recovery likewise (P13)."""
    asked = ask(trees.dfl() | trees.dfl(1, address="0000:5e:00.0"))
    assert asked.names() == {"dfl-port.0": AF, "dfl-port.1": AF}

    asked.node.add({path: entry})

    assert asked.names() == {"dfl-port.0": AF, "dfl-port.1": AF}
    health = asked.health()
    assert reason in health["dfl-port.0"]
    assert health["dfl-port.1"] == ""
    asked.node.replace(trees.dfl() | trees.dfl(1, address="0000:5e:00.0"))
    assert asked.health() == {"dfl-port.0": "", "dfl-port.1": ""}
    left = [each for each in asked.settings.health if each != source]
    without = ask(trees.dfl(), asked.backend, health=left)
    without.node.add({path: entry})
    assert without.health()["dfl-port.0"] == ""


@pytest.mark.parametrize(("path", "entry", "source", "reason"), XRT_FAULTS.values(), ids=XRT_FAULTS)
def test_a_card_that_is_unwell(ask: Ask, path: str, entry: Entry, source: str, reason: str) -> None:
    """Each fault of an XRT card is told at the next look with its reason, on the same name; recovery likewise (P13)."""
    tree = CARD.tree | trees.U50_CARD.tree
    asked = ask(tree)
    assert asked.health() == {"0000:04:00.1": "", "0000:05:00.1": ""}

    asked.node.add({path: entry})

    assert asked.names() == {"0000:04:00.1": U200, "0000:05:00.1": U50}
    health = asked.health()
    assert reason in health["0000:04:00.1"]
    assert health["0000:05:00.1"] == ""
    asked.node.replace(tree)
    assert asked.health() == {"0000:04:00.1": "", "0000:05:00.1": ""}
    without = ask(tree, asked.backend, health=[each for each in asked.settings.health if each != source])
    without.node.add({path: entry})
    assert without.health()["0000:04:00.1"] == ""


def test_history_is_no_fault(ask: Ask) -> None:
    """Registers that tell of the past, throttling, and an idle firewall's level leave a device healthy."""
    asked = ask(trees.dfl() | CARD.tree | HISTORY)

    assert asked.health() == {"dfl-port.0": "", "0000:04:00.1": ""}


def test_nonfatal_errors_count_when_asked(ask: Ask) -> None:
    """Errors that the card survived are judged if the settings say so."""
    asked = ask(trees.dfl() | HISTORY, health=["nonfatal-errors"])

    assert asked.health() == {"dfl-port.0": "dfl-fme.0: errors/nonfatal_errors reads 0x1, not 0"}


@pytest.mark.parametrize("state", ["operating", "unknown", "power up", ""])
def test_quiet_managers(ask: Ask, state: str) -> None:
    """A manager that works, was never used, or says nothing is no fault."""
    assert ask(CARD.tree | {STATES: f"{state}\n"}).health() == {"0000:04:00.1": ""}


@pytest.mark.parametrize("state", ["firmware request", "write init", "write", "write complete"])
def test_programming_changes_nothing(ask: Ask, state: str) -> None:
    """While a manager programs, a device is as it was before: well if it was well, unwell if it was not."""
    asked = ask(CARD.tree)
    asked.health()

    asked.node.add({STATES: f"{state}\n"})
    assert asked.health() == {"0000:04:00.1": ""}

    asked.node.add({STATES: "write error\n"})
    before = asked.health()
    asked.node.add({STATES: f"{state}\n"})
    assert asked.health() == before != {"0000:04:00.1": ""}


def test_hardware_that_does_not_answer(ask: Ask) -> None:
    """A register that the hardware does not answer for is a fault; one that is not there is none."""
    asked = ask(trees.dfl())
    asked.health()

    register = asked.node.locate(f"{FME}/errors/catfatal_errors")
    register.unlink()
    register.symlink_to("/proc/self/mem")  # whose first byte reads with EIO
    told = asked.health()
    register.unlink()

    assert told == {"dfl-port.0": "dfl-fme.0: errors/catfatal_errors cannot be read: Input/output error"}
    assert asked.health() == {"dfl-port.0": ""}


def test_a_reset_takes_nothing_away(ask: Ask) -> None:
    """A card in a reset keeps its name, its id, its nodes and its partner; it is forgotten when it leaves the bus."""
    other = Card(slot="0000:05:00", vbnv="xilinx_u30_x", serial="213047802", timestamp="0", render=129)
    first = Card(vbnv="xilinx_u30_x", timestamp="0")
    asked = ask(first.tree | other.tree)
    before = asked.devices()

    asked.node.replace(first.reset | other.tree)

    assert asked.devices() == before
    assert "rom directory" in asked.health()["0000:04:00.1"]
    asked.node.replace(first.tree | other.tree)
    assert asked.health() == {"0000:04:00.1": ""}
    asked.node.replace(other.tree)
    assert [device.id for device in asked.devices()] == ["0000:05:00.1"]


def test_a_driver_that_lets_go(ask: Ask) -> None:
    """A card whose driver is unbound, and which is still on the bus, is unhealthy under its own name."""
    asked = ask(trees.dfl() | trees.U50_CARD.tree)
    asked.devices()

    asked.node.replace(trees.function("0000:3b:00.0", vendor="0x8086") | trees.U50_CARD.tree)

    assert asked.names() == {"0000:05:00.1": U50, "dfl-port.0": AF}
    assert "its driver no longer shows it" in asked.health()["dfl-port.0"]


def test_a_missing_node(ask: Ask) -> None:
    """A device whose node is missing cannot be given, and says which."""
    asked = ask(trees.dfl())

    asked.node.remove("/dev/dfl-port.0")

    assert asked.health() == {"dfl-port.0": "device node /dev/dfl-port.0 is missing"}


def test_a_port_moves_to_what_is_programmed(ask: Ask) -> None:
    """A port that was programmed with another function is offered as that, since it is that."""
    asked = ask(trees.dfl())
    asked.devices()

    asked.node.add({f"{PORT}/afu_id": f"{trees.OTHER_AFU}\n"})

    assert asked.names()["dfl-port.0"].startswith("fpga.intel.com/af-695.012.")


def test_a_board_is_its_ports_and_its_fme(ask: Ask) -> None:
    """In mode `region` a port that is shut off is the board's fault; one that is being programmed is not."""
    asked = ask(trees.dfl(ports=[AFU, AFU]), mode="region")
    asked.devices()

    asked.node.add({f"{PORT}/afu_id": DIRECTORY})
    assert asked.health() == {"dfl-fme.0": ""}

    asked.node.add({f"{PORT}/power_state": "0x6\n"})
    assert "dfl-port.0: power_state is 6" in asked.health()["dfl-fme.0"]


def test_what_is_not_asked_about_any_more(ask: Ask) -> None:
    """A device that is not found any more is unhealthy, and its check costs no other."""
    asked = ask(trees.dfl(ports=[AFU, AFU]))
    devices = asked.devices()
    asked.node.replace(trees.dfl())
    asked.devices()

    told = asked.backend.check(asked.node.node, asked.settings, devices)

    assert {name: health.healthy for name, health in told.items()} == {"dfl-port.0": True, "dfl-port.1": False}


def test_the_recording_is_described() -> None:
    """Beside a recording stands where it is from."""
    assert "QEMU" in Path(trees.RECORDED).read_text()
