"""Which boards are found, under which names and ids, and with which nodes: the peers' names to the byte."""

import pytest

from devbay.api import BackendUnavailable
from devbay.testing import DIRECTORY, Link
from tests.backends.fpga import trees
from tests.backends.fpga.conftest import Ask
from tests.backends.fpga.trees import AF, AFU, INTERFACE, OTHER_AFU, REGION, U50, U200, Card

U30 = "xilinx_u30_gen3x4_base_2"
PAIR = Card(slot="0000:04:00", vbnv=U30, timestamp="0", serial="XFL1").tree | (
    Card(slot="0000:05:00", vbnv=U30, timestamp="0", serial="XFL1", render=129).tree
)
BASE = "/sys/devices/pci0000:00/0000:00:01.0/0000:3b:00.0/fpga_region/region0"


def test_one_port(ask: Ask) -> None:
    """A DFL board with one port is offered as Intel's plugin offers it, and a container gets the port alone."""
    asked = ask(trees.dfl())

    assert asked.names() == {"dfl-port.0": AF}
    assert asked.health() == {"dfl-port.0": ""}
    assert asked.nodes() == ["/dev/dfl-port.0"]
    assert {node.permissions for node in asked.edits().device_nodes} == {"rw"}


def test_four_ports_of_two_functions(ask: Ask) -> None:
    """Every port of an FME is a device, in the resource of what is programmed into it."""
    asked = ask(trees.dfl(ports=[AFU, OTHER_AFU, AFU, OTHER_AFU]))

    names = asked.names()

    assert list(names) == [f"dfl-port.{number}" for number in range(4)]
    assert names["dfl-port.0"] == names["dfl-port.2"] == AF
    assert names["dfl-port.1"] == names["dfl-port.3"] != AF


def test_a_board_as_a_whole(ask: Ask) -> None:
    """In mode `region` a board is one device with all its ports; `regiondevel` adds the node that programs them."""
    tree = trees.dfl(ports=[AFU, OTHER_AFU, AFU, AFU])
    ports = [f"/dev/dfl-port.{number}" for number in range(4)]

    region, devel = ask(tree, mode="region"), ask(tree, mode="regiondevel")

    assert region.names() == devel.names() == {"dfl-fme.0": REGION}
    assert region.nodes() == ports
    assert devel.nodes() == [*ports, "/dev/dfl-fme.0"]


def test_the_mode_of_each_board(ask: Ask) -> None:
    """One node can offer one board by its ports and another as a whole."""
    tree = trees.dfl() | trees.dfl(1, address="0000:5e:00.0")
    rule = {"select": {"pci_address": "0000:5e:00.0"}, "mode": "region"}

    assert ask(tree, boards=[rule]).names() == {"dfl-port.0": AF, "dfl-fme.1": REGION}


def test_another_mode_is_another_offer(ask: Ask) -> None:
    """After a change of mode the same backend finds nothing under the old names."""
    before = ask(trees.dfl())
    before.devices()

    after = ask(trees.dfl(), before.backend, mode="region")

    assert after.names() == {"dfl-fme.0": REGION}


def test_boards_of_several_interfaces(ask: Ask) -> None:
    """Each board's ports are named by the board's own interface."""
    names = ask(
        trees.dfl() | trees.dfl(1, interface="ce48969398f05f33946d560708be108a", address="0000:5e:00.0")
    ).names()

    assert names == {
        "dfl-port.0": AF,
        "dfl-port.1": "fpga.intel.com/af-ce4.d84.zkiWk5jwXzOUbVYHCL4QithCTcSko8QT-J5DNoP5BAs",
    }


def test_a_virtual_function_beside_its_physical_one(ask: Ask) -> None:
    """A virtual function's port is named by the interface of the physical function's FME."""
    asked = ask(trees.dfl(ports=[]) | trees.dfl() | trees.virtual_function("0000:3b:00.0"))

    assert asked.names() == {"dfl-port.0": AF, "dfl-port.7": AF}
    assert {d.id: d.attributes.get("virtual_function", False) for d in asked.devices()} == {
        "dfl-port.0": False,
        "dfl-port.7": True,
    }


def test_a_virtual_function_alone(ask: Ask) -> None:
    """In a machine with a virtual function only, the port is offered by its function's id, or by a rule's name."""
    rule = {"select": {"afu_id": AFU}, "resource": "example.com/nlb0"}

    assert ask(trees.virtual_function()).names() == {"dfl-port.7": f"fpga.intel.com/afu-{AFU}"}
    assert ask(trees.virtual_function(), names=[rule]).names() == {"dfl-port.7": "example.com/nlb0"}


def test_the_out_of_tree_driver(ask: Ask) -> None:
    """A board of Intel's own driver has the same name for the same ids."""
    asked = ask(trees.opae())

    assert asked.names() == {"intel-fpga-port.0": AF}
    assert ask(trees.opae(), mode="region").names() == {"intel-fpga-fme.0": REGION}
    assert asked.health() == {"intel-fpga-fme.0": ""} or asked.nodes() == ["/dev/intel-fpga-port.0"]


def test_a_board_without_an_interface_id(ask: Ask) -> None:
    """A board whose regions have no interface id is skipped with a reason in mode `region`, and so in `af`."""
    tree = {path: entry for path, entry in trees.dfl().items() if not path.endswith("compat_id")}
    rule = {"select": {"afu_id": AFU}, "resource": "example.com/nlb0"}

    for mode in ("af", "region"):
        with pytest.raises(BackendUnavailable, match="is not offered: its interface id cannot be read"):
            ask(tree, mode=mode).devices()
    assert ask(tree, names=[rule]).names() == {"dfl-port.0": "example.com/nlb0"}
    assert ask(tree, names=[rule]).health() == {"dfl-port.0": ""}


def test_any_region_tells_the_interface(ask: Ask) -> None:
    """The interface id is that of any region that can be read: one that cannot be hides none."""
    tree = trees.dfl(ports=[AFU] * 4)
    tree |= {f"{BASE}/dfl-fme.0/dfl-fme-region.0/fpga_region/region1/compat_id": DIRECTORY}

    assert set(ask(tree).names().values()) == {AF}


def test_recorded(ask: Ask) -> None:
    """The tree of a running kernel's own DFL drivers is one healthy port, of a card of another PCI class."""
    asked = ask(trees.recorded())

    assert asked.names() == {
        "dfl-port.0": "fpga.intel.com/af-695.d84.aVKNtusxV3qppOqm2clL19hCTcSko8QT-J5DNoP5BAs",
    }
    assert asked.health() == {"dfl-port.0": ""}
    (device,) = asked.devices()
    assert (device.numa_nodes, device.parent, device.attributes["pci_address"]) == ((0,), "dfl-fme.0", "0000:23:00.0")
    assert ask(trees.recorded(), mode="region").names() == {
        "dfl-fme.0": "fpga.intel.com/region-69528db6eb31577aa9a4eaa6d9c94bd7"
    }


def test_cards_of_both_generations_of_shells(ask: Ask) -> None:
    """Alveo cards are named as AMD's plugin names them, and called by the user function's address."""
    asked = ask(Card().tree | trees.U50_CARD.tree)

    assert asked.names() == {"0000:04:00.1": U200, "0000:05:00.1": U50}
    assert asked.nodes("0000:04:00.1") == ["/dev/dri/renderD128"]


def test_the_management_node_is_given_when_asked_for(ask: Ask) -> None:
    """The managing function's node, which can reset a card, is given for all cards or for some, or not at all."""
    rule = {"select": {"product": "u200"}, "management": True}
    both = ["/dev/dri/renderD128", "/dev/xclmgmt1024"]

    assert ask(Card().tree, management=True).nodes() == both
    assert ask(Card().tree, boards=[rule]).nodes() == both


def test_a_card_alone_in_a_machine(ask: Ask) -> None:
    """A user function without the managing one is a card all the same; the queue's node comes where there is one."""
    card = Card(managed=False)
    tree = card.tree | {f"{card.user}/dma.qdma.u.1": DIRECTORY, "/dev/xfpga/dma.qdma.u1025.0": ""}

    asked = ask(tree, management=True)

    assert asked.names() == {"0000:04:00.1": U200}
    assert asked.nodes() == ["/dev/dri/renderD128", "/dev/xfpga/dma.qdma.u1025.0"]
    assert asked.health() == {"0000:04:00.1": ""}


def test_u30_cards_go_together(ask: Ask) -> None:
    """The two devices of a U30 are one, called by the lower address, with the nodes of both; or two, when asked for."""
    exact = f"amd.com/{U30}-0"

    card = ask(PAIR)

    assert card.names() == {"0000:04:00.1": "amd.com/ama_u30"}
    assert card.nodes() == ["/dev/dri/renderD128", "/dev/dri/renderD129"]
    assert card.edits().env["FPGA_PCI_ADDRESSES"] == "0000:04:00.1,0000:05:00.1"
    assert ask(PAIR, u30_names="exact").names() == {"0000:04:00.1": exact}
    assert ask(PAIR, group_by="none").names() == dict.fromkeys(("0000:04:00.1", "0000:05:00.1"), "amd.com/ama_u30")


def test_other_cards_go_together_when_asked(ask: Ask) -> None:
    """Any cards of one serial number can be one device; AWS's, which have none, never are."""
    same = Card(serial="1").tree | Card(slot="0000:05:00", serial="1", render=129).tree
    aws = Card(vendor="0x1d0f").tree | Card(slot="0000:05:00", vendor="0x1d0f", render=129).tree

    assert list(ask(same).names()) == ["0000:04:00.1", "0000:05:00.1"]
    assert list(ask(same, group_by="serial").names()) == ["0000:04:00.1"]
    assert list(ask(aws, group_by="serial").names()) == ["0000:04:00.1", "0000:05:00.1"]


def test_v70(ask: Ask) -> None:
    """A V70 keeps its serial number elsewhere."""
    (device,) = ask(Card(vbnv="xilinx_v70_gen5x8_qdma_base_2", timestamp="0", serial_in="hwmon_sdm.u").tree).devices()

    assert (device.resource, device.attributes["serial"]) == ("amd.com/xilinx_v70_gen5x8_qdma_base_2-0", "213047802")


def test_ma35(ask: Ask) -> None:
    """An MA35 is offered by its transcoder's node and called by its place on the bus."""
    asked = ask(trees.ma35())

    assert asked.names() == {"0000:61:00.0": "amd.com/MA35"}
    assert asked.nodes() == ["/dev/ama_transcoder0"]
    assert ask(trees.ma35(), customize={"x-*-*": "'x'"}).names() == {"0000:61:00.0": "amd.com/MA35-0"}


def test_an_embedded_board(ask: Ask) -> None:
    """A board with the driver zocl has the name that the settings give it."""
    asked = ask(trees.zocl(), zocl_resource="example.com/kv260")

    assert asked.names() == {"axi:zyxclmm_drm": "example.com/kv260"}
    assert asked.nodes() == ["/dev/dri/renderD128"]


def test_the_render_node_of_an_embedded_board(ask: Ask) -> None:
    """Where the board's directory does not say, its node is the one that the class gives it, or the only free one."""
    place = "/sys/devices/platform/axi/amba_pl@0/zyxclmm_drm"
    tree = {"/sys/bus/platform/devices/axi": Link("/sys/devices/platform/axi"), f"{place}/xclbinid": ""}
    tree |= {"/dev/dri/renderD128": "", "/dev/dri/renderD129": ""}

    for number, owner in ((128, "other"), (129, "zyxclmm_drm")):
        device = f"/sys/class/drm/renderD{number}/device"
        asked = ask(tree | {device: Link(f"/sys/devices/platform/axi/amba_pl@0/{owner}")})
        assert asked.nodes() == ["/dev/dri/renderD129"]
    with pytest.raises(BackendUnavailable, match="no render node"):
        ask(tree).devices()


def test_a_chips_own_fpga(ask: Ask) -> None:
    """An FPGA that only the kernel's manager knows has the nodes and the name of a rule, and is not offered without."""
    rule = {"resource": "example.com/zynq", "nodes": ["/dev/uio*"], "select": {"name": "Xilinx Zynq*"}}

    asked = ask(trees.soc(), managers=[rule])

    assert asked.names() == {"f8007000.devcfg": "example.com/zynq"}
    assert asked.nodes() == ["/dev/uio0", "/dev/uio1"]
    with pytest.raises(BackendUnavailable, match="no FPGA of the drivers"):
        ask(trees.soc()).devices()


def test_a_cards_manager_is_no_chips(ask: Ask) -> None:
    """The managers and regions of a DFL board are the board's, whatever rule would mean them."""
    rules = [{"resource": "example.com/x", "nodes": ["/dev/*"], "per": per} for per in ("manager", "region")]
    tree = trees.dfl() | {"/sys/class/fpga_manager/fpga0": Link(f"{BASE}/dfl-fme.0/dfl-fme-mgr.0/fpga_manager/fpga0")}

    assert ask(tree, managers=rules).names() == {"dfl-port.0": AF}


@pytest.mark.parametrize("entry", ["", "\n", DIRECTORY, Link("VBNV")], ids=["empty", "blank", "directory", "loop"])
def test_an_unflashed_card_costs_itself(ask: Ask, entry: object) -> None:
    """A card without a shell, or whose shell cannot be read, is skipped with a reason; the others are not touched."""
    card = Card()

    asked = ask(card.tree | {f"{card.user}/rom.u.1/VBNV": entry} | trees.U50_CARD.tree)

    assert asked.names() == {"0000:05:00.1": U50}
    assert asked.health() == {"0000:05:00.1": ""}


@pytest.mark.parametrize(
    ("tree", "reason"),
    [
        (trees.function("0000:04:00.0", vendor="0x10ee", **{"class": "0x120000"}), "no driver of XRT"),
        (trees.function("0000:04:00.0", vendor="0x10ee", mgmt_pf="", **{"class": "0x120000"}), "managing function"),
        (Card().reset, "no rom directory"),
        (trees.function("0000:04:00.0", vendor="0x1d0f", **{"class": "0x020000"}), "no FPGA of the drivers"),
        ({}, "no FPGA of the drivers"),
    ],
    ids=["no-driver", "managed-only", "reset-at-start", "another-device", "nothing"],
)
def test_silence_has_a_reason(ask: Ask, tree: dict[str, object], reason: str) -> None:
    """A card that is there and cannot be offered is said why; a node without any is a normal node."""
    with pytest.raises(BackendUnavailable, match=reason):
        ask(tree).devices()


def test_plain_names(ask: Ask) -> None:
    """With plain naming, names say what a card is and nothing of its shell's version."""
    tree = trees.dfl() | Card().tree | trees.ma35()

    assert ask(tree, naming="plain").names() == {
        "0000:04:00.1": "amd.com/fpga-u200",
        "0000:61:00.0": "amd.com/fpga-ma35",
        "dfl-port.0": f"fpga.intel.com/afu-{AFU}",
    }
    assert ask(trees.dfl(), naming="plain", mode="region").names() == {
        "dfl-fme.0": f"fpga.intel.com/region-{INTERFACE}"
    }


def test_names_by_selector(ask: Ask) -> None:
    """The first rule that fits a device names it, by whatever is known of it."""
    rules = [
        {"select": {"stack": "xrt", "product": ["u50", "u55c"]}, "resource": "example.com/small"},
        {"select": {"id": "0000:0?:00.1"}, "resource": "example.com/large"},
    ]

    names = ask(Card().tree | trees.U50_CARD.tree, names=rules).names()

    assert names == {"0000:04:00.1": "example.com/large", "0000:05:00.1": "example.com/small"}
