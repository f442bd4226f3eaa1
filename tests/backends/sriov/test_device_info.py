"""What Multus is told of a device: its file, byte for byte, and how long it stays."""

import stat
from pathlib import Path
from typing import Any

import pytest

from devbay.testing import CharacterDevice, FakeNode, Link, Tree
from devbay_sriov import Backend, Settings, deviceinfo
from tests.backends.sriov import trees
from tests.backends.sriov.trees import PCI, family, function, netdev, rdma, resource

A, B = "0000:01:00.1", "0000:01:00.2"
PLAIN = b'{"type":"pci","version":"1.1.0","pci":{"pci-address":"0000:01:00.2"}}'


@pytest.fixture
def place(fake_node: FakeNode) -> Path:
    """Give the directory in which Multus looks."""
    place = fake_node.locate("/proc/devinfo/dp")
    place.mkdir(parents=True)
    return place


def pools(place: Path, *resources: dict[str, object]) -> Settings:
    """Return settings with these resources of fakeOrg."""
    return trees.settings(*resources, device_info_dir=str(place), resource_prefix="fakeorg.io")


def document(node: FakeNode, **keys: Any) -> bytes:
    """Return the file of the first function of a pool."""
    (device, *_) = trees.offered(node.node, resource(**keys)).values()
    return deviceinfo.document(device)


def test_what_the_plugin_writes(fake_node: FakeNode) -> None:
    """A function alone: its address; its RDMA device only where RDMA was asked for."""
    fake_node.add(function(A, driver="mlx5_core") | rdma(A, "rdmadevice1", 1))

    assert document(fake_node) == b'{"type":"pci","version":"1.1.0","pci":{"pci-address":"0000:01:00.1"}}'
    assert (
        document(fake_node, isRdma=True) == b'{"type":"pci","version":"1.1.0",'
        b'"pci":{"pci-address":"0000:01:00.1","rdma-device":"rdmadevice1"}}'
    )


def test_all_that_there_is_to_tell(fake_node: FakeNode) -> None:
    """Five fields, where all are known, in the order of the specification."""
    fake_node.add({**family("0000:01:00.0", "p0", {3: A}), **function(A, driver="mlx5_core")})
    fake_node.add({**netdev("0000:01:00.0", "rep3", phys_port_name="pf0vf3"), **rdma(A, "m2", 1), **rdma(A, "m3", 2)})
    fake_node.add({"/dev/vhost-net": CharacterDevice(), "/dev/net/tun": CharacterDevice()})

    assert (
        document(fake_node, isRdma=True, needVhostNet=True) == b'{"type":"pci","version":"1.1.0",'
        b'"pci":{"pci-address":"0000:01:00.1","vhost-net":"/dev/vhost-net","rdma-device":"m2,m3",'
        b'"pf-pci-address":"0000:01:00.0","representor-device":"rep3"}}'
    )


@pytest.mark.parametrize(
    ("kind", "driver", "path"),
    [("vhost", "vhost_vdpa", b'"path":"/dev/vhost-vdpa-0",'), ("virtio", "virtio_vdpa", b"")],
)
def test_vdpa(fake_node: FakeNode, kind: str, driver: str, path: bytes) -> None:
    """One for vhost has a path, one for virtio none."""
    place = f"/sys/devices/pci0000:00/{A}/vdpa0"
    fake_node.add(function(A, driver="mlx5_core"))
    fake_node.add({f"{place}/vhost-vdpa-0/dev": "", f"{place}/driver": Link(f"/sys/bus/vdpa/drivers/{driver}")})
    fake_node.add({"/sys/bus/vdpa/devices/vdpa0": Link(place)})

    assert document(fake_node, vdpaType=kind) == (
        b'{"type":"vdpa","version":"1.1.0","vdpa":{"parent-device":"vdpa0","driver":"%b",%b"pci-address":"0000:01:00.1"}}'
        % (kind.encode(), path)
    )


def test_subfunctions_have_one(fake_node: FakeNode) -> None:
    """Both addresses are of the function that it is on."""
    fake_node.add(function(A, driver="mlx5_core") | trees.subfunction(A, "mlx5_core.sf.4", 88))

    assert document(fake_node, auxTypes=["sf"], with_={"deviceType": "auxNetDevice"}) == (
        b'{"type":"pci","version":"1.1.0","pci":{"pci-address":"0000:01:00.1","pf-pci-address":"0000:01:00.1"}}'
    )


class TestFiles:
    """The files, over the life of devices."""

    @pytest.fixture(autouse=True)
    def two(self, fake_node: FakeNode) -> None:
        """Give two functions."""
        fake_node.add(function(A, driver="iavf") | function(B, driver="iavf"))

    def test_each_offered_device_has_its_file(self, fake_node: FakeNode, place: Path) -> None:
        """It is where Multus looks before any container is made, and nobody but us writes it."""
        Backend().discover(fake_node.node, pools(place, resource("fakeResource")))

        assert sorted(path.name for path in place.iterdir()) == [
            "fakeorg.io-fakeResource-0000:01:00.1-device.json",
            "fakeorg.io-fakeResource-0000:01:00.2-device.json",
        ]
        file = place / "fakeorg.io-fakeResource-0000:01:00.2-device.json"
        assert (file.read_bytes(), stat.S_IMODE(file.stat().st_mode)) == (PLAIN, 0o444)

    def test_what_stays_the_same_is_not_written(self, fake_node: FakeNode, place: Path) -> None:
        """A restart leaves the file of a running pod as it was; what somebody took away comes again."""
        settings = pools(place, resource("r"))
        Backend().discover(fake_node.node, settings)
        before = {path: path.stat().st_ino for path in place.iterdir()}

        backend = Backend()
        backend.discover(fake_node.node, settings)
        assert {path: path.stat().st_ino for path in place.iterdir()} == before

        (place / f"fakeorg.io-r-{A}-device.json").unlink()
        backend.discover(fake_node.node, settings)
        assert set(place.iterdir()) == set(before)

    def test_a_changed_device_has_a_changed_file(self, fake_node: FakeNode, place: Path) -> None:
        """What an earlier process wrote is replaced as a whole."""
        file = place / f"fakeorg.io-r-{B}-device.json"
        file.write_text("old")

        Backend().discover(fake_node.node, pools(place, resource("r")))

        assert file.read_bytes() == PLAIN

    def test_it_goes_with_its_function(self, fake_node: FakeNode, place: Path) -> None:
        """A function that is gone is in no pod; files of others are not ours to remove."""
        other = place / "other.io-x-0000:0a:00.0-device.json"
        other.touch()
        backend, settings = Backend(), pools(place, resource("r"))
        backend.discover(fake_node.node, settings)

        fake_node.remove(f"{PCI}/{A}")
        backend.discover(fake_node.node, settings)

        assert {path.name for path in place.iterdir()} == {other.name, f"fakeorg.io-r-{B}-device.json"}

    def test_a_pod_keeps_it(self, fake_node: FakeNode, place: Path) -> None:
        """A function that is no longer offered may be in a pod: its file goes when the pod is gone."""
        backend, settings = Backend(), pools(place, resource("r"))
        held, other = backend.discover(fake_node.node, settings)
        fewer = pools(place, resource("r", pciAddresses=[other.id]))

        backend.discover(fake_node.node, fewer)
        during = {path.name for path in place.iterdir()}
        backend.release(fake_node.node, fewer, [held, other])

        assert during == {deviceinfo.file_name(held), deviceinfo.file_name(other)}
        assert {path.name for path in place.iterdir()} == {deviceinfo.file_name(other)}

    def test_the_directory_is_made_where_multus_is(self, fake_node: FakeNode) -> None:
        """Multus' own directory is a sign that it is here; without it nothing is made."""
        above = fake_node.locate("/proc/k8s.cni.cncf.io")
        settings = pools(above / "devinfo/dp", resource("r"))

        Backend().discover(fake_node.node, settings)
        assert not above.exists()

        above.mkdir()
        Backend().discover(fake_node.node, settings)
        assert len(list((above / "devinfo/dp").iterdir())) == 2

    def test_a_place_that_cannot_be_written_costs_no_device(
        self, fake_node: FakeNode, place: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """It is said once, with the place."""
        (place / f"fakeorg.io-r-{A}-device.json").mkdir()
        backend = Backend()

        found = [len(backend.discover(fake_node.node, pools(place, resource("r")))) for _ in range(2)]

        said = [r for r in caplog.records if r.levelname == "WARNING" and "device information" in r.getMessage()]
        assert (found, len(said)) == ([2, 2], 1)


def test_without_a_directory_nothing_is_written(fake_node: FakeNode) -> None:
    """It can be switched off."""
    tree: Tree = function(A, driver="iavf")
    fake_node.add(tree)

    assert list(trees.offered(fake_node.node, resource(), device_info_dir="")) == [A]
