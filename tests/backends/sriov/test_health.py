"""Whether a device is well, with a reason, and how close two are."""

import pytest

from devbay.api import HEALTHY, Device, Health, unhealthy
from devbay.testing import CharacterDevice, FakeNode, Link
from devbay_sriov import Backend
from tests.backends.sriov import trees
from tests.backends.sriov.trees import PCI, family, function, netdev, resource, vfio

PF, A, B = "0000:3b:00.0", "0000:3b:02.0", "0000:3b:02.1"


class TestHealth:
    """Two functions for user space, and what may befall one."""

    @pytest.fixture(autouse=True)
    def two(self, fake_node: FakeNode) -> None:
        """Give two functions of one NIC, found by a backend."""
        fake_node.add({**family(PF, "ens1", {0: A, 1: B}), **vfio(A, 4), **vfio(B, 5)})
        self.node = fake_node
        self.backend = Backend()
        self.settings = trees.settings(resource(pfNames=["ens1"], drivers=["vfio-pci"]), pf_link=True)
        self.devices = self.backend.discover(fake_node.node, self.settings)

    def health(self) -> dict[str, Health]:
        """Return the health of what was found first."""
        return dict(self.backend.check(self.node.node, self.settings, self.devices))

    def test_all_is_well(self) -> None:
        """A function that is there, with its driver, its nodes and its link, is healthy."""
        assert self.health() == {A: HEALTHY, B: HEALTHY}

    def test_a_function_that_is_gone(self) -> None:
        """Its neighbours are as they were, and it recovers."""
        self.node.remove(f"{PCI}/{A}")
        gone = self.health()
        self.node.add(vfio(A, 4))

        assert gone == {A: unhealthy(f"the PCI function {A} is gone"), B: HEALTHY}
        assert self.health() == {A: HEALTHY, B: HEALTHY}

    def test_another_function_at_its_address(self) -> None:
        """A card that was changed for another is not the device that was offered."""
        self.node.remove(f"{PCI}/{A}/modalias")
        self.node.add(function(A, driver="vfio-pci", ids="15b3:101e"))

        assert self.health()[A].reason.startswith("another function has its address: pci:v000015b3d0000101e")

    @pytest.mark.parametrize(("driver", "said"), [("", "no driver"), ("iavf", "the driver iavf")])
    def test_another_driver(self, driver: str, said: str) -> None:
        """P12: it is unhealthy at once, keeps its pool while it has no driver, and says what was expected."""
        self.node.remove(f"{PCI}/{A}/driver")
        if driver:
            self.node.add({f"{PCI}/{A}/driver": Link(f"/sys/bus/pci/drivers/{driver}")})

        assert self.health()[A] == unhealthy(f"{said} is bound to it; it was vfio-pci")
        left = [device.id for device in self.backend.discover(self.node.node, self.settings)]
        assert left == ([B] if driver else [B, A])

    def test_a_missing_node(self) -> None:
        """What a container could not be given is told by its path."""
        self.node.remove("/dev/vfio/4")

        assert self.health() == {A: unhealthy("device node /dev/vfio/4 is missing"), B: HEALTHY}

    def test_no_link(self) -> None:
        """Where it matters, the physical function's link is part of being well; coming back, it is again."""
        self.node.add({f"{PCI}/{PF}/net/ens1/operstate": "down\n"})
        down = self.health()
        self.node.add({f"{PCI}/{PF}/net/ens1/operstate": "up\n"})

        assert down[B] == unhealthy("the interface ens1 of its physical function has no link")
        assert self.health() == {A: HEALTHY, B: HEALTHY}

    def test_the_link_matters_only_where_asked(self) -> None:
        """By default a cable is no fault of a function."""
        self.node.add({f"{PCI}/{PF}/net/ens1/operstate": "down\n"})

        other = trees.settings(resource(pfNames=["ens1"]))

        assert all(self.backend.check(self.node.node, other, self.devices).values())


def test_a_subfunction_that_is_gone(fake_node: FakeNode) -> None:
    """The function that it was on is well, and it is not."""
    fake_node.add(function(PF, driver="mlx5_core") | trees.subfunction(PF, "mlx5_core.sf.4", 88))
    backend = Backend()
    settings = trees.settings(resource(auxTypes=["sf"], with_={"deviceType": "auxNetDevice"}))
    devices = backend.discover(fake_node.node, settings)
    well = dict(backend.check(fake_node.node, settings, devices))

    fake_node.remove(f"{PCI}/{PF}/mlx5_core.sf.4")

    assert well == {"mlx5_core.sf.4": HEALTHY}
    assert dict(backend.check(fake_node.node, settings, devices)) == {
        "mlx5_core.sf.4": unhealthy("the auxiliary device mlx5_core.sf.4 is gone")
    }


def test_an_rdma_device_whose_node_is_missing(fake_node: FakeNode) -> None:
    """RDMA without its verbs is none."""
    fake_node.add({**function(A, driver="mlx5_core"), **netdev(A, "e0"), **trees.rdma(A, "mlx5_2", 2)})
    backend, settings = Backend(), trees.settings(resource(isRdma=True))
    devices = backend.discover(fake_node.node, settings)

    fake_node.remove("/dev/infiniband/uverbs2")

    assert backend.check(fake_node.node, settings, devices) == {
        A: unhealthy("device node /dev/infiniband/uverbs2 is missing")
    }


@pytest.mark.parametrize(
    ("one", "other", "closeness"),
    [
        (("pf0", "r0/s0/a"), ("pf0", "r0/s0/b"), 4),
        (("pf0", "r0/s0/a"), ("pf1", "r0/s0/b"), 3),
        (("pf0", "r0/a"), ("pf1", "r0/b"), 2),
        (("pf0", "r0/a"), ("pf1", "r1/b"), 1),
        ((None, "a"), (None, "b"), 1),
    ],
)
def test_closeness(one: tuple[str | None, str], other: tuple[str | None, str], closeness: float) -> None:
    """One physical function before one PCIe switch, one root port, and one NUMA node."""
    a, b = (
        Device(id=n, resource="x.y/z", parent=parent, numa_nodes=(0,), attributes={"pcie_path": path})
        for n, (parent, path) in zip("ab", (one, other), strict=True)
    )

    assert Backend().affinity(a, b) == Backend().affinity(b, a) == closeness


def test_nothing_known_is_not_close() -> None:
    """Without a NUMA node there is nothing to compare."""
    a, b = (Device(id=n, resource="x.y/z", attributes={"pcie_path": n}) for n in "ab")

    assert Backend().affinity(a, b) == 0


def test_a_recorded_machine_is_well(fake_node: FakeNode) -> None:
    """Every function that a real kernel bound, with the nodes that it made, is healthy."""
    fake_node.add({**trees.recorded(), "/dev/null0": CharacterDevice()})
    backend, settings = Backend(), trees.settings(resource(vendors=["8086"]))
    devices = backend.discover(fake_node.node, settings)

    assert set(backend.check(fake_node.node, settings, devices).values()) == {HEALTHY}
