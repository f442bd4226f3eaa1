"""Error reports: which are heeded, what each means, and when it is over."""

import pytest

from devbay.api import BackendUnavailable
from devbay_nvidia.faults import Faults
from devbay_nvidia.values import Condition, Event
from devbay_nvidia.xids import APPLICATION, Policy, parse
from tests.backends.nvidia.machines import Machine, gpu, mig, uuid

A, B = uuid(0), uuid(1)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("", set()),
        (",", set()),
        ("not-an-int", set()),
        ("-68", set()),
        ("68", {68}),
        ("68,", {68}),
        (",68", {68}),
        ("68,67", {67, 68}),
        (" 68 , 67 ", {67, 68}),
        ("68,not-an-int,67", {67, 68}),
    ],
)
def test_lists(text: str, numbers: set[int]) -> None:
    """A list of XIDs is read as NVIDIA's plugin reads it (NVIDIA's own tests, XP1 to XP10)."""
    assert parse(text).numbers == numbers
    assert not parse(text).everything


@pytest.mark.parametrize(
    ("disable", "enable", "ignored", "heeded"),
    [
        ("", "", APPLICATION, {555, 79}),
        ("all", "", APPLICATION | {555, 79}, set()),
        ("xids", "", APPLICATION | {555, 79}, set()),
        ("", "all", set(), APPLICATION | {555, 79}),
        ("79", "", APPLICATION | {79}, {555}),
        ("all", "48", {79, 13}, {48}),
        ("48,79", "48", {79}, {48}),
    ],
    ids=["XC1", "XC2", "XC3", "XC5", "some", "all-but-one", "one-again"],
)
def test_lists_together(disable: str, enable: str, ignored: set[int], heeded: set[int]) -> None:
    """What is enabled beats what is disabled, also `all` (NVIDIA's own tests, XC1 to XC5; it fails the last two)."""
    policy = Policy(disabled=parse(disable), enabled=parse(enable))

    assert {xid for xid in ignored | heeded if policy.meaning(xid) == "ignore"} == ignored


def test_an_operators_word_counts_first() -> None:
    """What the settings say of one XID beats lists and defaults."""
    policy = Policy(enabled=parse("all"), meanings={79: "ignore", 13: "node"})

    assert [policy.meaning(xid) for xid in (79, 13, 48, 94)] == ["ignore", "node", "reset", "device"]


class Ears:
    """Faults, and a clock in a test's hand."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.now = 0.0

    def hear(self, xid: int | None, uuid: str = A) -> None:
        """Hear of an error."""
        self.faults.hear(Event(uuid=uuid, xid=xid), Policy(meanings={1: "node"}), [A, B], self.now)

    def reasons(self, uuid: str = A, recovery: int | None = None) -> list[str]:
        """Return what is not over of a GPU that answers so."""
        self.faults.review(uuid, Condition(recovery=recovery), self.now, 60)
        return [fault.reason for fault in self.faults.of(uuid)]


def test_what_needs_no_reset_is_over_after_a_while() -> None:
    """P12: an error that needs no reset costs its GPU a minute of quiet; another one of its kind begins it anew."""
    ears = Ears()
    ears.hear(94)
    ears.now = 59
    assert ears.reasons() == ["the driver reported XID 94"]
    ears.hear(94)
    ears.now = 118
    assert ears.reasons() == ["the driver reported XID 94"]
    ears.now = 119
    assert ears.reasons() == []


def test_what_needs_a_reset_is_over_after_it() -> None:
    """P12: time heals nothing that needs a reset; the driver that asked for one, and then no longer does, does."""
    ears = Ears()
    ears.hear(79)
    ears.now = 1e6
    assert ears.reasons() == ["the driver reported XID 79; the GPU needs a reset"]
    assert ears.reasons(recovery=0) != []
    assert ears.reasons(recovery=1) != []
    assert ears.reasons(recovery=0) == []


def test_a_driver_that_asks_for_a_reset_is_believed() -> None:
    """An XID that usually needs no reset needs one when the driver asks for it."""
    ears = Ears()
    ears.hear(94)
    assert ears.reasons(recovery=1) == ["the driver reported XID 94; the GPU needs a reset"]
    ears.now = 1e6
    assert ears.reasons(recovery=0) == []


def test_an_error_of_the_node_is_of_all_gpus() -> None:
    """An XID that means the node makes every GPU unhealthy, and each recovers by itself."""
    ears = Ears()
    ears.hear(1)
    ears.faults.was_reset(A)

    assert (ears.reasons(A), len(ears.reasons(B))) == ([], 1)


def test_what_says_nothing_is_nothing() -> None:
    """An event of another kind, one without a GPU and one of a program's are no faults."""
    ears = Ears()
    ears.hear(None)
    ears.hear(79, uuid="")
    ears.hear(31)

    assert ears.reasons() == []


def test_an_error_of_an_instance_is_its_own(machine: Machine) -> None:
    """An event that names a MIG instance costs the devices of that one; one that names none costs them all."""
    machine.keys = {"mig_strategy": "mixed"}
    machine.document["gpus"] = [gpu(0, mig_enabled=True, mig=[mig(0, 7), mig(0, 8)]), gpu(1)]
    machine.write()
    assert machine.reasons() == {}
    machine.hear(xid=95, gi=8, ci=0)

    assert machine.reasons() == {mig(0, 8)["uuid"]: "the driver reported XID 95; the GPU needs a reset"}

    machine.hear(xid=79)

    assert machine.reasons().keys() == {mig(0, 7)["uuid"], mig(0, 8)["uuid"]}


def test_an_error_told_of_a_mig_device(machine: Machine) -> None:
    """An event may come with the MIG device's own id, and concerns that one alone."""
    machine.keys = {"mig_strategy": "mixed"}
    machine.document["gpus"] = [gpu(0, mig_enabled=True, mig=[mig(0, 7), mig(0, 8)])]
    machine.write()
    first, _ = machine.discover()

    event = machine.backend._of_gpu(Event(uuid=first.id, xid=95))  # noqa: SLF001 - the described driver tells none such

    assert event == Event(uuid=A, xid=95, gi=7, ci=0)


def test_a_gpu_that_was_away_is_well_again(machine: Machine) -> None:
    """P12: a GPU that needed a reset, went away and answers again was reset."""
    machine.discover()
    machine.hear(xid=79)
    assert machine.reasons() == {A: "the driver reported XID 79; the GPU needs a reset"}
    machine.gpus[0]["error"] = "GPU_IS_LOST"
    machine.write()
    assert machine.reasons() == {A: "NVML cannot read it: GPU is lost"}
    del machine.gpus[0]["error"]
    machine.write()

    assert machine.reasons() == {}


def test_a_driver_that_was_reloaded_has_reset_all(machine: Machine) -> None:
    """P12: a kernel module that went and came back reset every GPU; a library that failed for a moment did not."""
    machine.discover()
    machine.hear(xid=79)
    for error, reasons in (("UNKNOWN", {A}), ("DRIVER_NOT_LOADED", set())):
        machine.document["error"] = error
        machine.write()
        with pytest.raises(BackendUnavailable):
            machine.discover()
        del machine.document["error"]
        machine.write()

        assert machine.reasons().keys() == reasons


def test_the_variables_of_nvidias_plugin(machine: Machine) -> None:
    """``DP_ENABLE_HEALTHCHECKS`` and ``DP_DISABLE_HEALTHCHECKS`` are honoured as that plugin documents them."""
    machine.environ |= {"DP_DISABLE_HEALTHCHECKS": "all", "DP_ENABLE_HEALTHCHECKS": "31"}
    machine.discover()
    machine.hear(xid=31)

    assert machine.reasons() == {A: "the driver reported XID 31"}
