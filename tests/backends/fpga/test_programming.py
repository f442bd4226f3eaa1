"""Programming ports before a container starts, on regions that are files."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from devbay.testing import CharacterDevice, FakeNode, SimulatedKubelet, Tree
from devbay_fpga import Backend
from devbay_fpga.programming.fake import FakeRegions
from devbay_fpga.programming.regions import NotProgrammed
from devbay_fpga.programming.writing import write
from tests.backends.fpga import trees
from tests.backends.fpga.bitstreams import aocx, gbs
from tests.backends.fpga.conftest import Ask, Asked
from tests.backends.fpga.trees import AFU, INTERFACE, OTHER_AFU, REGION

BASE = "/sys/devices/pci0000:00/0000:00:01.0/0000:3b:00.0/fpga_region/region0"
WANTED = b"the wanted function"


@pytest.fixture
def regions(fake_node: FakeNode) -> Iterator[FakeRegions]:
    """Return the ports of a board of two, which become another function when they are programmed with `WANTED`."""
    ports = {("dfl-fme.0", number): fake_node.locate(f"{BASE}/dfl-port.{number}/afu_id") for number in range(2)}
    made = FakeRegions(ports, {WANTED: OTHER_AFU, b"a lie": AFU})
    yield made
    if made.hold is not None:
        made.hold.set()


Board: TypeAlias = Callable[..., Asked]


@pytest.fixture
def board(ask: Ask, regions: FakeRegions, tmp_path: Path) -> Board:
    """Return a function from a bitstream's content to a board that is programmed with it."""

    def asked(content: bytes, tree: Tree | None = None, **settings: object) -> Asked:
        file = tmp_path / "wanted.gbs"
        file.write_bytes(content)
        options = {"mode": "region", "programs": [{"resource": REGION, "bitstream": str(file)}], **settings}
        return ask(tree or trees.dfl(ports=[AFU, AFU]), Backend(writer=regions), **options)

    return asked


@pytest.mark.parametrize("pack", [bytes, aocx], ids=["gbs", "aocx"])
def test_every_port_is_programmed_once(
    board: Board, regions: FakeRegions, fake_node: FakeNode, pack: Callable[[bytes], bytes]
) -> None:
    """All ports of the request are programmed and read back; a container's restart programs nothing again."""
    asked = board(pack(gbs(afu=OTHER_AFU, data=WANTED)))

    asked.prepare()

    assert regions.written == [("dfl-fme.0", 0, WANTED), ("dfl-fme.0", 1, WANTED)]
    for number in range(2):
        assert fake_node.locate(f"{BASE}/dfl-port.{number}/afu_id").read_text() == f"{OTHER_AFU}\n"
    asked.prepare()
    assert len(regions.written) == 2


def test_what_is_right_is_left_alone(board: Board, regions: FakeRegions) -> None:
    """A port that already is what it is to be is not programmed; its neighbour is."""
    asked = board(gbs(afu=OTHER_AFU, data=WANTED), trees.dfl(ports=[OTHER_AFU, AFU]))

    asked.prepare()

    assert regions.written == [("dfl-fme.0", 1, WANTED)]


def test_nothing_is_programmed_by_default(board: Board, regions: FakeRegions) -> None:
    """Without a bitstream for the resource nothing is touched."""
    board(gbs(data=WANTED), programs=[]).prepare()
    board(gbs(data=WANTED), mode="af").prepare()

    assert regions.written == []


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (gbs(interface=OTHER_AFU, data=WANTED), f"for the interface {OTHER_AFU}, and the board has {INTERFACE}"),
        (b"no bitstream at all, by any means", "does not begin as a GBS does"),
        (gbs(afu=OTHER_AFU, data=b"a lie"), f"programmed with {OTHER_AFU}, and its afu_id reads {AFU}"),
    ],
    ids=["interface", "file", "read-back"],
)
def test_what_must_not_run_is_refused(board: Board, content: bytes, complaint: str) -> None:
    """A file for another interface, or none, is refused; so is a port that did not become what it was to be."""
    with pytest.raises(NotProgrammed, match=complaint):
        board(content, program_timeout=0.2).prepare()


def test_another_interface_touches_nothing(board: Board, regions: FakeRegions) -> None:
    """What is refused is refused before the first port is touched."""
    with pytest.raises(NotProgrammed):
        board(gbs(interface=OTHER_AFU, data=WANTED)).prepare()

    assert regions.written == []


def test_the_drivers_word_is_told(board: Board, regions: FakeRegions) -> None:
    """What the driver refuses with reaches the pod's event."""
    regions.refusal = OSError(16, "Device or resource busy")

    with pytest.raises(NotProgrammed, match=r"dfl-port\.0: the driver refuses to program it: Device or resource busy"):
        board(gbs(afu=OTHER_AFU, data=WANTED)).prepare()


def test_a_driver_that_hangs_is_left(board: Board, regions: FakeRegions) -> None:
    """Programming has a deadline; a board whose driver has not returned is not programmed again until it does."""
    regions.hold = threading.Event()
    asked = board(gbs(afu=OTHER_AFU, data=WANTED), program_timeout=0.05)

    with pytest.raises(NotProgrammed, match="did not program it in time"):
        asked.prepare()
    with pytest.raises(NotProgrammed, match="has not returned from programming before"):
        asked.prepare()
    assert len(regions.written) == 1


def test_a_port_without_its_fme(ask: Ask, regions: FakeRegions, tmp_path: Path) -> None:
    """In a machine with a virtual function only, programming says that it cannot be."""
    (tmp_path / "x.gbs").write_bytes(gbs(afu=OTHER_AFU, data=WANTED))
    program = {"resource": f"fpga.intel.com/afu-{AFU}", "bitstream": str(tmp_path / "x.gbs")}

    with pytest.raises(NotProgrammed, match=r"dfl-port\.7 cannot be programmed: its FME is not on this machine"):
        ask(trees.virtual_function(), Backend(writer=regions), programs=[program]).prepare()


def test_a_pod_gets_a_programmed_board(
    fake_node: FakeNode,
    simulated_kubelet: SimulatedKubelet,
    run_host: Callable[..., object],
    board: Board,
    regions: FakeRegions,
) -> None:
    """The way of a pod: the kubelet asks before the container starts, and the container starts on programmed ports."""
    asked = board(gbs(afu=OTHER_AFU, data=WANTED))
    settings = {"mode": "region", "programs": [{"resource": REGION, "bitstream": asked.settings.programs[0].bitstream}]}

    def backend() -> Backend:
        return Backend(writer=regions)

    run_host(backend, fake_node.node, settings=settings)
    simulated_kubelet.wait_for(REGION, 1)

    assert simulated_kubelet.give(REGION).phase == "Running"
    assert len(regions.written) == 2


def test_the_call_fails_as_an_error_of_the_system(fake_node: FakeNode) -> None:
    """Where there is no such driver, the call that writes raises what the system says, and nothing else."""
    fake_node.add({"/dev/dfl-fme.0": CharacterDevice()})

    for name in ("dfl-fme.0", "dfl-fme.1", "intel-fpga-fme.0"):
        with pytest.raises(OSError, match=r"No such file|nappropriate ioctl|not permitted"):
            write(fake_node.locate(f"/dev/{name}"), 0, b"bits")
