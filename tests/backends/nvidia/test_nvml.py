"""The real binding on a library with NVML's interface, compiled from the C file beside this."""

import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devbay.api import BackendUnavailable, Node
from devbay.testing import SimulatedKubelet
from devbay_nvidia import Backend
from devbay_nvidia.connection import Connection
from devbay_nvidia.nvml import Driver
from devbay_nvidia.values import SWITCH, Code, Condition, Event, Gpu, Level, Mig, NvmlError, System

A, B = "GPU-aaaaaaaa-0000-0000-0000-000000000000", "GPU-bbbbbbbb-0000-0000-0000-000000000000"
LINES = f"""
driver 550.54.15
cuda 12040
count 2
gpu0.uuid {A}
gpu0.name NVIDIA A100-SXM4-40GB
gpu0.minor 3
gpu0.pci 00000000:3B:00.0
gpu0.memory 42949672960
gpu0.capability 8.0
gpu0.events 27
gpu1.uuid {B}
gpu1.name Tesla T4
gpu1.minor 0
gpu1.pci 00010000:AF:00.0
gpu1.events 8
"""

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler: the library is made here")


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile the library."""
    path = tmp_path_factory.mktemp("nvml") / "libnvidia-ml.so.1"
    source = Path(__file__).with_name("libnvml.c")
    options = ["-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-Wl,-soname,libnvidia-ml.so.1"]
    subprocess.run(["cc", *options, "-o", str(path), str(source)], check=True)
    return path


class Lines:
    """What the library answers from, as a test changes it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.path.write_text(LINES)

    def say(self, *lines: str) -> None:
        """Change answers, and add some."""
        keys = {line.partition(" ")[0] for line in lines}
        kept = [line for line in self.path.read_text().splitlines() if line.partition(" ")[0] not in keys]
        part = self.path.with_suffix(".part")
        part.write_text("\n".join([*kept, *lines, ""]))
        part.rename(self.path)


@pytest.fixture
def lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lines:
    """Give the library's answers: two GPUs."""
    monkeypatch.setenv("FAKE_NVML", str(tmp_path / "lines"))
    return Lines(tmp_path / "lines")


@pytest.fixture
def driver(tmp_path: Path, library: Path, lines: Lines) -> Iterator[Driver]:
    """Give an open driver, whose library is found below its root."""
    assert lines.path.exists()
    folder = tmp_path / "root/usr/lib64"
    folder.mkdir(parents=True)
    shutil.copy(library, folder)
    driver = Driver(tmp_path / "root")
    driver.open()
    yield driver
    driver.close()


def test_no_library_is_a_reason(tmp_path: Path) -> None:
    """A node without a driver gets an error that says so, and no traceback of a linker."""
    with pytest.raises(NvmlError) as caught:
        Driver(tmp_path).open()

    assert caught.value.code == Code.LIBRARY_NOT_FOUND


def test_gpus(driver: Driver) -> None:
    """Facts come as values; what a driver does not say is left out, and a PCI address reads as the kernel's."""
    assert driver.system() == System(driver_version="550.54.15", cuda_version="12.4")
    assert [driver.gpu(index) for index in range(driver.count())] == [
        Gpu(
            index=0,
            uuid=A,
            product="NVIDIA A100-SXM4-40GB",
            pci_address="0000:3b:00.0",
            minor=3,
            memory=42949672960,
            compute_capability="8.0",
        ),
        Gpu(index=1, uuid=B, product="Tesla T4", pci_address="10000:af:00.0", minor=0),
    ]


def test_mig_devices(driver: Driver, lines: Lines) -> None:
    """MIG devices are found at whatever numbers they have, with profile and placement."""
    lines.say(
        "gpu0.migmode 1",
        "gpu0.migcount 7",
        "gpu0.mig0.uuid MIG-0",
        "gpu0.mig0.attributes 3 3 19968",
        "gpu0.mig0.gi 2",
        "gpu0.mig0.ci 0",
        "gpu0.mig4.uuid MIG-4",
        "gpu0.mig4.name NVIDIA A100-SXM4-40GB MIG 1g.5gb+me",
        "gpu0.mig4.attributes 1 1 4864",
        "gpu0.mig4.gi 9",
        "gpu0.mig4.ci 0",
    )

    gpu = driver.gpu(0)

    assert gpu.mig_enabled
    assert gpu.mig == (
        Mig(uuid="MIG-0", number=0, gi=2, ci=0, profile="3g.20gb", memory=19968 << 20),
        Mig(uuid="MIG-4", number=4, gi=9, ci=0, profile="1g.5gb+me", memory=4864 << 20),
    )


def test_a_lost_gpu_is_an_error(driver: Driver, lines: Lines) -> None:
    """A GPU that is lost refuses with the library's number, and its neighbour answers."""
    lines.say("gpu0.handle !15")

    with pytest.raises(NvmlError) as caught:
        driver.gpu(0)

    assert caught.value.code == Code.GPU_IS_LOST
    assert driver.gpu(1).uuid == B
    with pytest.raises(NvmlError):
        driver.condition(A, links=False)


def test_one_question_that_fails(driver: Driver, lines: Lines) -> None:
    """P13: what can be done without costs nothing when it fails; a GPU that is lost, or whose memory is, says so."""
    lines.say("gpu0.capability !999", "gpu0.memory !999", "gpu1.rows !999", "gpu1.ecc !999", "gpu1.field230 !999")
    gpu = driver.gpu(0)
    assert (gpu.memory, gpu.compute_capability) == (0, "")
    assert driver.condition(B, links=False) == Condition()

    with pytest.raises(NvmlError):
        driver.condition(A, links=False)
    lines.say("gpu1.ecc !15")
    with pytest.raises(NvmlError):
        driver.condition(B, links=False)
    lines.say("gpu0.migmode !999")
    with pytest.raises(NvmlError):
        driver.gpu(0)


def test_condition(driver: Driver, lines: Lines) -> None:
    """How a GPU is: what it does not say is None."""
    assert driver.condition(A, links=True) == Condition()

    lines.say(
        *("gpu0.rows 1 2 1 0", "gpu0.retirement 1", "gpu0.ecc 4", "gpu0.temperature 91", "gpu0.slowdown 90"),
        *("gpu0.field230 1", "gpu0.link0 1", "gpu0.link1 0", "gpu0.fabric 3 999"),
    )

    assert driver.condition(A, links=True) == Condition(
        ecc_uncorrected=4,
        remap_pending=True,
        remap_failed=False,
        retirement_pending=True,
        recovery=1,
        temperature=91,
        slowdown=90,
        links_down=(1,),
        fabric="joining the NVLink fabric failed with error 999",
    )
    assert driver.condition(A, links=False).links_down == ()


def test_topology(driver: Driver, lines: Lines) -> None:
    """Links lead to a GPU's address or to a switch; a pair meets at a level of PCIe."""
    lines.say(
        *("gpu0.link0 1", "gpu0.link0.type 2", "gpu0.link1 0", "gpu0.link2 1", "gpu0.link2.type 0"),
        *("gpu0.link2.pci 00010000:AF:00.0", "gpu0.ancestor.gpu1 50"),
    )

    assert driver.links(A) == (SWITCH, "10000:af:00.0")
    assert driver.links(B) == ()
    assert driver.ancestor(A, B) == Level.SYSTEM


def test_events(driver: Driver, lines: Lines) -> None:
    """An error is told with its GPU and its instance; a GPU that is lost does not keep the others from telling."""
    lines.say("gpu0.handle !15")
    assert driver.events([A, B]).wait(0) is None
    lines.say("gpu0.handle 0")
    events = driver.events([A, B])
    lines.say("event0 gpu1 8 79 4294967295 4294967295", "event1 gpu0 8 94 2 0", "event2 gpu0 2 0 4294967295 4294967295")

    assert events.wait(1) == Event(uuid=B, xid=79)
    assert events.wait(1) == Event(uuid=A, xid=94, gi=2, ci=0)
    assert events.wait(1) == Event(uuid=A, xid=None)
    assert events.wait(0) is None
    events.close()


def test_another_library_after_an_upgrade(driver: Driver, lines: Lines, tmp_path: Path, library: Path) -> None:
    """Closing unloads: what is opened next is the file that is there then."""
    path = tmp_path / "root/usr/lib64/libnvidia-ml.so.1"
    before = mapped()
    driver.close()
    unloaded = mapped()
    path.unlink()
    shutil.copy(library, path.with_name("libnvidia-ml.so.560"))
    path.symlink_to("libnvidia-ml.so.560")
    lines.say("driver 560.35.03")
    driver.open()

    assert before == {str(path)}
    assert unloaded == set()
    assert mapped() == {str(path.with_name("libnvidia-ml.so.560"))}
    assert driver.system().driver_version == "560.35.03"


def mapped() -> set[str]:
    """Return the files of the library that this process has mapped."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    return {line.split()[-1] for line in lines if "libnvidia-ml" in line}


def test_a_mismatch_is_survived_once_it_is_over(driver: Driver, lines: Lines, tmp_path: Path) -> None:
    """During an upgrade the library does not fit the module; that is said, and the first look after it finds GPUs."""
    connection = Connection(driver)
    node = Node(name="n", proc=tmp_path)
    connection.read(node)
    lines.say("init !18", "driver !18")

    with pytest.raises(BackendUnavailable, match="different versions"):
        connection.read(node)
    lines.say("init 0", "driver 560.35.03")
    reading = connection.read(node)

    assert (reading.fresh, reading.system.driver_version, len(reading.gpus)) == (True, "560.35.03", 2)


def test_closing_does_not_wait_for_events(driver: Driver, tmp_path: Path) -> None:
    """A thread that waits in the library lets go of it within its turn, however often it waits."""
    connection = Connection(driver)
    connection.read(Node(name="n", proc=tmp_path))
    stop = threading.Event()

    def wait() -> None:
        while not stop.is_set():
            connection.wait()

    thread = threading.Thread(target=wait)
    thread.start()
    closing = [threading.Thread(target=connection.close, daemon=True) for _ in range(3)]
    for each in closing:
        each.start()
        each.join(10)
    stop.set()
    thread.join(10)

    assert not any(each.is_alive() for each in (*closing, thread))


def test_from_the_library_to_a_pod(
    tmp_path: Path, library: Path, lines: Lines, simulated_kubelet: SimulatedKubelet, run_host: Callable[..., object]
) -> None:
    """P11, P12, P14: the whole way on the real binding: a pod is told its GPU, and an error is heard at once."""
    folder = tmp_path / "root/usr/lib64"
    folder.mkdir(parents=True)
    shutil.copy(library, folder)
    node = Node(name="n", dev=tmp_path / "dev", sys=tmp_path / "sys", proc=tmp_path / "proc")
    settings = {"driver_root_ctr_path": f"{tmp_path}/root"}
    run_host(Backend, node, name="nvidia", settings=settings, configuration={"health": {"scan_interval": 3600}})
    simulated_kubelet.wait_for("nvidia.com/gpu", 2)

    container = simulated_kubelet.give("nvidia.com/gpu").container("main")
    (given,) = container.devices["nvidia.com/gpu"]
    lines.say("event0 gpu0 8 79 4294967295 4294967295")
    simulated_kubelet.wait_for("nvidia.com/gpu", 1)

    assert container.env == {"NVIDIA_VISIBLE_DEVICES": given}
    assert [id_ for id_, device in simulated_kubelet.devices("nvidia.com/gpu").items() if device.healthy] == [B]
