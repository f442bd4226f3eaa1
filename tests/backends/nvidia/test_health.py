"""Health as the driver says it, and how close GPUs are."""

import itertools

import pytest

from devbay_nvidia.health import CHECKS, judge
from devbay_nvidia.values import Condition
from tests.backends.nvidia.machines import Machine, gpu, mig, uuid

BAD_ROW = "a row of its memory is bad and cannot be replaced"


@pytest.mark.parametrize(
    ("check", "condition", "reason"),
    [
        ("remap", Condition(remap_failed=True), f"{BAD_ROW}; the GPU must be replaced"),
        ("ecc", Condition(ecc_uncorrected=3), "3 uncorrectable memory errors; the GPU needs a reset"),
        ("recovery", Condition(recovery=1), "the driver wants a reset of the GPU"),
        ("recovery", Condition(recovery=99), "the driver wants action 99"),
        ("temperature", Condition(temperature=93, slowdown=93), "its temperature is 93 °C, and it slows down at 93"),
        ("fabric", Condition(fabric="it has not joined"), "it has not joined"),
        ("pending", Condition(remap_pending=True), "bad memory is to be replaced at its next reset"),
        ("pending", Condition(retirement_pending=True), "bad memory is to be replaced at its next reset"),
    ],
)
def test_each_check(check: str, condition: Condition, reason: str) -> None:
    """P12: each thing that is looked at has its reason, and none where it is switched off."""
    assert judge(condition, (), CHECKS).reason == reason
    assert judge(condition, (), [each for each in CHECKS if each != check])


@pytest.mark.parametrize(
    "condition",
    [
        Condition(),
        Condition(remap_failed=False, remap_pending=False, retirement_pending=False, ecc_uncorrected=0, recovery=0),
        Condition(temperature=92, slowdown=93),
        Condition(temperature=92, slowdown=0),
        Condition(ecc_uncorrected=3, remap_failed=False),
    ],
)
def test_what_is_well(condition: Condition) -> None:
    """What the driver does not say is no news, and memory that replaced its bad rows is well."""
    assert judge(condition, (), CHECKS)


def test_several_reasons() -> None:
    """P12: a person reads all that is wrong, at once."""
    health = judge(Condition(remap_failed=True, fabric="no fabric"), (), CHECKS, {3, 1})

    assert health.reason == (f"{BAD_ROW}; the GPU must be replaced; no fabric; NVLink 1, 3 went down")


def test_a_link_that_goes_down(machine: Machine) -> None:
    """A link that never was up is not missed; one that was is, where that is looked at, until it is up again."""
    machine.keys = {"checks": ["links"]}

    def links_down(*links: int) -> dict[str, str]:
        machine.gpus[0]["condition"] = {"links_down": links}
        machine.write()
        return machine.reasons()

    assert links_down(2, 3) == {}
    assert links_down(1, 2, 3) == {uuid(0): "NVLink 1 went down"}
    assert links_down(3) == {}
    assert links_down(2, 3) == {uuid(0): "NVLink 2 went down"}
    machine.keys = {}
    assert machine.reasons() == {}


def test_a_sick_gpu_is_so_in_all_its_parts(machine: Machine) -> None:
    """P13: what is wrong with a GPU is wrong with each of its MIG devices, and with no other GPU's."""
    machine.keys = {"mig_strategy": "mixed"}
    machine.gpus[0] |= {"mig_enabled": True, "mig": [mig(0, 7), mig(0, 8)], "condition": {"recovery": 2}}
    machine.write()

    assert machine.reasons() == dict.fromkeys(
        (mig(0, 7)["uuid"], mig(0, 8)["uuid"]), "the driver wants a reboot of the node"
    )


def test_a_driver_that_went_is_no_health(machine: Machine) -> None:
    """P12: "healthy because unknown" is never said: between two looks the driver may have gone."""
    devices = machine.discover()
    machine.document["error"] = "DRIVER_NOT_LOADED"
    machine.write()

    health = machine.backend.check(machine.settings, devices)

    assert [each.reason for each in health.values()] == ["NVML cannot read it: Driver Not Loaded"] * 2


def scores(machine: Machine) -> dict[tuple[int, int], float]:
    """Return how close each two devices are, by their places in the list."""
    pairs = itertools.combinations(enumerate(machine.discover()), 2)
    return {(i, j): machine.backend.affinity(a, b) for (i, a), (j, b) in pairs}


def test_pcie(machine: Machine) -> None:
    """P15: two GPUs are as close as what they share of PCIe, in NVIDIA's numbers."""
    paths = ["0axs", "0axs", "0axt", "0ayu", "0bzv", "1"]
    machine.document["gpus"] = [gpu(number, pcie=list(path)) for number, path in enumerate(paths)]
    machine.write()

    close = scores(machine)

    assert [close[0, other] for other in range(1, 6)] == [50, 40, 30, 20, 10]


def test_links(machine: Machine) -> None:
    """P15: each NVLink between two GPUs counts a hundred; links to a switch count to every GPU behind one."""
    machine.load("dgx-1v")
    cube = scores(machine)
    assert (cube[0, 3], cube[0, 1], cube[0, 7]) == (230, 150, 10)

    machine.load("dgx-a100")
    switched = scores(machine)
    assert {score // 100 for score in switched.values()} == {12}
    assert switched[0, 1] > switched[0, 2] > switched[0, 4]


def test_mig_devices_have_no_links(machine: Machine) -> None:
    """P15: parts of one GPU are closest; parts of two are as close as PCIe makes them."""
    machine.keys = {"mig_strategy": "mixed"}
    links = {"switch": 12}
    machine.document["gpus"] = [gpu(n, mig_enabled=True, mig=[mig(n, 7), mig(n, 8)], links=links) for n in (0, 1)]
    machine.write()

    assert scores(machine) == {(0, 1): 60, (2, 3): 60, (0, 2): 20, (0, 3): 20, (1, 2): 20, (1, 3): 20}


def test_a_lost_gpu_is_close_to_nobody(machine: Machine) -> None:
    """P15: what cannot be asked is far, and no question fails; once it is back it is asked anew."""
    machine.gpus[1]["error"] = "GPU_IS_LOST"
    machine.write()
    assert scores(machine) == {(0, 1): 0}
    del machine.gpus[1]["error"]
    machine.write()

    assert scores(machine) == {(0, 1): 20}
