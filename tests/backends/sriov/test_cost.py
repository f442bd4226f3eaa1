"""What a look at many functions costs: system calls are counted, time is not."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from devbay.testing import FakeNode
from tests.backends.sriov import trees
from tests.backends.sriov.trees import family, function, netdev, rdma

VFS = 254
LOOK = """
import sys, msgspec
from pathlib import Path
from devbay.api import Node
from devbay_sriov import Backend, Settings

root, looks, pools = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
node = Node(name="n", sys=root / "sys", dev=root / "dev", proc=root / "proc")
names = [{"resourceName": f"r{n}", "selectors": {"pfNames": [f"ens{n % 2}#{n * 8}-{n * 8 + 7}"]}} for n in range(pools)]
names[-1]["selectors"] = {"isRdma": True}
settings = msgspec.convert({"resourceList": names, "device_info_dir": ""}, Settings)
backend = Backend()
for _ in range(looks):
    found = backend.discover(node, settings)
    assert len(found) == 254, len(found)
"""


def calls(root: Path, looks: int, pools: int) -> int:
    """Return how many system calls a process makes that looks so often."""
    log = root / "calls"
    command = ["strace", "-f", "-c", "-o", str(log), sys.executable, "-c", LOOK, str(root), str(looks), str(pools)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "ptrace" in done.stderr:
        pytest.skip(f"strace may not trace here: {done.stderr.strip()}")
    assert not done.returncode, done.stderr
    (line,) = (line for line in log.read_text().splitlines() if line.endswith(" total"))
    return int(re.split(r"\s+", line.strip())[3])


@pytest.mark.skipif(shutil.which("strace") is None, reason="counting system calls needs strace")
@pytest.mark.parametrize("pools", [1, 16])
def test_a_look_costs_forty_calls_a_function(fake_node: FakeNode, tmp_path: Path, pools: int) -> None:
    """254 functions with interfaces and RDMA, in one pool or sixteen: at most 40 system calls each."""
    vfs = [f"0000:{0x3B + pf:02x}:{1 + n // 8:02x}.{n % 8}" for pf in range(2) for n in range(VFS // 2)]
    for pf in range(2):
        own = dict(enumerate(vfs[pf * 127 : pf * 127 + 127]))
        fake_node.add(family(f"0000:{0x3B + pf:02x}:00.0", f"ens{pf}", own, driver="mlx5_core"))
    for number, vf in enumerate(vfs):
        fake_node.add({**function(vf, driver="mlx5_core", numa=0), **netdev(vf, f"v{number}")})
        fake_node.add(rdma(vf, f"mlx5_{number}", number))
    root = fake_node.node.sys.parent

    three, one = calls(root, 3, pools), calls(root, 1, pools)

    assert root.is_relative_to(tmp_path)
    assert trees.scan(fake_node.node, "02")[vfs[0]].rdma
    assert (three - one) / 2 / VFS <= 40
