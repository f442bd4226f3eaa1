"""The inventory: what is found out about functions, and that nothing bad hides its neighbours."""

import pytest

from devbay.testing import DIRECTORY, CharacterDevice, FakeNode, Link, Tree
from devbay_sriov.functions import Function, Rdma, Vdpa
from tests.backends.sriov import trees
from tests.backends.sriov.trees import PCI, family, function, netdev, scan

PF, VF = "0000:00:00.0", "0000:00:00.1"


@pytest.mark.parametrize(
    ("tree", "fact", "value"),
    [
        ({}, "pf", ""),
        ({f"{PCI}/{VF}/physfn": Link(f"../{PF}")}, "pf", PF),
        ({f"{PCI}/{VF}/sriov_totalvfs": "0"}, "total_vfs", 0),
        ({}, "total_vfs", -1),
        ({f"{PCI}/{VF}/sriov_totalvfs": "32"}, "total_vfs", 32),
        ({f"{PCI}/{VF}/sriov_totalvfs": "junk"}, "total_vfs", 0),
        ({f"{PCI}/{VF}/sriov_numvfs": "32"}, "vfs", 32),
        ({}, "vfs", 0),
        ({f"{PCI}/{VF}/numa_node": "invalid content"}, "numa", -1),
        ({f"{PCI}/{VF}/numa_node": "1"}, "numa", 1),
        ({f"{PCI}/{VF}/numa_node": "0"}, "numa", 0),
        ({}, "driver", ""),
        ({f"{PCI}/{VF}/driver": Link("/sys/bus/pci/drivers/fake")}, "driver", "fake"),
        ({}, "netdevs", ()),
        ({f"{PCI}/{VF}/net": ""}, "netdevs", ()),
        ({f"{PCI}/{VF}/net/fake0": DIRECTORY}, "netdevs", ("fake0",)),
        ({f"{PCI}/{VF}/net/fake0": DIRECTORY, f"{PCI}/{VF}/net/fake1": DIRECTORY}, "netdevs", ("fake0", "fake1")),
        ({f"{PCI}/{VF}/physfn": Link(f"../{PF}"), f"{PCI}/{PF}/net": ""}, "pf_netdevs", ()),
        ({f"{PCI}/{VF}/physfn": Link(f"../{PF}")}, "index", -1),
        ({f"{PCI}/{VF}/physfn": Link(f"../{PF}"), f"{PCI}/{PF}/virtfn0": Link("../0000:00:00.2")}, "index", -1),
        ({f"{PCI}/{VF}/physfn": Link(f"../{PF}"), f"{PCI}/{PF}/virtfn0": Link(f"../{VF}")}, "index", 0),
        ({f"{PCI}/{VF}/physfn": Link(f"../{PF}"), f"{PCI}/{PF}/virtfn5": Link(f"../{VF}")}, "index", 5),
        ({f"{PCI}/{VF}/acpi_index": "101\n"}, "acpi_index", "101"),
        ({f"{PCI}/{VF}/foo.bar.0/x": "", f"{PCI}/{VF}/foo.sf.1/x": ""}, "subfunctions", ("foo.sf.1",)),
        ({f"{PCI}/{VF}/mlx5_core.rdma.3/x": ""}, "can_rdma", True),
        ({f"{PCI}/{VF}/mlx5_core.eth.3/x": ""}, "can_rdma", False),
    ],
)
def test_a_fact_of_a_function(fake_node: FakeNode, tree: Tree, fact: str, value: object) -> None:
    """What is missing or makes no sense is unknown, and never an error."""
    fake_node.add(function(VF))
    fake_node.add({f"{PCI}/{PF}/config": ""})
    fake_node.add(tree)

    assert getattr(scan(fake_node.node)[VF], fact) == value


@pytest.mark.parametrize(
    ("bad", "content"),
    [("0000:00:00.2", "pci:junk"), ("0000:00:00.2", ""), ("junk", "pci:v0"), ("0000:00:00.2", "\udcff".join("ab"))],
)
def test_a_bad_entry_hides_no_other(fake_node: FakeNode, bad: str, content: str) -> None:
    """P13: one entry that cannot be understood costs that entry."""
    fake_node.add(function(VF))
    fake_node.add({f"{PCI}/{bad}/modalias": content.encode(errors="surrogateescape")})

    assert list(scan(fake_node.node)) == [VF]


def test_a_modalias_needs_no_newline(fake_node: FakeNode) -> None:
    """Some recordings have lost it."""
    fake_node.add({f"{PCI}/{VF}/modalias": "pci:v00008086d00001572sv00001028sd00000000bc02sc00i00"})

    found = scan(fake_node.node)[VF]

    assert (found.vendor, found.device, found.pci_class) == ("8086", "1572", "020000")


@pytest.mark.parametrize(
    ("tree", "group", "noiommu"),
    [
        ({}, -1, False),
        ({f"{PCI}/{VF}/iommu_group": Link("../../../../kernel/iommu_groups/1")}, 1, False),
        (trees.vfio(VF, 12, noiommu=True), 12, True),
    ],
)
def test_vfio(fake_node: FakeNode, tree: Tree, group: int, noiommu: bool) -> None:  # noqa: FBT001 - a column of a table
    """The IOMMU group is what a container needs the node of."""
    fake_node.add(function(VF, driver="vfio-pci"))
    fake_node.add(tree)

    found = scan(fake_node.node)[VF]

    assert (found.vfio_group, found.is_noiommu) == (group, noiommu)


@pytest.mark.parametrize(
    ("tree", "uio"),
    [
        ({}, ""),
        ({f"{PCI}/{VF}/uio": ""}, ""),
        ({f"{PCI}/{VF}/uio": DIRECTORY}, ""),
        ({f"{PCI}/{VF}/uio/uio1/x": ""}, "uio1"),
    ],
)
def test_uio(fake_node: FakeNode, tree: Tree, uio: str) -> None:
    """An empty directory is a driver that is not ready, and no reason to fall."""
    fake_node.add(function(VF, driver="igb_uio"))
    fake_node.add(tree)

    assert scan(fake_node.node)[VF].uio == uio


def test_rdma(fake_node: FakeNode) -> None:
    """Two RDMA devices of one function, with the character devices of each in the order containers get them."""
    fake_node.add(function(VF, driver="mlx5_core"))
    fake_node.add({**trees.rdma(VF, "mlx5_3", 4), **trees.rdma(VF, "mlx5_4", 5)})
    fake_node.add({"/sys/class/infiniband_cm/ucm4/ibdev": "mlx5_3\n", "/sys/class/infiniband_verbs/abi_version": "6"})

    assert scan(fake_node.node)[VF].rdma == (
        Rdma(
            name="mlx5_3", paths=tuple(f"/dev/infiniband/{n}" for n in ("ucm4", "issm4", "umad4", "uverbs4", "rdma_cm"))
        ),
        Rdma(name="mlx5_4", paths=tuple(f"/dev/infiniband/{n}" for n in ("issm5", "umad5", "uverbs5", "rdma_cm"))),
    )


@pytest.mark.parametrize(
    ("driver", "vdpa"),
    [
        ("vhost_vdpa", Vdpa(name="vdpa0", kind="vhost", path="/dev/vhost-vdpa-0")),
        ("virtio_vdpa", Vdpa(name="vdpa0", kind="virtio")),
        ("other", Vdpa(name="vdpa0")),
    ],
)
def test_vdpa(fake_node: FakeNode, driver: str, vdpa: Vdpa) -> None:
    """A vDPA device belongs to the function below which the kernel has it."""
    place = f"/sys/devices/pci0000:00/{VF}/vdpa0"
    fake_node.add(function(VF))
    fake_node.add({f"{place}/vhost-vdpa-0/dev": "511:0", f"{place}/driver": Link(f"/sys/bus/vdpa/drivers/{driver}")})
    fake_node.add({"/sys/bus/vdpa/devices/vdpa0": Link(place), "/dev/vhost-vdpa-0": CharacterDevice()})

    assert scan(fake_node.node)[VF].vdpa == vdpa


@pytest.mark.parametrize(
    ("ports", "first"),
    [
        ({"enp_0": "pf0vf0", "enp_1": "pf0vf1", "eth0": "p0"}, "eth0"),
        ({"a_rep": "c1pf0vf0", "zeth": "p1"}, "zeth"),
        ({"eth0": "", "eth1": ""}, "eth0"),
    ],
)
def test_the_uplink_is_told_from_representors(fake_node: FakeNode, ports: dict[str, str], first: str) -> None:
    """With an embedded switch, a function's own interface is one among those of all that is on it."""
    fake_node.add(family(PF, "zz_placeholder", {0: VF}))
    fake_node.remove(f"{PCI}/{PF}/net/zz_placeholder")
    fake_node.add(function(VF, driver="iavf"))
    for name, port in ports.items():
        fake_node.add(netdev(PF, name, phys_port_name=f"{port}\n", phys_switch_id="12ab\n"))

    found = scan(fake_node.node)

    assert found[VF].pf_netdevs[0] == first
    assert found[PF].netdevs == found[VF].pf_netdevs
    assert found[VF].representor == next((n for n, port in ports.items() if port.endswith("vf0")), "")


def test_a_subfunction(fake_node: FakeNode) -> None:
    """It has its own number and interface, and identity, driver and place of the function it is on."""
    fake_node.add(function(PF, driver="mlx5_core", ids="15b3:101d", numa=1))
    fake_node.add({**netdev(PF, "enp3s0f0np0"), **trees.subfunction(PF, "mlx5_core.sf.4", 88, "enp3s0f0s88")})

    found = scan(fake_node.node)["mlx5_core.sf.4"]

    assert found == Function(
        id="mlx5_core.sf.4",
        kind="auxiliary",
        address=PF,
        vendor="15b3",
        device="101d",
        pci_class="020000",
        driver="mlx5_core",
        numa=1,
        pf=PF,
        pf_netdevs=("enp3s0f0np0",),
        index=88,
        aux_type="sf",
        netdevs=("enp3s0f0s88",),
        link_type="ether",
    )


@pytest.mark.parametrize("number", ["NaN", ""])
def test_a_subfunction_without_number(fake_node: FakeNode, number: str) -> None:
    """What `sfnum` does not tell is unknown."""
    fake_node.add({**function(PF, driver="mlx5_core"), **trees.subfunction(PF, "mlx5_core.sf.4", 1)})
    fake_node.add({f"{PCI}/{PF}/mlx5_core.sf.4/sfnum": number})

    assert scan(fake_node.node)["mlx5_core.sf.4"].index == -1


@pytest.mark.parametrize("name", ["0000:12:34.0", "driver_name.sf.id", "driver_name.sf.-4", "sf.4", "a.b.sf.4"])
def test_other_entries_are_no_subfunctions(fake_node: FakeNode, name: str) -> None:
    """Only ``driver.type.N`` is an auxiliary device."""
    fake_node.add({**function(PF, driver="x"), f"{PCI}/{PF}/{name}/sfnum": "1"})

    assert list(scan(fake_node.node)) == [PF]


def test_a_recorded_machine(fake_node: FakeNode) -> None:
    """What a real kernel shows is read as it is: kinds, numbers, groups, and the way through the PCIe fabric."""
    fake_node.add(trees.recorded())

    found = scan(fake_node.node, "02", "0108")

    facts = {
        name: (each.driver, each.pf, each.index, each.vfs, each.netdevs, each.numa, each.vfio_group)
        for name, each in found.items()
    }
    assert facts == {
        "0000:21:00.0": ("igb", "", -1, 2, ("enp33s0",), 0, -1),
        "0000:21:10.0": ("igbvf", "0000:21:00.0", 0, 0, ("enp33s0v0",), 0, -1),
        "0000:21:10.2": ("vfio-pci", "0000:21:00.0", 1, 0, (), 0, 18),
        "0000:61:00.0": ("igb", "", -1, 2, ("enp97s0",), 1, -1),
        "0000:61:10.0": ("igbvf", "0000:61:00.0", 0, 0, ("enp97s0v0",), 1, -1),
        "0000:61:10.2": ("vfio-pci", "0000:61:00.0", 1, 0, (), 1, 20),
        "0000:62:00.0": ("nvme", "", -1, 2, (), 1, -1),
        "0000:62:00.1": ("nvme", "0000:62:00.0", 0, 0, (), 1, -1),
        "0000:62:00.2": ("vfio-pci", "0000:62:00.0", 1, 0, (), 1, 22),
    }
    assert found["0000:62:00.2"].path == ("0000:60:01.0", "0000:62:00.2")
    assert {each.vfio_cdev for each in found.values()} == {""}
    assert found["0000:21:10.2"].link_type == "ether"
