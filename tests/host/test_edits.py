"""From what a backend asked for to what a container is given: each path once, and no file as a device (P14)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbay.contract import ContractViolation
from devbay.edits import deliverable, host_paths
from devbay.model import ContainerEdits, DeviceNode, Hook, Mount


def node(path: str, host_path: str = "", permissions: str = "rw") -> DeviceNode:
    """Return a device node as an accepted answer has it."""
    return DeviceNode(path=path, host_path=host_path or path, permissions=permissions)


def mount(path: str, host_path: str = "", *, read_only: bool = True) -> Mount:
    """Return a mount as an accepted answer has it."""
    return Mount(container_path=path, host_path=host_path or path, read_only=read_only)


def is_device_node(path: str) -> bool:
    """Tell device nodes from files as a test's paths do."""
    return path.startswith("/dev/")


def given_to_container(*parts: DeviceNode | Mount | Hook) -> ContainerEdits:
    """Return what a container is given where a backend asked for these."""
    asked = ContainerEdits(
        device_nodes=[part for part in parts if isinstance(part, DeviceNode)],
        mounts=[part for part in parts if isinstance(part, Mount)],
        hooks=[part for part in parts if isinstance(part, Hook)],
    )
    return deliverable(asked, is_device_node)


def test_what_is_fine_stays_as_it_is() -> None:
    """P14: edits without duplicates and without plain files are given as they were asked for, in their order."""
    asked = ContainerEdits(
        env={"A": "1"},
        device_nodes=(node("/dev/b"), node("/dev/a", "/dev/x")),
        mounts=(mount("/lib"),),
        annotations={"a": "b"},
        hooks=(Hook(hook_name="poststop", path="/bin/h"),),
    )

    assert deliverable(asked, is_device_node) == asked


def test_duplicates_are_given_once() -> None:
    """P14: a control node that two devices share, a library both need, a hook of both: once each."""
    hook = Hook(hook_name="poststop", path="/bin/h")
    ctl, a, b = node("/dev/ctl"), node("/dev/a"), node("/dev/b")

    assert given_to_container(a, ctl, b, ctl, mount("/lib"), mount("/lib"), hook, hook) == ContainerEdits(
        device_nodes=(a, ctl, b), mounts=(mount("/lib"),), hooks=(hook,)
    )


@pytest.mark.parametrize(("permissions", "read_only"), [("r", True), ("rw", False), ("rwm", False), ("m", True)])
def test_a_file_is_given_as_a_mount(permissions: str, read_only: bool) -> None:  # noqa: FBT001 - a row of a table
    """P14: what is no device node becomes a mount, writable where writing was asked for."""
    assert given_to_container(node("/dev/a", "/srv/a", permissions), node("/dev/b")) == ContainerEdits(
        device_nodes=(node("/dev/b"),), mounts=(mount("/dev/a", "/srv/a", read_only=read_only),)
    )


def test_mounts_of_files_come_first() -> None:
    """P14: what was asked for as a device is mounted before other files, each in its own order."""
    asked = (mount("/lib"), node("/srv/b"), mount("/etc/a"), node("/srv/a"))

    assert [m.container_path for m in given_to_container(*asked).mounts] == ["/srv/b", "/srv/a", "/lib", "/etc/a"]


@pytest.mark.parametrize(
    ("as_node", "as_mount", "read_only"), [("rw", True, False), ("r", False, False), ("r", True, True)]
)
def test_a_file_asked_for_as_both_is_one_mount(as_node: str, as_mount: bool, read_only: bool) -> None:  # noqa: FBT001 - a row of a table
    """P14: a file that a backend asks for as a device and as a mount is one mount, writable if either may write."""
    asked = (node("/srv/a", permissions=as_node), mount("/srv/a", read_only=as_mount))

    assert given_to_container(*asked) == ContainerEdits(mounts=(mount("/srv/a", read_only=read_only),))


def test_a_device_asked_for_as_both_is_one_device_node() -> None:
    """P14: a device node that is asked for as a mount as well is given as what it is."""
    assert given_to_container(node("/dev/a"), mount("/dev/a")) == ContainerEdits(device_nodes=(node("/dev/a"),))


@pytest.mark.parametrize(
    ("parts", "place"),
    [
        pytest.param((node("/dev/a"), node("/dev/a", "/dev/b")), "device node /dev/a", id="two-nodes"),
        pytest.param((node("/dev/a"), node("/dev/a", permissions="r")), "device node /dev/a", id="two-permissions"),
        pytest.param((node("/srv/a"), node("/srv/a", "/dev/a")), "device node /srv/a", id="node-and-file"),
        pytest.param((mount("/a"), mount("/a", "/b")), "mount /a", id="two-mounts"),
        pytest.param((mount("/a"), mount("/a", read_only=False)), "mount /a", id="read-only-and-not"),
        pytest.param((node("/dev/a"), mount("/dev/a", "/srv/a")), "path /dev/a", id="device-and-another-file"),
        pytest.param((node("/srv/a"), mount("/srv/a", "/srv/b")), "path /srv/a", id="file-and-another-file"),
    ],
)
def test_contradictions_are_refused(parts: tuple[DeviceNode | Mount, ...], place: str) -> None:
    """P14: two different things at one path of the container are refused, not chosen from."""
    with pytest.raises(ContractViolation, match=f"two different things at the {place} of the container"):
        given_to_container(*parts)


def test_host_paths() -> None:
    """P14: the node's paths whose kind has to be known, each once, in their order."""
    asked = ContainerEdits(device_nodes=[node("/dev/b"), node("/dev/x", "/dev/a"), node("/dev/y", "/dev/a")])

    assert host_paths(asked) == ("/dev/b", "/dev/a")


PATHS = st.sampled_from(["/dev/a", "/dev/b", "/srv/a", "/srv/b"])
PARTS = st.lists(
    st.builds(node, PATHS, PATHS, st.sampled_from(["r", "rw"]))
    | st.builds(mount, PATHS, PATHS, read_only=st.booleans())
)


@given(PARTS)
def test_each_path_once_and_no_file_as_a_device(parts: list[DeviceNode | Mount]) -> None:
    """P14: whatever is asked for, it is refused, or every path of it is given exactly once and as what it is."""
    try:
        edits = given_to_container(*parts)
    except ContractViolation:
        return
    paths = [*(n.path for n in edits.device_nodes), *(m.container_path for m in edits.mounts)]

    assert all(is_device_node(n.host_path) for n in edits.device_nodes)
    assert sorted(paths) == sorted({p.path if isinstance(p, DeviceNode) else p.container_path for p in parts})
