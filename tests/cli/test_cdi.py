"""``devbay cdi``: what people see of specifications, and what it makes for machines without a kubelet (P18, P19)."""

import json
import re
from pathlib import Path

import pytest

from devbay.cdi import names
from devbay.simulator.cdi import Registry
from tests.cli.conftest import Devbay

PAGE = Path(__file__).parents[2] / "docs/cdi.md"
KIND = "devbay.example.com/custom-accelerator"
FILE = "devbay.example.com_custom-accelerator.json"
OTHERS = """\
cdiVersion: 1.1.0
kind: nvidia.com/gpu
containerEdits:
  env: [COMMON=1]
  hooks: [{hookName: createContainer, path: /bin/h, args: [h, --now]}]
devices:
- name: all
  containerEdits:
    deviceNodes: [{path: /dev/gpu, hostPath: /dev/null}, {path: /dev/zero, permissions: r}]
    mounts: [{hostPath: /a, containerPath: /b, options: [ro]}, {hostPath: /c, containerPath: /c}]
    netDevices: [{hostInterfaceName: eth7, name: net0}]
    additionalGids: [44]
    intelRdt: {closID: gold}
"""


@pytest.fixture
def machine(place: Path) -> dict[str, str]:
    """Make two mock accelerators; return the variables that point to them."""
    (place / "dev").mkdir()
    for device in ("acc0", "acc1"):
        (place / "class" / device).mkdir(parents=True)
        (place / "class" / device / "status").write_text("online\n")
        (place / "dev" / device).symlink_to("/dev/null")
    tree = {"DEVBAY_MOCK__ROOT": f"{place}/class", "DEVBAY_MOCK__DEVICE_DIR": f"{place}/dev"}
    return tree | {"DEVBAY_BACKENDS": "mock"}


@pytest.mark.parametrize("command", [[], ["list"], ["show"], ["generate"], ["validate"]])
def test_every_command_explains_itself(devbay: Devbay, command: list[str]) -> None:
    """Someone who has never heard of CDI learns from the help what it is, and what each command is for."""
    shown = devbay("cdi", *command, "--help")

    assert shown.returncode == 0
    assert len(shown.stdout) > 300
    assert "\\b" not in shown.stdout
    assert command or re.search(r"^  What can be named on this machine: +devbay cdi list$", shown.stdout, re.MULTILINE)


def test_specifications_are_printed(devbay: Devbay, machine: dict[str, str]) -> None:
    """P18: without a directory the specification is printed, and is all that is printed."""
    shown = devbay("cdi", "generate", environment=machine)

    assert (shown.returncode, shown.stderr) == (0, "")
    document = json.loads(shown.stdout)
    assert (document["kind"], [device["name"] for device in document["devices"]]) == (KIND, ["acc0", "acc1"])


def test_what_is_generated_can_be_named(devbay: Devbay, machine: dict[str, str], place: Path) -> None:
    """P18: a container that is given a generated name has the node, as what its link leads to, and the variable."""
    cdi = place / "cdi"

    made = devbay("cdi", "generate", "--output-dir", str(cdi), environment=machine)
    again = devbay("cdi", "generate", "--output-dir", str(cdi), environment=machine)

    assert (made.returncode, made.stdout, made.stderr) == (0, f"{cdi}/{FILE}\n", "")
    assert again.stdout == made.stdout
    registry = Registry([cdi])
    assert registry.errors == {}
    container = registry.resolve([f"{KIND}=acc1"])
    assert container.env["ACCELERATOR_VISIBLE_DEVICES"] == "acc1"
    assert [(device.path, device.type, device.major, device.minor) for device in container.devices] == [
        ("/dev/accelerator0", "c", 1, 3)
    ]


@pytest.mark.parametrize(("resource", "count"), [("example.com/custom-accelerator", 1), ("example.com/other", 0)])
def test_one_resource_alone(devbay: Devbay, machine: dict[str, str], resource: str, count: int) -> None:
    """P18: one resource can be asked for; where nothing is found, that is said with who was asked."""
    shown = devbay("cdi", "generate", "--resource", resource, environment=machine)

    assert shown.returncode == 0
    assert shown.stdout.count('"kind"') == count
    assert count or shown.stderr == "devbay: no device of example.com/other needs a specification; asked: mock\n"


def test_a_backend_that_fails_fails_the_command(devbay: Devbay, machine: dict[str, str]) -> None:
    """P13: what could not be asked is named, the others' devices are there, and the exit code tells."""
    shown = devbay(
        "cdi",
        "generate",
        packages=("devbay-faulty",),
        environment=machine | {"DEVBAY_BACKENDS": "mock,faulty", "DEVBAY_FAULTY__FAULT": "raise"},
    )

    assert shown.returncode == 1
    assert "devbay: backend faulty is failing: devbay-faulty 0.0.1: discover raised RuntimeError" in shown.stderr
    assert json.loads(shown.stdout)["kind"] == KIND


def test_absent_hardware_is_no_failure(devbay: Devbay, place: Path) -> None:
    """P13: a driver that is absent is told, and is no failure of the command."""
    shown = devbay("cdi", "generate", environment={"DEVBAY_MOCK__ROOT": f"{place}/missing", "DEVBAY_BACKENDS": "mock"})

    assert (shown.returncode, shown.stdout) == (0, "")
    assert "backend mock is unavailable" in shown.stderr


def test_a_directory_that_cannot_be_written_is_named(devbay: Devbay, machine: dict[str, str], place: Path) -> None:
    """P19: a place where nothing can be written is one line with the reason and the remedy."""
    (place / "file").touch()

    plain = devbay("cdi", "generate", "--output-dir", f"{place}/file", environment=machine)
    below = devbay("cdi", "generate", "--output-dir", f"{place}/file/below", environment=machine)

    assert (plain.returncode, plain.stderr) == (2, f"devbay: --output-dir {place}/file is no directory\n")
    assert below.returncode == 1
    assert below.stderr == (
        f"devbay: CDI specification {place}/file/below/{FILE} cannot be written: Not a directory ({place}/file/below); "
        "remove what stands where a directory should be\n"
    )


def test_the_list_tells_whose_and_which(devbay: Devbay, machine: dict[str, str], place: Path) -> None:
    """P19: every name with whose it is and its file, what cannot be named with the reason, broken files too."""
    etc, run = place / "etc", place / "run"
    devbay("cdi", "generate", "--output-dir", str(run), environment=machine)
    etc.mkdir()
    for name in ("one.yaml", "two.yaml"):
        (etc / name).write_text(OTHERS)
    (etc / FILE).write_text((run / FILE).read_text().replace("acc1", "acc9"))
    (etc / "broken.json").write_text('{"cdiVersion": "0.3.0", "kind": "a.b/cc", "colour": "blue"}')
    where = ("--cdi-dir", str(etc), "--cdi-dir", str(run))

    rows = json.loads(devbay("cdi", "list", "-o", "json", *where).stdout)
    table = devbay("cdi", "list", *where).stdout

    assert [(row["name"].partition("=")[2], row["by"], row["state"]) for row in rows] == [
        ("acc0", "devbay", "usable"),
        ("acc0", "devbay", "hidden"),
        ("acc1", "devbay", "usable"),
        ("acc9", "devbay", "usable"),
        ("all", "", "conflict"),
        ("all", "", "conflict"),
        ("", "", "broken"),
    ]
    assert rows[1]["reason"] == f"{run}/{FILE} has it too and is stronger"
    assert rows[-1]["reason"] == "object contains unknown field `colour`"
    assert re.search(rf"^{KIND}=acc1 +devbay +{run}/{FILE} +usable", table, re.MULTILINE)


def test_an_empty_list_says_where_it_looked(devbay: Devbay, place: Path) -> None:
    """P19: where there is nothing, the directories that were looked into are named."""
    shown = devbay("cdi", "list", "--cdi-dir", f"{place}/a", "--cdi-dir", f"{place}/b")

    assert (shown.returncode, shown.stdout) == (0, f"No specifications in {place}/a and {place}/b.\n")


def test_a_device_is_shown_with_all_that_it_brings(devbay: Devbay, place: Path) -> None:
    """P19: what a container gets with a device, that of every device of the file first, whoever wrote the file."""
    (place / "gpu.yaml").write_text(OTHERS)

    shown = devbay("cdi", "show", "nvidia.com/gpu=all", "--cdi-dir", str(place))
    document = json.loads(devbay("cdi", "show", "nvidia.com/gpu=all", "--cdi-dir", str(place), "-o", "json").stdout)

    assert shown.returncode == 0
    assert shown.stdout == (
        f"nvidia.com/gpu=all, from {place}/gpu.yaml\n"
        "  environment  COMMON=1\n"
        "  hook         createContainer /bin/h --now\n"
        "  device node  /dev/gpu (from /dev/null) rwm\n"
        "  device node  /dev/zero r\n"
        "  mount        /b (from /a) ro\n"
        "  mount        /c\n"
        "  interface    net0 (from eth7)\n"
        "  group        44\n"
        '  intelRdt     {"closID": "gold"}\n'
    )
    assert document["containerEdits"][0]["env"] == ["COMMON=1"]
    assert document["containerEdits"][1]["additionalGids"] == [44]


def test_a_device_that_cannot_be_named_is_explained(devbay: Devbay, place: Path) -> None:
    """P19: an unknown name fails with the one that was meant, and with the files that were passed over."""
    (place / "gpu.yaml").write_text(OTHERS)
    (place / "broken.yaml").write_text("cdiVersion: [")

    shown = devbay("cdi", "show", "nvidia.com/gpu=al", "--cdi-dir", str(place))

    assert (shown.returncode, shown.stdout) == (1, "")
    assert shown.stderr.splitlines()[0] == (
        "devbay: no file has the device nvidia.com/gpu=al; did you mean 'nvidia.com/gpu=all'?"
    )
    assert f"{place}/broken.yaml is passed over: line 1" in shown.stderr


def test_a_good_file_is_silently_valid(devbay: Devbay, place: Path) -> None:
    """P19: nothing is said about files that runtimes load."""
    (place / "gpu.yaml").write_text(OTHERS)

    shown = devbay("cdi", "validate", f"{place}/gpu.yaml")

    assert (shown.returncode, shown.stdout, shown.stderr) == (0, "", "")


def test_every_problem_is_a_line(devbay: Devbay, place: Path) -> None:
    """P19: each problem of each file is a line with the file and the place in it, and the exit code is 1."""
    (place / "gpu.yml").write_text(OTHERS.replace("1.1.0", "0.4.0"))

    shown = devbay("cdi", "validate", f"{place}/gpu.yml", f"{place}/missing.json")

    assert shown.returncode == 1
    assert shown.stdout.splitlines() == [
        f"{place}/gpu.yml: cdiVersion is 0.4.0, but a device node's hostPath needs 0.5.0",
        f"{place}/gpu.yml: cdiVersion is 0.4.0, but intelRdt needs 0.7.0",
        f"{place}/gpu.yml: cdiVersion is 0.4.0, but additionalGids needs 0.7.0",
        f"{place}/gpu.yml: cdiVersion is 0.4.0, but netDevices needs 1.1.0",
        f"{place}/gpu.yml: its name must end with .json or .yaml, or no runtime looks at it",
        f"{place}/missing.json: it cannot be read: No such file or directory",
    ]


def test_nothing_to_validate_is_an_error(devbay: Devbay) -> None:
    """A command without files is told how it is called."""
    shown = devbay("cdi", "validate")

    assert shown.returncode == 2
    assert "FILE" in shown.stderr


def test_the_page_can_be_followed(devbay: Devbay, machine: dict[str, str], place: Path) -> None:
    """P18: the configuration on the operators' page is accepted, and its commands are commands."""
    page = PAGE.read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (place / "config.yaml").write_text(block)

    shown = devbay("devices", "--config", f"{place}/config.yaml", environment=machine)

    assert shown.returncode == 0
    assert shown.stderr == "devbay: configured resource example.com/widget is not on this node\n"
    (generate,) = re.findall(r"^    devbay (cdi generate) --output-dir /var/run/cdi$", page, re.MULTILINE)
    assert "--output-dir" in devbay(*generate.split(), "--help").stdout
    for kind in re.findall(r"`(\S+/\S+)` becomes `(\S+)`", page):
        assert names.kind_of(kind[0]) == kind[1]
