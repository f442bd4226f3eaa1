"""Values to the kubelet's messages."""

from devbay._proto import deviceplugin_v1beta1_pb2 as pb
from devbay.kubelet import messages
from devbay.kubelet.service import Advertised, Given
from devbay.model import ContainerEdits, DeviceNode, Mount


def test_a_list_is_sorted_by_id() -> None:
    """Lists are sorted by id, whatever order they come in (P9)."""
    devices = [Advertised(id="b", healthy=False), Advertised(id="a", healthy=True)]

    message = pb.ListAndWatchResponse.FromString(messages.device_list(devices))

    assert [(device.ID, device.health) for device in message.devices] == [("a", "Healthy"), ("b", "Unhealthy")]


def test_the_same_devices_make_the_same_bytes() -> None:
    """A list is compared as bytes, so the same devices are the same bytes (P9)."""
    devices = [Advertised(id=f"d{n}", healthy=True, numa_nodes=(n % 2,)) for n in range(20)]

    assert messages.device_list(devices) == messages.device_list(reversed(devices))


def test_topology_is_left_out_where_it_is_unknown() -> None:
    """A device without NUMA nodes has no topology, not an empty one, which would hide it (P17)."""
    devices = [Advertised(id="known", healthy=True, numa_nodes=(0, 1)), Advertised(id="unknown", healthy=True)]

    message = pb.ListAndWatchResponse.FromString(messages.device_list(devices))

    known, unknown = message.devices
    assert [node.ID for node in known.topology.nodes] == [0, 1]
    assert not unknown.HasField("topology")


def test_edits_reach_the_container_response_whole() -> None:
    """P14: environment, annotations, nodes, mounts and CDI names are told; one answer per request, in order."""
    edits = ContainerEdits(
        env={"A": "1"},
        annotations={"example.com/a": "b"},
        device_nodes=(DeviceNode(path="/dev/c", host_path="/dev/h", permissions="rwm"),),
        mounts=(Mount(container_path="/lib", host_path="/usr/lib", read_only=True),),
    )

    given = [Given(edits=edits, cdi_devices=("devbay.example.com/c=0",)), Given(edits=ContainerEdits())]
    message = pb.AllocateResponse.FromString(messages.allocate_response(given))

    expected = pb.ContainerAllocateResponse(
        envs={"A": "1"},
        annotations={"example.com/a": "b"},
        devices=[pb.DeviceSpec(container_path="/dev/c", host_path="/dev/h", permissions="rwm")],
        mounts=[pb.Mount(container_path="/lib", host_path="/usr/lib", read_only=True)],
        cdi_devices=[pb.CDIDevice(name="devbay.example.com/c=0")],
    )
    assert list(message.container_responses) == [expected, pb.ContainerAllocateResponse()]
