"""``devbay explain``, run as a person runs it."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Devbay, Environment

RESOURCE = "example.com/custom-accelerator"


@pytest.fixture
def six(place: Path) -> Environment:
    """Return variables for six mock devices on two NUMA nodes."""
    return {
        "DEVBAY_BACKENDS": "mock",
        "DEVBAY_MOCK__COUNT": "6",
        "DEVBAY_MOCK__NUMA_NODES": "2",
        "DEVBAY_MOCK__ROOT": f"{place}/mock",
    }


def test_a_choice_is_printed_with_its_reasons(devbay: Devbay, six: Environment) -> None:
    """P15: the ids, why each, what the choice is worth and what it left whole."""
    shown = devbay("explain", "allocate", RESOURCE, "2", environment=six)

    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.splitlines() == [
        "ID    NUMA NODES  PARENT  AFFINITY  REASON",
        "acc0  0           -       1         affinity 1 with acc2",
        "acc2  0           -       1         affinity 1 with acc0",
        "",
        "Policy:       topology; no answer is better",
        "NUMA nodes:   0",
        "Affinity:     1 inside, 3 among the devices left",
        "Left whole:   NUMA node 1 (acc1, acc3, acc5); affinity group of acc1 (acc1, acc3, acc5)",
        "Broken into:  NUMA node 0 (acc0, acc2, acc4); affinity group of acc0 (acc0, acc2, acc4)",
    ]


def test_a_request_can_be_told_whole(devbay: Devbay, six: Environment) -> None:
    """P15: available ids, shares among them, must-includes and policy are the request's; programs read JSON."""
    shown = devbay(
        *("explain", "allocate", RESOURCE, "3", "--output", "json", "--policy", "pack"),
        *("--available", "acc1::0,acc3::1,acc3::0", "--must-include", "acc3::4"),
        environment=six,
    )

    told = json.loads(shown.stdout)
    assert (told["resource"], told["policy"], told["exact"], told["missing"]) == (RESOURCE, "pack", True, 0)
    assert told["chosen"] == [pick["id"] for pick in told["picks"]] == ["acc3::4", "acc3::0", "acc3::1"]
    assert told["picks"][0]["reason"] == "must be included"


def test_too_few_are_an_answer_and_a_failure(devbay: Devbay, six: Environment) -> None:
    """P15: what there is is shown, and that it does not suffice is said."""
    shown = devbay("explain", "allocate", RESOURCE, "3", "--available", "acc1,acc3", environment=six)

    assert shown.returncode == 1
    assert "acc3" in shown.stdout
    assert shown.stderr == f"devbay: 3 of {RESOURCE} were asked for, and 2 can be given: name more with --available\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["example.com/custom-acelerator", "1"], f"did you mean '{RESOURCE}'?"),
        (["vendor.example/other", "1"], f"there are {RESOURCE}"),
        ([RESOURCE, "0"], "0 is not in the range"),
        ([RESOURCE, "1", "--available", "acc11"], "there is no device 'acc11'; did you mean 'acc1'?"),
        ([RESOURCE, "1", "--must-include", "x"], "there are acc0, acc1, acc2, acc3, acc4, acc5"),
    ],
)
def test_what_is_not_there_is_named(devbay: Devbay, six: Environment, arguments: list[str], said: str) -> None:
    """A resource, a device or a size that cannot be asked for is named, with what could be."""
    shown = devbay("explain", "allocate", *arguments, environment=six)

    assert (shown.returncode, shown.stdout) == (2, "")
    assert said in shown.stderr


def test_a_backend_that_cannot_be_asked_is_named(devbay: Devbay) -> None:
    """P3: why a backend shows nothing is said before that there is nothing to choose from."""
    shown = devbay(
        *("explain", "allocate", RESOURCE, "1"),
        packages=("devbay-faulty",),
        environment={"DEVBAY_BACKENDS": "faulty", "DEVBAY_FAULTY__FAULT": "raise"},
    )

    assert shown.returncode == 2
    assert "discover raised RuntimeError" in shown.stderr
    assert "there are none here; 'devbay devices' lists what there is" in shown.stderr


@pytest.mark.parametrize("command", [("explain",), ("explain", "allocate")])
def test_it_explains_itself(devbay: Devbay, command: tuple[str, ...]) -> None:
    """The help says what is asked, of whom, and what it leaves alone."""
    shown = devbay(*command, "--help")

    assert shown.returncode == 0
    assert len(shown.stdout) > 400
