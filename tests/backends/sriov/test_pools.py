"""Which function is in which pool: every selector, first match, and what is left out."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbay.testing import DIRECTORY, FakeNode
from devbay_sriov import Backend, config, pools
from devbay_sriov.functions import Function, Vdpa
from devbay_sriov.pooling import Resource
from devbay_sriov.pools import Rules
from tests.backends.sriov import trees
from tests.backends.sriov.trees import family, function, netdev, offered, resource


class Known:
    """Facts that are looked up, from a table by function id."""

    def __init__(self, facts: dict[str, str]) -> None:
        self._facts = facts

    def pkey(self, function: Function) -> str:
        """Return the fact."""
        return self._facts.get(function.id, "")

    net_state = ddp_profile = pkey


def divide(
    functions: list[Function], *resources: dict[str, Any], facts: dict[str, str] | None = None
) -> pools.Division:
    """Return the pools of functions."""
    asked = config.pools({"resourceList": list(resources)}, "intel.com")
    return pools.divide(asked.resources, functions, Rules(lookup=Known(facts or {})))


VDPA = [Vdpa(name="v", kind="vhost"), Vdpa(name="v", kind="vhost"), None, None, Vdpa(name="v", kind="virtio")]
NET = [
    Function(
        id=f"0000:03:02.{n}",
        address=f"0000:03:02.{n}",
        pci_class="020000",
        vendor=("8086", "8086", "1111", "2222", "3333")[n],
        device=("abcd", "123a", "abcd", "2222", "1024")[n],
        driver=("igb_uio", "igb_uio", "igb_uio", "iavf", "vfio-pci")[n],
        pf_netdevs=(("eth0", "eth0", "eth1", "net0", "net0")[n],),
        pf=f"0000:86:00.{n}",
        link_type=("ether", "infiniband", "ether", "ether", "fake")[n],
        can_rdma=n in {1, 4},
        vdpa=VDPA[n],
        numa=n % 2,
        acpi_index=str(101 + n),
    )
    for n in range(5)
]
AUX = [
    Function(
        id=f"mlx5_core.sf.{n}",
        kind="auxiliary",
        address="0000:86:00.0",
        pci_class="020000",
        vendor=("8086", "15b3", "15b3", "15b3", "8086")[n],
        device=("1521", "101b", "a2d6", "a2d6", "1521")[n],
        driver=("igb", "mlx5_core", "mlx5_core", "mlx5_core", "igb")[n],
        pf_netdevs=(("eth0", "ib0", "net0", "net0", "eth1")[n],),
        pf=("0000:86:00.0", "0000:03:00.0", "0000:04:00.0", "0000:04:00.0", "0000:86:00.4")[n],
        link_type="infiniband" if n == 1 else "ether",
        can_rdma=n in {1, 4},
        aux_type="sf",
        index=n,
    )
    for n in range(5)
]
ACCELERATORS = [replace(each, pci_class="120000") for each in NET]


@pytest.mark.parametrize(
    ("selector", "chosen"),
    [
        ({"vendors": ["8086"]}, {0, 1}),
        ({"vendors": ["none"]}, set()),
        ({"devices": ["abcd"]}, {0, 2}),
        ({"drivers": ["igb_uio"]}, {0, 1, 2}),
        ({"pciAddresses": ["0000:03:02.0", "0000:03:02.3"]}, {0, 3}),
        ({"pciAddresses": ["03:02.0"]}, {0}),
        ({"pfNames": ["net0", "eth1"]}, {2, 3, 4}),
        ({"pfNames": ["NET0"]}, {3, 4}),
        ({"pfNames": ["net0#0"]}, set()),
        ({"rootDevices": ["0000:86:00.0", "0000:86:00.4"]}, {0, 4}),
        ({"linkTypes": ["infiniband"]}, {1}),
        ({"linkTypes": ["infiniband", "fake"]}, {1, 4}),
        ({"isRdma": True}, {1, 4}),
        ({"isRdma": False}, {0, 1, 2, 3, 4}),
        ({"vdpaType": "vhost"}, {0, 1}),
        ({"vdpaType": "virtio"}, {4}),
        ({"acpiIndexes": ["101"]}, {0}),
        ({"numaNodes": [1]}, {1, 3}),
        ({"vendors": ["8086"], "devices": ["abcd"]}, {0}),
        ([{"vendors": ["none"]}, {"vendors": ["8086"]}], {0, 1}),
        ([{"pciAddresses": ["0000:03:02.0"]}, {"pciAddresses": ["0000:03:02.3"]}], {0, 3}),
        ({"vendors": [], "devices": None}, {0, 1, 2, 3, 4}),
        ({"pciClasses": ["03"]}, set()),
    ],
)
def test_selectors_of_net_devices(selector: Any, chosen: set[int]) -> None:
    """Keys are and-ed, values or-ed, empty lists say nothing."""
    found = divide(NET, {"resourceName": "a", "selectors": selector})

    assert set(found.shares) == {NET[n].id for n in chosen}


@pytest.mark.parametrize(
    ("selector", "chosen"),
    [
        ({"vendors": ["8086"]}, {0, 4}),
        ({"devices": ["a2d6"]}, {2, 3}),
        ({"drivers": ["mlx5_core"]}, {1, 2, 3}),
        ({"pfNames": ["net0"]}, {2, 3}),
        ({"pfNames": ["net0#3"]}, {3}),
        ({"pfNames": ["net0#0", "net0#2"]}, {2}),
        ({"rootDevices": ["0000:86:00.0", "0000:86:00.4"]}, {0, 4}),
        ({"linkTypes": ["infiniband"]}, {1}),
        ({"isRdma": True}, {1, 4}),
    ],
)
def test_selectors_of_subfunctions(selector: dict[str, Any], chosen: set[int]) -> None:
    """Identity and driver are those of the function below; several entries of one function add up."""
    own = {"resourceName": "a", "deviceType": "auxNetDevice", "selectors": {"auxTypes": ["sf"], **selector}}

    assert set(divide(AUX, own).shares) == {AUX[n].id for n in chosen}


@pytest.mark.parametrize(
    ("selector", "chosen"),
    [
        ({"vendors": ["8086"]}, {0, 1}),
        ({"devices": ["abcd"]}, {0, 2}),
        ({"drivers": ["igb_uio"]}, {0, 1, 2}),
        ({"pciAddresses": ["0000:03:02.0", "0000:03:02.3"]}, {0, 3}),
        ({"acpiIndexes": ["102"]}, {1}),
    ],
)
def test_selectors_of_accelerators(selector: dict[str, Any], chosen: set[int]) -> None:
    """Processing accelerators are PCI class 12; network functions are none of them."""
    own = {"resourceName": "a", "deviceType": "accelerator", "selectors": selector}

    assert set(divide(ACCELERATORS, own).shares) == {NET[n].id for n in chosen}
    assert not divide(NET, own).shares


@pytest.mark.parametrize(
    ("selector", "facts", "chosen"),
    [
        ({"pKeys": ["0x1", "0x2"]}, ["0x1", "0x2", "0x3"], {0, 1}),
        ({"pKeys": ["0x1"]}, ["0x0001", "0x8001", ""], {0}),
        ({"ddpProfiles": ["GTP"]}, ["GTP", "PPPoE", ""], {0}),
        ({"netStates": ["UP"]}, ["up", "down", ""], {0}),
    ],
)
def test_selectors_that_look_further(selector: dict[str, Any], facts: list[str], chosen: set[int]) -> None:
    """Partition keys are numbers, whatever the kernel pads them with; nothing known matches nothing."""
    functions = [replace(each, link_type="infiniband") for each in NET[:3]]
    known = {each.id: fact for each, fact in zip(functions, facts, strict=True)}

    assert set(divide(functions, resource(**selector), facts=known).shares) == {NET[n].id for n in chosen}


SELECTORS = st.fixed_dictionaries(
    {},
    optional={
        "vendors": st.lists(st.sampled_from(["8086", "1111", "2222"]), max_size=2),
        "drivers": st.lists(st.sampled_from(["iavf", "igb_uio"]), max_size=2),
        "pfNames": st.lists(st.sampled_from(["eth0", "net0", "eth1#0-3"]), max_size=2),
        "isRdma": st.booleans(),
    },
)


@given(asked=st.lists(st.lists(SELECTORS, min_size=1, max_size=3), max_size=5))
def test_pools_are_disjoint_and_the_first_owns(asked: list[list[dict[str, Any]]]) -> None:
    """Whatever is configured, a function is in one pool: the first that would have it alone."""
    resources = [{"resourceName": f"r{n}", "selectors": selectors} for n, selectors in enumerate(asked)]

    shares = divide(NET, *resources).shares

    alone = [divide(NET, each).shares for each in resources]
    for each in NET:
        owner = next((f"r{n}" for n, found in enumerate(alone) if each.id in found), None)
        assert (shares[each.id].resource.name if each.id in shares else None) == owner


PF, VF = "0000:00:00.0", "0000:00:00.1"


def test_a_physical_function_with_functions_is_not_offered(fake_node: FakeNode) -> None:
    """Its virtual functions are; so is a physical function that has none, which its own address does not select."""
    fake_node.add({**family(PF, "ens1", {0: VF}, total=1), **function(VF, driver="i40evf", ids="8086:154C")})
    fake_node.add(family("0000:01:00.0", "ens2", {}))

    assert list(offered(fake_node.node, resource(vendors=["8086"]))) == [VF, "0000:01:00.0"]
    assert list(offered(fake_node.node, resource(rootDevices=[PF, "0000:01:00.0"]))) == [VF]
    assert list(offered(fake_node.node, resource(pfNames=["ens1", "ens2"]))) == [VF]


def test_without_a_driver_nothing_is_offered(fake_node: FakeNode) -> None:
    """A function that is not bound yet comes when it is: hotplug shows it before its driver."""
    fake_node.add(family(PF, "ens1", {}) | function(VF))

    assert list(offered(fake_node.node, resource())) == [PF]


def test_a_function_without_its_physical_one(fake_node: FakeNode) -> None:
    """In a virtual machine there is only the function: it has no number and no name to select it by."""
    fake_node.add(function(VF, driver="igb_uio"))

    (device,) = offered(fake_node.node, resource()).values()

    assert (device.parent, device.attributes.get("pf_name"), device.attributes.get("vf")) == (None, None, None)


def test_an_accelerator_with_functions_is_offered(fake_node: FakeNode) -> None:
    """Only network functions are left out for the functions on them; one without a driver is, of any type."""
    fake_node.add(function("0000:05:00.0", driver="fake", kind="120000"))
    fake_node.add({f"{trees.PCI}/0000:05:00.0/sriov_numvfs": "32"})
    fake_node.add(function("0000:05:00.1", driver="fake", kind="120000") | function("0000:05:00.2", kind="120000"))
    fake_node.add(function("0000:05:00.3", driver="fake", kind="ff0000"))

    found = offered(fake_node.node, resource(with_={"deviceType": "accelerator"}))

    assert list(found) == ["0000:05:00.0", "0000:05:00.1"]


def test_other_pci_classes_can_be_had(fake_node: FakeNode) -> None:
    """A crypto coprocessor's functions are of class 0b40, which no device type has."""
    fake_node.add(function(VF, driver="vfio-pci", ids="8086:4941", kind="0b4000"))

    assert not offered(fake_node.node, resource(vendors=["8086"]))
    assert list(offered(fake_node.node, resource(pciClasses=["0b40"]))) == [VF]


def test_what_is_offered_of_a_recorded_machine(fake_node: FakeNode) -> None:
    """Pools of a real kernel's functions: NUMA nodes, physical function, what people see."""
    fake_node.add(trees.recorded())

    found = offered(
        fake_node.node,
        resource("dpdk", pfNames=["enp33s0#0-3", "enp97s0"], drivers=["vfio-pci"]),
        resource("nvme", pciClasses=["0108"], drivers=["vfio-pci"], with_={"deviceType": "accelerator"}),
        resource("net", vendors=["8086"], with_={"excludeTopology": True}),
    )

    facts = {d.id: (d.resource.partition("/")[2], d.numa_nodes, d.parent, d.paths) for d in found.values()}
    assert facts == {
        "0000:21:10.0": ("net", (), "0000:21:00.0", ()),
        "0000:21:10.2": ("dpdk", (0,), "0000:21:00.0", ("/dev/vfio/vfio", "/dev/vfio/18")),
        "0000:61:10.0": ("net", (), "0000:61:00.0", ()),
        "0000:61:10.2": ("dpdk", (1,), "0000:61:00.0", ("/dev/vfio/vfio", "/dev/vfio/20")),
        "0000:62:00.2": ("nvme", (1,), "0000:62:00.0", ("/dev/vfio/vfio", "/dev/vfio/22")),
    }


def test_why_a_function_is_where_it_is(fake_node: FakeNode) -> None:
    """Selector by selector: what was wanted and what is the case, who came first, and what stands in the way."""
    fake_node.add(trees.recorded())
    settings = trees.settings(
        resource("dpdk", drivers=["vfio-pci"], pfNames=["enp33s0#0-3"]), resource("net", vendors=["8086"])
    )
    backend = Backend()

    told = {
        name: backend.explain(fake_node.node, settings, name)
        for name in ("0000:21:10.2", "0000:61:10.2", "0000:21:00.0")
    }

    assert told == {
        "0000:21:10.2": [
            "intel.com/dpdk, selector 0: yes",
            "intel.com/net, selector 0: would, but intel.com/dpdk, selector 0 comes first",
        ],
        "0000:61:10.2": [
            "intel.com/dpdk, selector 0: no: pfNames enp33s0#0-3: it has enp97s0, number 1",
            "intel.com/net, selector 0: yes",
        ],
        "0000:21:00.0": [
            "intel.com/dpdk, selector 0: no: drivers vfio-pci: it has igb",
            "intel.com/net, selector 0: selects it, but it is the physical function of 2 virtual functions",
        ],
    }


class TestAway:
    """A function whose interface is in a pod's network namespace."""

    POOL = resource("rdma", pfNames=["ens1"], isRdma=True, linkTypes=["ether"])

    @pytest.fixture
    def node(self, fake_node: FakeNode) -> FakeNode:
        """Give a function with an interface and RDMA."""
        fake_node.add({**family(PF, "ens1", {0: VF}, driver="mlx5_core"), **function(VF, driver="mlx5_core")})
        fake_node.add({**netdev(VF, "ens1v0"), **trees.rdma(VF, "mlx5_2", 2)})
        return fake_node

    def test_it_keeps_its_pool(self, node: FakeNode) -> None:
        """Interface and RDMA device are gone from our sight, and the function is as healthy as it was."""
        backend, settings = Backend(), trees.settings(self.POOL, device_info_dir="")
        backend.discover(node.node, settings)

        node.remove(f"{trees.PCI}/{VF}/net", f"{trees.PCI}/{VF}/infiniband")
        (device,) = backend.discover(node.node, settings)

        assert device.id == VF
        assert all(backend.check(node.node, settings, [device]).values())

    def test_it_keeps_its_pool_over_a_restart(self, node: FakeNode) -> None:
        """The device information of an earlier process says which pool it was in."""
        place = node.locate("/proc/devinfo/dp")
        place.mkdir(parents=True)
        settings = trees.settings(self.POOL, device_info_dir=str(place))
        Backend().discover(node.node, settings)

        node.remove(f"{trees.PCI}/{VF}/net", f"{trees.PCI}/{VF}/infiniband")

        assert [device.id for device in Backend().discover(node.node, settings)] == [VF]

    def test_its_driver_tells_that_it_has_rdma(self, node: FakeNode) -> None:
        """The driver's auxiliary device stays where it is, so nothing need be remembered."""
        node.remove(f"{trees.PCI}/{VF}/net", f"{trees.PCI}/{VF}/infiniband")
        node.add({f"{trees.PCI}/{VF}/mlx5_core.rdma.2": DIRECTORY})

        assert list(offered(node.node, self.POOL, device_info_dir="")) == [VF]

    def test_it_keeps_its_pool_without_its_physical_functions_interface(self, node: FakeNode) -> None:
        """That interface too may be moved away, and with it the name that selected the function."""
        backend, settings = Backend(), trees.settings(self.POOL, device_info_dir="")
        backend.discover(node.node, settings)

        node.remove(f"{trees.PCI}/{PF}/net")

        assert [device.id for device in backend.discover(node.node, settings)] == [VF]

    def test_one_that_was_in_no_pool_is_in_none(self, node: FakeNode) -> None:
        """Being out of sight is no way into a pool."""
        node.remove(f"{trees.PCI}/{VF}/net", f"{trees.PCI}/{VF}/infiniband")

        assert not offered(node.node, self.POOL, device_info_dir="")


def test_a_resource_has_a_whole_name() -> None:
    """Prefix and name, with a slash."""
    assert Resource(prefix="intel.com", name="a").full_name == "intel.com/a"
