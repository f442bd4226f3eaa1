"""Names: of MIG profiles, of resources, and those of a configuration."""

import msgspec
import pytest

from devbay.api import Attribute
from devbay_nvidia import naming
from devbay_nvidia.profile import profile, type_of
from tests.backends.nvidia.machines import Machine, mig

GIB = 1024**3
A100_40, A100_80, H100_80 = 42949672960, 85899345920, 85520809984


@pytest.mark.parametrize(
    ("slices", "mib", "total", "product", "name"),
    [
        ((1, 1), 4864, A100_40, "", "1g.5gb"),
        ((2, 2), 9856, A100_40, "", "2g.10gb"),
        ((3, 3), 19968, A100_40, "", "3g.20gb"),
        ((4, 4), 19968, A100_40, "", "4g.20gb"),
        ((7, 7), 40192, A100_40, "", "7g.40gb"),
        ((1, 1), 9728, A100_80, "", "1g.10gb"),
        ((1, 1), 9856, H100_80, "NVIDIA H100 80GB HBM3 MIG 1g.10gb+me", "1g.10gb+me"),
        ((1, 1), 19968, H100_80, "NVIDIA H100 80GB HBM3 MIG 1g.20gb", "1g.20gb"),
        ((3, 1), 19968, A100_40, "NVIDIA A100-SXM4-40GB MIG 1c.3g.20gb", "1c.3g.20gb"),
        ((1, 1), 24192, 96 * GIB, "NVIDIA RTX PRO 6000 MIG 1g.24gb-me", "1g.24gb-me"),
        ((1, 1), 24192, 96 * GIB, "NVIDIA RTX PRO 6000 MIG 1g.24gb+me.all", "1g.24gb+me.all"),
        ((1, 1), 24192, 96 * GIB, "NVIDIA RTX PRO 6000 MIG 1g.24gb+gfx", "1g.24gb+gfx"),
    ],
)
def test_profiles(slices: tuple[int, int], mib: int, total: int, product: str, name: str) -> None:
    """A MIG device has the name that pods ask for, with its attributes."""
    gi, ci = slices

    assert profile(gi_slices=gi, ci_slices=ci, memory=mib * 1024**2, total=total, product=product) == name


@pytest.mark.parametrize(
    ("product", "name"), [("NVIDIA A100-SXM4-40GB MIG 1c.3g.20gb+me", "1c.3g.20gb+me"), ("", "1c.3g.20gb")]
)
def test_profiles_without_the_gpus_memory(product: str, name: str) -> None:
    """Where the driver does not say how much memory the GPU has, the device's own name tells, or its memory."""
    assert profile(gi_slices=3, ci_slices=1, memory=19968 << 20, total=0, product=product) == name


@pytest.mark.parametrize(
    ("name", "type_"),
    [
        ("1g.5gb", "mig-1g.5gb"),
        ("1g.10gb+me", "mig-1g.10gb.me"),
        ("1g.24gb-me", "mig-1g.24gb-me"),
        ("1g.24gb+me.all", "mig-1g.24gb.me.all"),
        ("1g.24gb+gfx", "mig-1g.24gb.gfx"),
        ("1c.2g.10gb", "mig-1c.2g.10gb"),
    ],
)
def test_resource_types(name: str, type_: str) -> None:
    """A resource's name holds no plus sign."""
    assert type_of(name) == type_


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("1g.24gb", "1g.24gb", True),
        ("1g.24gb-me", "1g.24gb-me", True),
        ("1g.24gb+me.all", "1g.24gb+me.all", True),
        ("*", "1g.24gb-me", True),
        ("1g.*", "1g.24gb", True),
        ("1g.24gb+gfx", "1g.24gb+gfx", True),
        ("2g.48gb+gfx", "2g.48gb+gfx", True),
        ("*gb", "1g.24gb", True),
        ("1g.24gb", "2g.48gb", False),
        ("1g.24gb", "1g.24gb-me", False),
        ("1g.24gb", "x1g.24gb", False),
        ("1g.24gb", "1g.24gb+gfx", False),
        ("1g.24gb+gfx", "1g.24gb", False),
        ("1g.24gb+gfx", "1g.24gb-me", False),
    ],
    ids=["PT1", "PT6", "PT7", "PT9", "PT10", "PT13", "PT17", "PT18", "PT2", "PT3", "PT5", "PT11", "PT14", "PT15"],
)
def test_patterns(pattern: str, text: str, expected: bool) -> None:  # noqa: FBT001 - a column of a table
    """A pattern means what NVIDIA's configuration means by it (NVIDIA's own tests)."""
    assert naming.matches(pattern, text) is expected


@pytest.mark.parametrize(
    ("select", "expected"),
    [
        ({"index": 0}, True),
        ({"index": [1, 0]}, True),
        ({"index": 1}, False),
        ({"memory": ">= 40Gi"}, True),
        ({"memory": "> 40Gi"}, False),
        ({"memory": "< 80Gi"}, True),
        ({"pci_address": "0000:07:*"}, True),
        ({"product": "NVIDIA A100*", "index": 1}, False),
        ({"colour": "green"}, False),
    ],
)
def test_selection(select: dict[str, object], expected: bool) -> None:  # noqa: FBT001 - a column of a table
    """All of a selection must hold, any of a list; a thing that the device has not is never met."""
    rule = msgspec.convert({"name": "mine", "select": select}, naming.Rule)
    attributes: dict[str, Attribute] = {
        "index": 0,
        "memory": A100_40,
        "pci_address": "0000:07:00.0",
        "product": "NVIDIA A100-SXM4-40GB",
    }

    assert rule.means("NVIDIA A100-SXM4-40GB", attributes) is expected


def test_names_of_ones_own(machine: Machine) -> None:
    """What NVIDIA's plugin reads and drops works: the first rule that means a device names it; others keep theirs."""
    machine.gpus[1]["product"] = "NVIDIA L4"
    machine.gpus.append(machine.gpus[0] | {"uuid": "GPU-c", "mig_enabled": True, "mig": [mig(2, 7), mig(2, 8)]})
    machine.write()
    machine.keys = {
        "mig_strategy": "mixed",
        "resources": {
            "gpus": [{"name": "big", "select": {"memory": ">= 40Gi", "index": 0}}, {"name": "nvidia.com/any"}],
            "mig": [{"name": "slice", "pattern": "1g.*", "select": {"gpu_instance": 8}}],
        },
    }

    assert [device.resource for device in machine.discover()] == [
        "nvidia.com/big",
        "nvidia.com/any",
        "nvidia.com/mig-1g.5gb",
        "nvidia.com/slice",
    ]
