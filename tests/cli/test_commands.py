"""What the commands print and with which code they exit."""

import json
import re
from pathlib import Path

import pytest

from devbay.cli import Exit
from tests.cli.conftest import Devbay
from tests.house.workspace import ROOT

COMMANDS = [
    *("run", "backends", "devices", "explain", "doctor", "cleanup", "config", "cdi", "manifest", "simulate", "demo"),
    "new-backend",
]
OURS = sorted(path.parent.name for path in (ROOT / "backends").glob("*/pyproject.toml"))
"""The backends of this workspace: all of them are installed."""
README = Path(__file__).parents[2] / "README.md"


def tree(place: Path, *devices: str, status: str = "online") -> dict[str, str]:
    """Make a tree for the mock backend with these devices; return the variables that point to it."""
    for device in devices:
        (place / "class" / device).mkdir(parents=True)
        (place / "class" / device / "status").write_text(f"{status}\n")
        (place / "class" / device / "model").write_text("T1000\n")
    return {"DEVBAY_MOCK__ROOT": f"{place}/class"}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(devbay: Devbay, command: str) -> None:
    """The help lists each command, and each has a help of its own that is more than its name."""
    overview = devbay("--help").stdout
    assert re.search(rf"^  {command} +\w.*\.$", overview, re.MULTILINE)
    assert "...\n" not in overview.partition("Commands:")[2]
    assert "\n  Run it on a node:                                devbay run\n" in overview

    shown = devbay(command, "--help")

    assert shown.returncode == 0
    assert len(shown.stdout) > 400


def test_backends_are_listed_with_whose_they_are(devbay: Devbay, place: Path) -> None:
    """Each installed backend has a row: name, version, distribution, enabled or why not, state and reason (P1)."""
    shown = devbay(
        "backends",
        "--output",
        "json",
        "--backends",
        "mock",
        packages=("devbay-typo", "devbay-late", "devbay-widget"),
        environment=tree(place, "null"),
    )

    rows = {row["name"]: row for row in json.loads(shown.stdout)}
    others = dict.fromkeys(set(OURS) - {"mock"}, ("loaded", False))
    assert {name: (row["state"], row["enabled"]) for name, row in rows.items()} == others | {
        "late": ("rejected", False),
        "mock": ("ready", True),
        "typo": ("rejected", False),
        "widget": ("loaded", False),
    }
    assert rows["mock"]["reason"] == "1 device, 1 healthy: example.com/custom-accelerator"
    assert rows["widget"]["reason"] == "not enabled on node node-a in --backends"
    assert (rows["typo"]["distribution"], rows["typo"]["version"]) == ("devbay-typo", "0.0.1")
    assert "too new" in rows["late"]["reason"]


def test_a_disabled_backend_is_not_imported_by_run(devbay: Devbay, place: Path) -> None:
    """A backend that is not enabled here is never imported, so its import cannot do any harm (P1)."""
    shown = devbay(
        "devices", packages=("devbay-hangimport",), environment={"DEVBAY_BACKENDS": "mock"} | tree(place, "null")
    )

    assert (shown.returncode, shown.stderr) == (0, "")


def test_devices_are_listed(devbay: Devbay, place: Path) -> None:
    """A look at the devices tells of each what it is and how it is, as a table and as JSON (P13)."""
    variables = tree(place, "null") | tree(place, "zero", status="offline")

    (null, zero) = json.loads(devbay("devices", "-o", "json", environment=variables).stdout)
    table = devbay("devices", environment=variables).stdout

    assert (null["id"], null["health"], null["paths"]) == ("null", "healthy", ["/dev/null"])
    assert (zero["id"], zero["health"], zero["reason"]) == ("zero", "unhealthy", "status is offline, not online")
    assert re.search(r"^example.com/custom-accelerator +zero +- +unhealthy .*status is offline", table, re.MULTILINE)
    assert "model=T1000" in table


def test_absent_hardware_is_no_error(devbay: Devbay, place: Path) -> None:
    """A driver that is absent is told, and is no failure of the command."""
    shown = devbay("devices", environment={"DEVBAY_MOCK__ROOT": f"{place}/missing", "DEVBAY_BACKENDS": "mock"})

    assert (shown.returncode, shown.stdout) == (0, "No devices. Asked: mock.\n")
    assert "backend mock is unavailable" in shown.stderr


def test_a_failing_backend_fails_the_look(devbay: Devbay) -> None:
    """A backend that could not be asked makes the command fail, and is named."""
    shown = devbay(
        "devices",
        packages=("devbay-faulty",),
        environment={"DEVBAY_BACKENDS": "faulty", "DEVBAY_FAULTY__FAULT": "raise"},
    )

    assert shown.returncode == 1
    assert "devbay-faulty 0.0.1: discover raised RuntimeError" in shown.stderr


def test_no_backend_for_this_node_is_said(devbay: Devbay) -> None:
    """Where no line matches, the command says so and has no trouble (P2)."""
    shown = devbay("devices", environment={"DEVBAY_BACKENDS": "gpu-*: mock"})

    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout == "No backend is enabled on this node; 'devbay backends' says what is installed.\n"


@pytest.mark.parametrize(
    ("node", "enabled"),
    [("gpu-7", ["mock"]), ("edge-1", []), ("other", ["widget"])],
)
def test_one_variable_serves_a_fleet(devbay: Devbay, node: str, enabled: list[str]) -> None:
    """The first line that matches the node's name says what runs there (P2)."""
    shown = devbay(
        "backends",
        "-o",
        "json",
        "--node-name",
        node,
        packages=("devbay-widget",),
        environment={"DEVBAY_BACKENDS": "gpu-*: mock; edge-*:; *: widget"},
    )

    assert [row["name"] for row in json.loads(shown.stdout) if row["enabled"]] == enabled


@pytest.mark.parametrize("command", ["run", "devices", "backends"])
@pytest.mark.parametrize(
    ("variables", "said"),
    [
        pytest.param(
            {"DEVBAY_BACKENDS": "mcok"},
            "devbay: DEVBAY_BACKENDS: no backend 'mcok' is installed. Did you mean 'mock'? "
            f"Installed: {', '.join(OURS)}.\n",
            id="unknown-backend",
        ),
        pytest.param(
            {"DEVBAY_HEALTH__SCAN_INTERVALL": "4"},
            "did you mean 'DEVBAY_HEALTH__SCAN_INTERVAL'?",
            id="unknown-key",
        ),
        pytest.param({"DEVBAY_HEALTH__SCAN_INTERVAL": "soon"}, "DEVBAY_HEALTH__SCAN_INTERVAL='soon'", id="wrong-type"),
        pytest.param({"DEVBAY_BACKEND": "mock"}, "did you mean DEVBAY_BACKENDS?", id="unknown-variable"),
        pytest.param(
            {"DEVBAY_KUBELET__DIRECTORY": ""}, "kubelet.directory = '': this names no directory", id="no-path"
        ),
        pytest.param({"DEVBAY_CONFIG": "/missing.yaml"}, "/missing.yaml does not exist", id="missing-file"),
    ],
)
def test_a_wrong_setting_starts_nothing(devbay: Devbay, command: str, variables: dict[str, str], said: str) -> None:
    """What cannot be used is one line that names it and the remedy, with exit code 2 (P20)."""
    shown = devbay(command, environment=variables)

    assert shown.returncode == 2
    assert said in shown.stderr
    assert shown.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("health: {scan_intervall: 3}", "health.scan_intervall: unknown key", id="unknown-key"),
        pytest.param("helth: {}", "unknown section 'helth'; did you mean 'health'?", id="unknown-section"),
        pytest.param("health: {scan_interval: fast}", "health.scan_interval = 'fast'", id="wrong-type"),
        pytest.param("health: [", "line 1, column", id="no-yaml"),
        pytest.param("just words", "expected a mapping", id="no-mapping"),
        pytest.param("log: {}\nlog: {}", "stands here twice", id="twice"),
        pytest.param("\udcff", "is not UTF-8", id="no-text"),
    ],
)
def test_a_wrong_file_is_named_with_its_place(devbay: Devbay, place: Path, text: str, said: str) -> None:
    """A file that cannot be used is an error with its name, the place in it and the remedy (P20)."""
    file = place / "config.yaml"
    file.write_bytes(text.encode(errors="surrogateescape"))

    shown = devbay("devices", "--config", str(file))

    assert shown.returncode == 2
    assert str(file) in shown.stderr
    assert said in shown.stderr


def test_an_empty_file_is_no_trouble(devbay: Devbay, place: Path) -> None:
    """An empty configuration means that everything is as it is by default (P20)."""
    (place / "config.yaml").touch()

    shown = devbay("devices", environment={"DEVBAY_CONFIG": f"{place}/config.yaml"} | tree(place, "null"))

    assert shown.returncode == 0


def test_an_unknown_command_is_an_error(devbay: Devbay) -> None:
    """What is no command is answered with how to get help."""
    shown = devbay("simulat")

    assert shown.returncode == 2
    assert "Did you mean" in shown.stderr or "--help" in shown.stderr


def test_the_demo_happens_as_the_readme_shows_it(devbay: Devbay) -> None:
    """The demo plays every part of the story, and the README shows its real output."""
    shown = devbay("demo")
    assert shown.returncode == 0, shown.stderr

    def story(text: str) -> list[str]:
        return re.findall(r"^  ✓ (.*?)  +\d+\.\d ms$", text, re.MULTILINE)

    (recorded,) = re.findall(r"<!-- demo -->\n```\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert story(shown.stdout) == story(recorded)
    assert len(story(recorded)) == 7
    assert shown.stdout.count("devbay ") >= 3


def test_the_demo_names_what_it_lacks(devbay: Devbay, place: Path) -> None:
    """Without a mock backend that can be run there is no story, and the demo says what to do."""
    rival = place / "rival-1.dist-info"
    rival.mkdir()
    (rival / "METADATA").write_text("Metadata-Version: 2.1\nName: rival\nVersion: 1\n")
    (rival / "entry_points.txt").write_text("[devbay.backends.v1]\nmock = rival:Backend\n")

    shown = devbay("demo", environment={"PYTHONPATH": str(place)})

    assert shown.returncode == 2
    assert "the demo needs the mock backend; devbay-mock 0.1.0 and rival 1 are both called 'mock'" in shown.stderr


def test_exit_codes_are_in_the_readme() -> None:
    """The README lists every exit code there is."""
    listed = re.findall(r"^\| (\d) \|", README.read_text(encoding="utf-8"), re.MULTILINE)

    assert sorted(map(int, listed)) == sorted(Exit)


def test_devices_say_what_was_configured_and_is_not_here(devbay: Devbay, place: Path) -> None:
    """P16, P20: names and selectors that mean nothing on this node are said, as the host logs them; no error."""
    (place / "devbay.yaml").write_text(
        "resources:\n"
        "  example.com/other: {policy: pack}\n"
        "  example.com/*: {sharing: {devices: [{select: {modle: x}, replicas: 2}, {select: {id: x}, replicas: 2}]}}\n"
    )
    settings = tree(place, "null") | {"DEVBAY_BACKENDS": "mock"}
    shown = devbay("devices", "--config", f"{place}/devbay.yaml", environment=settings)

    assert shown.returncode == Exit.OK
    assert shown.stderr.splitlines() == [
        "devbay: configured resource example.com/other is not on this node",
        "devbay: example.com/custom-accelerator is shared as far as possible: no device has 'modle' to select by",
        "devbay: example.com/custom-accelerator is shared as far as possible: no device with modle: x",
        "devbay: example.com/custom-accelerator is shared as far as possible: no device with id: x",
    ]
