"""What the node itself uses is not offered: seen in a real network namespace, by the kernel's own word."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from devbay.api import Device
from devbay.testing import FakeNode, Tree
from devbay_sriov import Backend
from tests.backends.sriov import trees
from tests.backends.sriov.trees import PCI, family, function, netdev, resource

A = "0000:3b:02.0"
MODULE = "tests.backends.sriov.inside"
ROOT = Path(__file__).parents[3]


class Namespace:
    """A network namespace in which the interface ``nic0`` stands for a function's."""

    def __init__(self, name: str, node: FakeNode) -> None:
        self.name = name
        self.node = node.node
        node.add(function(A, driver="iavf"))
        (node.node.sys / f"bus/pci/devices/{A}/net/nic0").mkdir(parents=True)
        (node.node.sys / "class").mkdir(exist_ok=True)
        self.net = node.node.sys / "class/net"

    def run(self, *command: str) -> str:
        """Run a command in it; return what it printed."""
        done = subprocess.run(
            ["ip", "netns", "exec", self.name, *command], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert not done.returncode, done.stderr
        return done.stdout

    def ip(self, line: str) -> None:
        """Run ``ip`` in it, with a line's words."""
        self.run("ip", *line.split())

    def uses(self) -> dict[str, list[str]]:
        """Return what a process inside says of functions and their uses."""
        self.net.symlink_to("/sys/class/net")
        found: dict[str, list[str]] = json.loads(
            self.run(sys.executable, "-m", MODULE, "uses", f"{self.node.sys}", f"{self.node.proc}")
        )
        return found


@pytest.fixture
def namespace(fake_node: FakeNode) -> Iterator[Namespace]:
    """Give a network namespace with ``nic0``, whose other end is ``far``; both are up."""
    name = f"devbay-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"no network namespace can be made here: {made.stderr.strip()}")
    try:
        found = Namespace(name, fake_node)
        for line in ("link add nic0 type veth peer name far", "link set nic0 up", "link set far up", "link set lo up"):
            found.ip(line)
        yield found
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="making network namespaces needs root")
class TestReal:
    """What the kernel says."""

    @pytest.mark.parametrize(
        ("lines", "uses"),
        [
            ([], []),
            (["route add 198.51.100.0/24 dev nic0"], []),
            (["route add unreachable default", "-6 route add unreachable default"], []),
            (["addr add 192.0.2.1/24 dev nic0"], ["has the address 192.0.2.1"]),
            (["addr add 2001:db8::1/64 dev nic0 nodad"], ["has the address 2001:db8::1"]),
            (["route add default dev nic0"], ["carries an IPv4 default route"]),
            (["route add default dev nic0 table 100"], ["carries an IPv4 default route"]),
            (["-6 route add default dev nic0"], ["carries an IPv6 default route"]),
            (["-6 route add default dev nic0 table 100"], ["carries an IPv6 default route"]),
            (["route add default nexthop dev far nexthop dev nic0"], ["carries an IPv4 default route"]),
            (["link add br0 type bridge", "link set nic0 master br0"], ["is a port of the bridge br0"]),
            (
                ["link add up0 link nic0 type macvlan", "addr add 192.0.2.1/24 dev up0"],
                ["is below up0, which has the address 192.0.2.1"],
            ),
        ],
    )
    def test_a_use(self, namespace: Namespace, lines: list[str], uses: list[str]) -> None:
        """Default routes of any table, both versions, one way of several; addresses; a bridge; what is above it."""
        for line in lines:
            namespace.ip(line)

        found = namespace.uses()

        assert found == {A: [f"its interface nic0 {use}" for use in uses], "": []}

    @pytest.mark.parametrize(
        ("line", "use"),
        [
            ("addr add 192.0.2.1/24 dev nic0", "has an IPv4 address"),
            ("route add default dev nic0", "carries an IPv4 default route"),
            ("-6 route add default dev nic0", "carries an IPv6 default route"),
            ("addr add 2001:db8::1/64 dev nic0 nodad", "has the address 2001:db8::1"),
            ("route add 198.51.100.0/24 via 192.0.2.1 dev far onlink", ""),
        ],
    )
    def test_a_use_seen_from_a_pod(self, namespace: Namespace, line: str, use: str) -> None:
        """In another network namespace, the host's ``/proc`` tells, without a privilege."""
        namespace.ip(line)
        with subprocess.Popen(
            ["ip", "netns", "exec", namespace.name, "sh", "-c", "echo; read line"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as init:
            assert init.stdout is not None
            init.stdout.readline()  # it is in its namespaces
            (namespace.node.proc / "1").symlink_to(f"/proc/{init.pid}")
            namespace.net.symlink_to(f"/proc/{init.pid}/root/sys/class/net")
            devices = Backend()
            left = trees.offered(namespace.node, resource())
            told = devices.explain(namespace.node, trees.settings(resource()), A)
            init.communicate(b"\n")

        assert list(left) == ([] if use else [A])
        assert told == [
            f"intel.com/pool, selector 0: selects it, but its interface nic0 {use} (allowInUse offers it all the same)"
            if use
            else "intel.com/pool, selector 0: yes"
        ]

    @pytest.mark.parametrize(
        "command", ["ip route add default dev nic0", "ip -6 route add default dev nic0 table 7", "ip link del nic0"]
    )
    def test_a_use_that_begins_is_heard(self, namespace: Namespace, command: str) -> None:
        """P11: the kernel tells of routes and links at once, and so does `watch`."""
        namespace.net.symlink_to("/sys/class/net")
        arguments = ["hears", f"{namespace.node.sys}", f"{namespace.node.proc}", *command.split()]

        assert namespace.run(sys.executable, "-m", MODULE, *arguments).strip() == "true"


@pytest.mark.parametrize(
    ("kind", "said"),
    [("DEVTYPE=bond\n", "the bond up0"), ("INTERFACE=up0\n", "up0"), ("DEVTYPE=vrf\n", "the vrf up0")],
)
def test_a_port_of_another_interface(fake_node: FakeNode, kind: str, said: str) -> None:
    """Of a bond, of Open vSwitch: sysfs says so, in any network namespace."""
    fake_node.add({**function(A, driver="iavf"), **netdev(A, "nic0"), "/sys/devices/virtual/net/up0/uevent": kind})
    (fake_node.node.sys / f"bus/pci/devices/{A}/net/nic0/master").symlink_to("../../../virtual/net/up0")
    fake_node.add({"/sys/class/net/up0/uevent": kind})

    told = Backend().explain(fake_node.node, trees.settings(resource()), A)

    start, end = "intel.com/pool, selector 0: selects it, but its interface nic0", "(allowInUse offers it all the same)"
    assert told == [f"{start} is a port of {said} {end}"]


def test_what_carries_subfunctions(fake_node: FakeNode) -> None:
    """Who gets the function gets what is on it."""
    tree: Tree = {**function(A, driver="mlx5_core"), **trees.subfunction(A, "mlx5_core.sf.4", 1)}
    fake_node.add(tree)

    assert not trees.offered(fake_node.node, resource())
    assert list(trees.offered(fake_node.node, resource(with_={"allowInUse": True}))) == [A]


def test_what_is_used_can_be_had_all_the_same(fake_node: FakeNode) -> None:
    """A resource may say so, for the node whose only interface is meant for a pod."""
    fake_node.add(function(A, driver="iavf") | netdev(A, "nic0"))
    (fake_node.node.sys / f"bus/pci/devices/{A}/net/nic0/master").symlink_to("../../../virtual/net/up0")

    found: dict[str, Device] = trees.offered(fake_node.node, resource(with_={"allowInUse": True}))

    assert list(found) == [A]


def test_it_says_once_that_it_cannot_know(fake_node: FakeNode, caplog: pytest.LogCaptureFixture) -> None:
    """Where neither namespace nor ``/proc`` is the node's, silence would look like knowledge."""
    fake_node.add({**family("0000:3b:00.0", "ens1", {0: A}), **function(A, driver="iavf"), f"{PCI}/x": ""})
    backend = Backend()

    found = [backend.discover(fake_node.node, trees.settings(resource())) for _ in range(2)]

    assert [len(each) for each in found] == [1, 1]
    assert [r.levelname for r in caplog.records if "default routes and addresses are not known" in r.getMessage()] == [
        "WARNING"
    ]
