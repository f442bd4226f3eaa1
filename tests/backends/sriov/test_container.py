"""What a container gets: the network device plugin's variables, byte for byte, and device nodes."""

import json

import pytest

from devbay.api import ContainerEdits, Device, DeviceNode
from devbay.testing import CharacterDevice, FakeNode, Link, Tree
from devbay_sriov import Backend
from tests.backends.sriov import trees
from tests.backends.sriov.trees import PCI, function, rdma, resource, vfio

A, B = "0000:03:02.1", "0000:03:04.3"
VHOST: Tree = {"/dev/vhost-net": CharacterDevice(), "/dev/net/tun": CharacterDevice()}


def given(node: FakeNode, *ids: str, name: str = "pool", **keys: object) -> ContainerEdits:
    """Return what a container gets for functions, in this order, of a pool with a selector of these keys."""
    backend, settings = Backend(), trees.settings(resource(name, **keys))
    found: dict[str, Device] = {device.id: device for device in backend.discover(node.node, settings)}
    return backend.edit(node.node, settings, f"intel.com/{name}", [found[each] for each in ids or found])


def told(edits: ContainerEdits, device: str = A) -> dict[str, object]:
    """Return what the variable says of a function."""
    found: dict[str, object] = json.loads(edits.env["PCIDEVICE_INTEL_COM_POOL_INFO"])[device]
    assert found.pop("generic") == {"deviceID": device}
    return found


def paths(edits: ContainerEdits) -> list[str]:
    """Return the device nodes in their order."""
    assert all(node.permissions == "rw" for node in edits.device_nodes)
    return [node.path for node in edits.device_nodes]


def test_the_variables(fake_node: FakeNode) -> None:
    """Ids in the request's order, joined by commas; what is known of each, as JSON with sorted keys and no space."""
    fake_node.add(function(A, driver="iavf") | function(B, driver="iavf"))

    assert given(fake_node, A, B, name="sriov_net_A").env == {
        "PCIDEVICE_INTEL_COM_SRIOV_NET_A": "0000:03:02.1,0000:03:04.3",
        "PCIDEVICE_INTEL_COM_SRIOV_NET_A_INFO": '{"0000:03:02.1":{"generic":{"deviceID":"0000:03:02.1"}},'
        '"0000:03:04.3":{"generic":{"deviceID":"0000:03:04.3"}}}',
    }


def test_the_order_of_the_request(fake_node: FakeNode) -> None:
    """The list keeps it; the JSON object is sorted, as it always was."""
    fake_node.add(function(A, driver="iavf") | function(B, driver="iavf"))

    there, back = given(fake_node, A, B), given(fake_node, B, A)

    assert back.env["PCIDEVICE_INTEL_COM_POOL"] == f"{B},{A}"
    assert there.env["PCIDEVICE_INTEL_COM_POOL_INFO"] == back.env["PCIDEVICE_INTEL_COM_POOL_INFO"]


def test_a_name_with_a_hyphen_has_a_twin(fake_node: FakeNode) -> None:
    """A shell cannot address a variable with a hyphen, and programs that know it find it all the same."""
    fake_node.add(function(A, driver="iavf"))

    env = given(fake_node, name="a-b_c").env

    assert list(env) == [f"PCIDEVICE_INTEL_COM_{name}{end}" for name in ("A-B_C", "A_B_C") for end in ("", "_INFO")]
    assert env["PCIDEVICE_INTEL_COM_A-B_C"] == env["PCIDEVICE_INTEL_COM_A_B_C"] == A


def test_letters_that_go_escapes(fake_node: FakeNode) -> None:
    """Go's JSON escapes ``<``, ``>``, ``&`` and two line separators, and writes other letters as they are."""
    fake_node.add(function(A, driver="iavf"))
    extra = {"*": {"é": '<>&\u2028\u2029\x7f\n"\\'}}

    env = given(fake_node, with_={"additionalInfo": extra}).env

    assert (
        env["PCIDEVICE_INTEL_COM_POOL_INFO"]
        == '{"0000:03:02.1":{"extra":{"é":"\\u003c\\u003e\\u0026\\u2028\\u2029\x7f\\n\\"\\\\"},'
        '"generic":{"deviceID":"0000:03:02.1"}}}'
    )


@pytest.mark.parametrize(
    ("info", "extra"),
    [
        ({"*": {"token": "T"}}, {"token": "T"}),
        ({"*": {"test": "test"}, A: {"test": "test1"}}, {"test": "test1"}),
        ({"*": {"test": "t", "bla": "b"}, A: {"test": "test1"}}, {"test": "test1", "bla": "b"}),
        ({"*": {"test": "t"}, A: {"test": "test1", "bla": "b"}}, {"test": "test1", "bla": "b"}),
        ({B: {"test": "t"}}, {}),
    ],
)
def test_additional_information(fake_node: FakeNode, info: dict[str, dict[str, str]], extra: dict[str, str]) -> None:
    """What is said of one function comes before what is said of all, key by key; no attribute shows it."""
    fake_node.add(function(A, driver="iavf"))

    assert told(given(fake_node, with_={"additionalInfo": info})) == {"extra": extra}
    (device,) = trees.offered(fake_node.node, resource(with_={"additionalInfo": info})).values()
    assert "additional_info" not in device.attributes


def test_vfio(fake_node: FakeNode) -> None:
    """The container of groups once, and each group; complete on the first call."""
    fake_node.add({**vfio(A, 0), **vfio(B, 12)})

    edits = given(fake_node, B, A)

    assert paths(edits) == ["/dev/vfio/vfio", "/dev/vfio/12", "/dev/vfio/0"]
    assert told(edits, B) == {"vfio": {"dev-mount": "/dev/vfio/12", "mount": "/dev/vfio/vfio"}}


def test_vfio_without_an_iommu(fake_node: FakeNode) -> None:
    """The group's node has another name on the machine than in a container."""
    fake_node.add(vfio(A, 7, noiommu=True))

    edits = given(fake_node)

    assert edits.device_nodes[1] == DeviceNode(path="/dev/vfio/7", host_path="/dev/vfio/noiommu-7")
    assert told(edits) == {"vfio": {"dev-mount": "/dev/vfio/7", "mount": "/dev/vfio/vfio"}}


def test_vfio_without_a_group(fake_node: FakeNode) -> None:
    """What is unknown is not told, and the rest is."""
    fake_node.add(function(A, driver="vfio-pci"))

    edits = given(fake_node)

    assert (paths(edits), told(edits)) == (["/dev/vfio/vfio"], {"vfio": {"mount": "/dev/vfio/vfio"}})


@pytest.mark.parametrize(
    ("which", "nodes"),
    [
        ("group", ["/dev/vfio/vfio", "/dev/vfio/3"]),
        ("cdev", ["/dev/iommu", "/dev/vfio/devices/vfio1"]),
        ("both", ["/dev/vfio/vfio", "/dev/vfio/3", "/dev/iommu", "/dev/vfio/devices/vfio1"]),
    ],
)
def test_vfio_by_the_function(fake_node: FakeNode, which: str, nodes: list[str]) -> None:
    """A kernel with iommufd has a node for each function; which of them a container gets is a resource's say."""
    fake_node.add({**vfio(A, 3), f"{PCI}/{A}/vfio-dev/vfio1/dev": "511:1\n"})

    assert paths(given(fake_node, with_={"vfio": which})) == nodes


def test_vfio_by_the_function_where_the_kernel_has_none(fake_node: FakeNode) -> None:
    """Debian's kernel lists the functions without nodes: the group is what there is."""
    fake_node.add(trees.recorded())

    edits = given(fake_node, "0000:21:10.2", drivers=["vfio-pci"], with_={"vfio": "cdev"})

    assert paths(edits) == ["/dev/vfio/vfio", "/dev/vfio/18"]


@pytest.mark.parametrize("driver", ["uio", "igb_uio", "uio_pci_generic"])
def test_uio(fake_node: FakeNode, driver: str) -> None:
    """The node and where it is, on the first call already."""
    fake_node.add(function(A, driver=driver) | {f"{PCI}/{A}/uio/uio0/x": ""})

    edits = given(fake_node)

    assert (paths(edits), told(edits)) == (["/dev/uio0"], {"uio": {"mount": "/dev/uio0"}})


def test_rdma(fake_node: FakeNode) -> None:
    """Every character device of every RDMA device once; the variable has the last of each kind, and the first name."""
    fake_node.add(function(A, driver="mlx5_core"))
    fake_node.add({**rdma(A, "fake_0", 0), **rdma(A, "fake_1", 4)})

    edits = given(fake_node, isRdma=True)

    own = [f"/dev/infiniband/{name}" for name in ("issm0", "umad0", "uverbs0", "rdma_cm", "issm4", "umad4", "uverbs4")]
    assert paths(edits) == own
    assert told(edits) == {
        "rdma": {
            "issm": "/dev/infiniband/issm4",
            "umad": "/dev/infiniband/umad4",
            "uverbs": "/dev/infiniband/uverbs4",
            "rdma_cm": "/dev/infiniband/rdma_cm",
            "rdma_dev": "fake_0",
        }
    }


def test_rdma_is_given_where_it_is_asked_for(fake_node: FakeNode) -> None:
    """A function that happens to have RDMA is a plain interface in a pool that does not ask."""
    fake_node.add(function(A, driver="mlx5_core") | rdma(A, "mlx5_2", 2))

    edits = given(fake_node, isRdma=False)

    assert (paths(edits), told(edits)) == ([], {})


@pytest.mark.parametrize(
    ("kind", "driver", "nodes", "info"),
    [
        ("vhost", "vhost_vdpa", ["/dev/vhost-vdpa1"], {"mount": "/dev/vhost-vdpa1"}),
        ("virtio", "virtio_vdpa", [], {}),
    ],
)
def test_vdpa(fake_node: FakeNode, kind: str, driver: str, nodes: list[str], info: dict[str, str]) -> None:
    """One for vhost has a node, and it is told on the first call; one for virtio has none."""
    place = f"/sys/devices/pci0000:00/{A}/vdpa0"
    fake_node.add(function(A, driver="mlx5_core") | rdma(A, "mlx5_2", 2))
    fake_node.add({f"{place}/vhost-vdpa1/dev": "", f"{place}/driver": Link(f"/sys/bus/vdpa/drivers/{driver}")})
    fake_node.add({"/sys/bus/vdpa/devices/vdpa0": Link(place)})

    edits = given(fake_node, vdpaType=kind)

    assert (paths(edits), told(edits)) == (nodes, {"vdpa": info})


def test_vhost_net(fake_node: FakeNode) -> None:
    """Both nodes, or none of them."""
    fake_node.add(function(A, driver="iavf") | VHOST)
    both = given(fake_node, needVhostNet=True)
    fake_node.remove("/dev/net/tun")
    one = given(fake_node, needVhostNet=True)

    assert paths(both) == ["/dev/vhost-net", "/dev/net/tun"]
    assert told(both) == {"vhost": {"net-mount": "/dev/vhost-net", "tun-mount": "/dev/net/tun"}}
    assert (paths(one), told(one)) == ([], {})


def test_without_topology_the_nodes_are_given(fake_node: FakeNode) -> None:
    """A device that tells no paths is placed on no NUMA node, by nobody; its container gets them all the same."""
    fake_node.add(vfio(A, 4))

    edits = given(fake_node, with_={"excludeTopology": True})
    (device,) = trees.offered(fake_node.node, resource(with_={"excludeTopology": True})).values()

    assert paths(edits) == ["/dev/vfio/vfio", "/dev/vfio/4"]
    assert (device.paths, device.numa_nodes) == ((), ())


def test_a_subfunction(fake_node: FakeNode) -> None:
    """Its id is its name on the auxiliary bus."""
    fake_node.add(function(A, driver="mlx5_core") | trees.subfunction(A, "mlx5_core.sf.4", 88, "p0s88"))

    edits = given(fake_node, auxTypes=["sf"], with_={"deviceType": "auxNetDevice"})

    assert edits.env == {
        "PCIDEVICE_INTEL_COM_POOL": "mlx5_core.sf.4",
        "PCIDEVICE_INTEL_COM_POOL_INFO": '{"mlx5_core.sf.4":{"generic":{"deviceID":"mlx5_core.sf.4"}}}',
    }
