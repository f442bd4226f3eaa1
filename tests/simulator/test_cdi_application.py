"""What becomes of a container by CDI edits."""

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbay.model import Hook
from devbay.simulator.cdi import Edits, Inapplicable, parse_file
from devbay.simulator.cdi.application import apply
from devbay.simulator.final import FinalContainer, FinalDevice, FinalIntelRdt, FinalMount, FinalNetDevice
from tests.simulator.cdifiles import device, document


def edits(**fields: Any) -> Edits:
    """Return edits as a file has them."""
    return parse_file(str(document(device(**fields)))).devices[0].container_edits


def node(container: FinalContainer = FinalContainer(), **fields: Any) -> FinalDevice:  # noqa: B008 - a frozen value
    """Return the device that a container gets by one device node."""
    return apply(container, edits(deviceNodes=[fields])).devices[-1]


def test_cdi_1_variables_replace_those_of_the_same_name() -> None:
    """CDI behaviour 1: a variable goes over an earlier one; the value begins after the first equals sign."""
    before = FinalContainer(env={"A": "1", "B": "2"})

    assert apply(before, edits(env=["B=x", "C=3", "C=y=z", "D="])).env == {"A": "1", "B": "x", "C": "y=z", "D": ""}


def test_cdi_1_numbers_are_read_from_the_host() -> None:
    """CDI behaviour 1: type and numbers that a file leaves out are those of the node's own file; access is rwm."""
    assert node(path="/dev/null") == FinalDevice(
        path="/dev/null", host_path="/dev/null", type="c", major=1, minor=3, permissions="rwm"
    )
    assert node(path="/dev/w", hostPath="/dev/zero", permissions="r") == FinalDevice(
        path="/dev/w", host_path="/dev/zero", type="c", major=1, minor=5, permissions="r"
    )
    assert node(path="/dev/null", type="c", minor=7) == node(path="/dev/null")
    assert node(path="/dev/null", major=9, minor=8) == FinalDevice(
        path="/dev/null", host_path="/dev/null", type="c", major=9, minor=8, permissions="rwm"
    )


def test_cdi_1_a_node_with_type_and_major_needs_no_file() -> None:
    """CDI behaviour 1: with type and major given nothing is looked up; owner and mode are as the file says."""
    given_whole = node(path="/dev/w", type="b", major=8, minor=1, fileMode=0o660, uid=0, gid=44, permissions="rw")

    assert given_whole == FinalDevice(
        path="/dev/w", host_path="/dev/w", type="b", major=8, minor=1, permissions="rw", file_mode=0o660, uid=0, gid=44
    )


def test_cdi_1_only_block_and_character_devices_get_a_rule(tmp_path: Path) -> None:
    """CDI behaviour 1: a FIFO and an unbuffered device are there, and no rule lets the container use them."""
    os.mkfifo(tmp_path / "pipe")

    assert node(path="/pipe", hostPath=str(tmp_path / "pipe")).type == "p"
    assert node(path="/pipe", type="p").permissions == ""
    assert node(path="/u", type="u", major=1, permissions="rw").permissions == ""


def test_cdi_1_what_is_no_device_node_fails(tmp_path: Path) -> None:
    """CDI behaviour 1: a link, a file, a directory and nothing at all are errors unless type and major are given."""
    (tmp_path / "link").symlink_to("/dev/null")
    (tmp_path / "plain").write_text("")
    for name, why in (
        ("link", "not a device node"),
        ("plain", "not a device node"),
        (".", "not a device node"),
        ("absent", "no such file or directory"),
        ("plain/x", "not a directory"),
    ):
        path = f"{tmp_path}/{name}"
        for fields in ({}, {"type": "c"}, {"major": 1}):
            with pytest.raises(Inapplicable) as error:
                node(path="/dev/w", hostPath=path, **fields)
            assert str(error.value) == f'failed to stat CDI host device "{path}": {why}'
        assert node(path="/dev/w", hostPath=path, type="c", major=1, minor=3).major == 1


def test_cdi_1_a_type_that_is_not_the_host_s_fails() -> None:
    """CDI behaviour 1: a type without a major is held against the file's."""
    for kind in ("b", "u"):
        with pytest.raises(Inapplicable) as error:
            node(path="/dev/w", hostPath="/dev/null", type=kind)
        assert str(error.value) == f'CDI device ("/dev/w", "/dev/null"), host type mismatch ({kind}, c)'


def test_cdi_1_nodes_belong_to_the_process_s_user_by_default() -> None:
    """CDI behaviour 1: where a file names no owner, a user who is not root owns the node; root leaves it as it is."""
    asked = edits(deviceNodes=[{"path": "/dev/null"}, {"path": "/dev/zero", "uid": 1, "gid": 0}])

    def owners(uid: int = 0, gid: int = 0) -> list[tuple[int | None, int | None]]:
        return [(device.uid, device.gid) for device in apply(FinalContainer(), asked, uid=uid, gid=gid).devices]

    assert owners(uid=1000, gid=100) == [(1000, 100), (1, 0)]
    assert owners() == [(None, None), (1, 0)]


def test_cdi_1_a_device_replaces_one_of_the_same_path() -> None:
    """CDI behaviour 1: of two nodes at one path the later stays, at the end."""
    before = FinalContainer(devices=(FinalDevice(path="/dev/a"), FinalDevice(path="/dev/b")))
    after = apply(before, edits(deviceNodes=[{"path": "/dev/a", "hostPath": "/dev/null"}])).devices

    assert [(device.path, device.host_path) for device in after] == [("/dev/b", ""), ("/dev/a", "/dev/null")]


def test_cdi_1_mounts_replace_and_are_sorted_by_depth() -> None:
    """CDI behaviour 1: a mount replaces one at its path, and outer mounts come before inner ones."""
    before = FinalContainer(mounts=tuple(FinalMount(container_path=path) for path in ("/a/b/c", "/x", "/y/")))
    asked = edits(
        mounts=[
            {"hostPath": "/1", "containerPath": "/a/b"},
            {"hostPath": "/2", "containerPath": "/x", "type": "tmpfs", "options": ["ro", "nosuid"]},
        ]
    )

    assert apply(before, asked).mounts == (
        FinalMount(container_path="/y/"),
        FinalMount(container_path="/x", host_path="/2", type="tmpfs", options=("ro", "nosuid")),
        FinalMount(container_path="/a/b", host_path="/1"),
        FinalMount(container_path="/a/b/c"),
    )
    assert apply(before, edits(env=["A=1"])).mounts == before.mounts


def test_cdi_1_hooks_are_added_in_order() -> None:
    """CDI behaviour 1: hooks follow those that are there, with everything that the file says of them."""
    before = FinalContainer(hooks=(Hook(hook_name="prestart", path="/first"),))
    written = {"hookName": "createRuntime", "path": "/h", "args": ["h", "x"], "env": ["A=1"], "timeout": 3}
    added = Hook(hook_name="createRuntime", path="/h", args=("h", "x"), env=("A=1",), timeout=3)

    assert apply(before, edits(hooks=[written, written])).hooks == (*before.hooks, added, added)


def test_cdi_1_groups_are_added_once_and_never_root_s() -> None:
    """CDI behaviour 1: group 0 is ignored, and a group that is there is not added again."""
    assert apply(FinalContainer(additional_gids=(5,)), edits(additionalGids=[0, 7, 5, 7])).additional_gids == (5, 7)


def test_cdi_1_the_last_share_of_caches_wins() -> None:
    """CDI behaviour 1: Intel RDT's settings replace earlier ones whole; without any the earlier stay."""
    before = FinalContainer(intel_rdt=FinalIntelRdt(clos_id="a", l3_cache_schema="L3:0=f"))
    after = apply(before, edits(intelRdt={"closID": "b", "schemata": ["MB:0=10"], "enableMonitoring": True}))

    assert after.intel_rdt == FinalIntelRdt(clos_id="b", schemata=("MB:0=10",), enable_monitoring=True)
    assert apply(before, edits(env=["A=1"])).intel_rdt == before.intel_rdt


def test_cdi_1_a_network_interface_is_given_once() -> None:
    """CDI behaviour 1: interfaces are told apart by their name on the node; the later name in the container stays."""
    before = FinalContainer(net_devices=(FinalNetDevice(host_interface="eth1", name="a"),))
    asked = edits(netDevices=[{"hostInterfaceName": "eth2", "name": "b"}, {"hostInterfaceName": "eth1", "name": "c"}])

    assert apply(before, asked).net_devices == (
        FinalNetDevice(host_interface="eth1", name="c"),
        FinalNetDevice(host_interface="eth2", name="b"),
    )


PATHS = st.sampled_from(["/a", "/b", "/a/b", "/a/b/c", "/b//c/", "/c"])
NODES = st.builds(lambda path, major: {"path": path, "type": "c", "major": major}, PATHS, st.integers(1, 9))
MOUNTS = st.builds(lambda path, host: {"containerPath": path, "hostPath": host}, PATHS, PATHS)
EDITS = st.builds(
    lambda env, nodes, mounts: edits(env=env, deviceNodes=nodes, mounts=mounts),
    st.lists(st.builds("{}={}".format, st.sampled_from("ABC"), st.sampled_from("12=")), min_size=1, max_size=4),
    st.lists(NODES, max_size=4),
    st.lists(MOUNTS, max_size=4),
)


@given(st.lists(EDITS, max_size=3))
def test_cdi_1_whatever_is_applied_the_last_at_a_place_is_there_once(several: list[Edits]) -> None:
    """CDI behaviour 1: for each variable, device and mount the last edit counts, and no place is there twice."""
    final = FinalContainer()
    for one in several:
        final = apply(final, one)

    assert final.env == dict(variable.split("=", 1) for one in several for variable in one.env)
    nodes = {node.path: node.major for one in several for node in one.device_nodes}
    assert {device.path: device.major for device in final.devices} == nodes
    mounts = {mount.container_path: mount.host_path for one in several for mount in one.mounts}
    assert {mount.container_path: mount.host_path for mount in final.mounts} == mounts
    assert (len(final.devices), len(final.mounts)) == (len(nodes), len(mounts))
