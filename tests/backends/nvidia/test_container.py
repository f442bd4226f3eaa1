"""What a container gets."""

import json
import re
from pathlib import Path

import pytest

from devbay.api import ContainerEdits, DeviceNode, Hook, Mount
from devbay.testing import CharacterDevice, FakeNode, Tree
from devbay_nvidia import toolkit
from tests.backends.nvidia.machines import Machine, gpu, mig, uuid

CONTROL = ("/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools", "/dev/nvidia-modeset")
VOLUMES = "/var/run/nvidia-container-devices"


def give(machine: Machine, *numbers: int, **keys: object) -> ContainerEdits:
    """Return what a container gets that asks for devices by their place in the list."""
    machine.keys = keys
    devices = machine.discover()
    asked = [devices[number] for number in numbers]
    return machine.backend.edit(machine.node, machine.settings, "nvidia.com/gpu", asked)


def nodes(*paths: str, root: str = "") -> tuple[DeviceNode, ...]:
    """Return device nodes as they are given."""
    return tuple(DeviceNode(path=path, host_path=f"{root}{path}", permissions="rw") for path in paths)


def test_a_variable(machine: Machine) -> None:
    """P14: by default, ids in the order of the request and nothing else (NVIDIA's own test, AN1)."""
    assert give(machine, 1, 0) == ContainerEdits(env={"NVIDIA_VISIBLE_DEVICES": f"{uuid(1)},{uuid(0)}"})


def test_indices(machine: Machine) -> None:
    """With indices a container is told numbers, of MIG devices the GPU's and their own."""
    assert give(machine, 1, 0, device_id_strategy="index").env == {"NVIDIA_VISIBLE_DEVICES": "1,0"}

    machine.document["gpus"] = [gpu(0, mig_enabled=True, mig=[mig(0, 7), mig(0, 8)])]
    machine.write()

    env = give(machine, 0, 1, device_id_strategy="index", mig_strategy="mixed").env
    assert env == {"NVIDIA_VISIBLE_DEVICES": "0:0,0:1"}


def test_volume_mounts(machine: Machine) -> None:
    """Devices named by mounts, which a container without a request for them cannot make itself."""
    expected = ContainerEdits(
        env={"NVIDIA_VISIBLE_DEVICES": VOLUMES},
        mounts=tuple(Mount(container_path=f"{VOLUMES}/{uuid(n)}", host_path="/dev/null") for n in (1, 0)),
    )

    assert give(machine, 1, 0, device_list_strategy="volume-mounts") == expected
    assert give(machine, 1, 0, device_list_strategy=["envvar", "volume-mounts"]) == expected


def test_imex_channels_that_are_not_there(machine: Machine) -> None:
    """A node without the channel gives a container none, or, where it is required, no GPU."""
    assert give(machine, 0, imex_channel_ids=[0]).env == {"NVIDIA_VISIBLE_DEVICES": uuid(0)}
    with pytest.raises(LookupError, match="channel0 is not there"):
        give(machine, 0, imex_channel_ids=[0], imex_required=True)


def test_flags(machine: Machine, fake_node: FakeNode) -> None:
    """What NVIDIA's container runtime is to add is named in variables, or as mounts."""
    fake_node.add({"/dev/nvidia-caps-imex-channels/channel0": CharacterDevice()})
    flags = {"gdrcopy_enabled": True, "gds_enabled": True, "mofed_enabled": True, "imex_channel_ids": [0]}

    assert give(machine, 0, **flags).env == {
        "NVIDIA_VISIBLE_DEVICES": uuid(0),
        "NVIDIA_IMEX_CHANNELS": "0",
        "NVIDIA_GDRCOPY": "enabled",
        "NVIDIA_GDS": "enabled",
        "NVIDIA_MOFED": "enabled",
    }
    mounts = give(machine, 0, device_list_strategy="volume-mounts", **flags).mounts
    assert [mount.container_path for mount in mounts] == [f"{VOLUMES}/{uuid(0)}", f"{VOLUMES}/imex/0"]


def test_device_nodes(machine: Machine, fake_node: FakeNode) -> None:
    """With `pass_device_specs` the nodes of the devices come too, and the control nodes that exist, each once."""
    minors = "gpu0/gi7/access 66\ngpu0/gi7/ci0/access 67\ngpu0/gi8/access 75\ngpu0/gi8/ci0/access 76\n"
    present: Tree = {path: CharacterDevice() for path in CONTROL if path != "/dev/nvidia-modeset"}
    fake_node.add(present | {"/proc/driver/nvidia-caps/mig-minors": minors})
    machine.document["gpus"] = [gpu(0, mig_enabled=True, mig=[mig(0, 7), mig(0, 8)])]
    machine.write()

    given = give(machine, 1, 0, pass_device_specs=True, mig_strategy="mixed", dev_root="/run/nvidia/driver")

    assert given.device_nodes == nodes(
        *("/dev/nvidia0", "/dev/nvidia-caps/nvidia-cap75", "/dev/nvidia-caps/nvidia-cap76"),
        *("/dev/nvidia-caps/nvidia-cap66", "/dev/nvidia-caps/nvidia-cap67"),
        *("/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools"),
        root="/run/nvidia/driver",
    )
    assert given.env == {"NVIDIA_VISIBLE_DEVICES": f"{mig(0, 8)['uuid']},{mig(0, 7)['uuid']}"}


def test_everything(machine: Machine, fake_node: FakeNode) -> None:
    """P18: with a CDI strategy a container gets its nodes, display nodes and flags' nodes, and the driver's files."""
    root = machine.path.parent / "root"
    for file in ("usr/lib64/libcuda.so.550.54.15", "usr/bin/nvidia-smi", "usr/bin/nvidia-cdi-hook"):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()
    fake_node.add({"/sys/bus/pci/devices/0000:00:01.0/vendor": "0x10de\n"})
    for name in ("card1", "renderD128", "missing"):
        fake_node.add({f"/sys/bus/pci/devices/0000:00:01.0/drm/{name}/dev": "226:0\n"})
    paths = ("nvidiactl", "dri/card1", "dri/renderD128", "gdrdrv", "infiniband/uverbs0", "infiniband/rdma_cm")
    fake_node.add({f"/dev/{path}": CharacterDevice() for path in paths})

    given = give(
        machine,
        1,
        device_list_strategy="cdi-cri",
        driver_root="/run/nvidia/driver",
        driver_root_ctr_path=f"{root}",
        dev_root="/",
        gdrcopy_enabled=True,
        mofed_enabled=True,
    )

    assert given == ContainerEdits(
        env={"NVIDIA_VISIBLE_DEVICES": "void", "NVIDIA_GDRCOPY": "enabled", "NVIDIA_MOFED": "enabled"},
        device_nodes=nodes(
            *("/dev/nvidia1", "/dev/nvidiactl", "/dev/dri/card1", "/dev/dri/renderD128", "/dev/gdrdrv"),
            *("/dev/infiniband/uverbs0", "/dev/infiniband/rdma_cm"),
        ),
        mounts=tuple(
            Mount(container_path=f"/{path}", host_path=f"/run/nvidia/driver/{path}")
            for path in ("usr/bin/nvidia-smi", "usr/lib64/libcuda.so.550.54.15")
        ),
        hooks=(
            Hook(
                hook_name="createContainer",
                path="/usr/bin/nvidia-cdi-hook",
                args=("nvidia-cdi-hook", "update-ldcache", "--folder", "/usr/lib64"),
            ),
        ),
    )


@pytest.mark.parametrize("keys", [{"pass_device_specs": True}, {"device_list_strategy": "cdi-cri"}])
def test_what_came_later_is_given(machine: Machine, fake_node: FakeNode, keys: dict[str, object]) -> None:
    """P14: a control node that appears changes the devices, so that no remembered answer lacks it."""
    keys |= {"driver_root_ctr_path": f"{machine.path.parent}"}
    before = give(machine, 0, **keys)
    (device, _) = machine.discover()
    fake_node.add({"/dev/nvidia-uvm": CharacterDevice()})

    assert machine.discover()[0] != device
    assert machine.discover() == machine.discover()
    assert len(give(machine, 0, **keys).device_nodes) == len(before.device_nodes) + 1


@pytest.mark.parametrize(
    ("ids", "channels", "flags", "names"),
    [
        ([], [], [], ""),
        (["gpu0"], [], [], "nvidia.com/gpu=gpu0"),
        (["gpu0", "gpu1"], [], [], "nvidia.com/gpu=gpu0,nvidia.com/gpu=gpu1"),
        ([], [], ["mofed"], "nvidia.com/mofed=all"),
        ([], [], ["gds"], "nvidia.com/gds=all"),
        ([], [0], [], "nvidia.com/imex-channel=0"),
    ],
    ids=["AN2", "AN3", "AN6", "AN7", "AN9", "AN11"],
)
@pytest.mark.parametrize("prefix", ["cdi.k8s.io/", "custom.cdi.k8s.io/"])
def test_annotations(ids: list[str], channels: list[int], flags: list[str], names: str, prefix: str) -> None:
    """Names go into one annotation (NVIDIA's own tests, whose keys end in a random UUID; ours, P14, in none)."""
    given = toolkit.annotations(prefix, "nvidia.com/gpu", toolkit.asked(ids, channels, flags))

    assert list(given.values()) == ([names] if names else [])
    assert all(re.fullmatch(f"{re.escape(prefix)}nvidia-device-plugin_[0-9a-f]{{16}}", key) for key in given)


@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_names_of_nvidias_toolkit(machine: Machine, tmp_path: Path, suffix: str) -> None:
    """Where NVIDIA's toolkit has a name for every device, a container gets the names and nothing else."""
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "other.json").write_text(json.dumps({"kind": "example.com/gpu", "devices": [{"name": uuid(1)}]}))
    document = {"cdiVersion": "0.5.0", "kind": "nvidia.com/gpu", "devices": [{"name": uuid(0)}, {"name": "all"}]}
    (tmp_path / f"nvidia.{suffix}").write_text(json.dumps(document))
    keys = {"device_list_strategy": "cdi-annotations", "cdi_spec_dirs": [f"{tmp_path}"], "driver_root": f"{tmp_path}"}

    given = give(machine, 0, cdi="auto", **keys)

    assert list(given.annotations.values()) == [f"nvidia.com/gpu={uuid(0)}"]
    assert (given.env, given.device_nodes) == ({"NVIDIA_VISIBLE_DEVICES": "void"}, ())
    ours = give(machine, 0, 1, cdi="auto", **keys)
    assert [node.path for node in ours.device_nodes] == ["/dev/nvidia0", "/dev/nvidia1"]
    assert ours.annotations == {}
    with pytest.raises(LookupError, match=f"has no nvidia.com/gpu={uuid(1)} in .*nvidia-ctk cdi generate"):
        give(machine, 0, 1, cdi="toolkit", **keys)
