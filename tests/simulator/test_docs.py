"""What `docs/simulator.md` says is what happens: its commands are typed, its scripts run, its names exist."""

import inspect
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from devbay import simulator
from devbay.cli.simulate.foreground import foreground
from devbay.simulator import Behaviour, Kubelet
from devbay.testing import SimulatedKubelet, plugin
from tests.host.running import short_directory
from tests.house.workspace import ROOT
from tests.simulator.test_by_hand import ask
from tests.simulator.test_command import line_with, simulate
from tests.simulator.test_foreign import FOREIGN, RESOURCE, foreign, may_be_apart
from tests.testing.pages import Block, Reader, blocks

PAGE = (ROOT / "docs/simulator.md").read_text(encoding="utf-8")
SCRIPTS = {"watch.py", "test_plugin.py"}
PLUGINS = "/tmp/plugins"  # noqa: S108 - the page's word, which is never used here
MOCK = "/tmp/mock"  # noqa: S108 - as PLUGINS


def parts(wanted: set[str]) -> Iterator[Block]:
    """Yield the page's blocks that are about these files, or those of the day by hand."""
    for block in blocks(PAGE):
        about = {name for name in SCRIPTS if name in (block.file, *block.text.split())}
        if about == wanted and block.what != "apart":
            yield block


@contextmanager
def reader() -> Iterator[Reader]:
    """Give a reader a folder, and places for what the page has in /tmp."""
    with short_directory() as place:
        elsewhere = {PLUGINS: f"{place}/plugins", MOCK: f"{place}/mock"}
        with Reader(place, place / "plugins", {}, elsewhere) as one:
            yield one


@pytest.mark.parametrize("script", [set(), *({name} for name in sorted(SCRIPTS))], ids=["by-hand", *sorted(SCRIPTS)])
def test_the_page_is_true(script: set[str]) -> None:
    """The day by hand, the script and the tests are typed as they stand, beside a real host with the mock backend."""
    with reader() as one:
        for block in parts(script):
            one.follow(block)


@pytest.mark.skipif(not may_be_apart(), reason="needs a mount namespace of its own")
async def test_a_fixed_path_is_had_as_the_page_says(directory: Path) -> None:
    """The page's lines for a plugin that knows only the kubelet's own path serve one, to the letter."""
    (lines,) = (block.text for block in blocks(PAGE) if block.what == "apart")
    line = lines.replace(PLUGINS, str(directory)).replace("my-plugin --flag", " ".join(FOREIGN))
    async with simulate(directory) as process:
        await line_with(process, "waiting for device plugins")
        async with foreign("sh", "-c", f"exec {line}"):
            await line_with(process, f"{RESOURCE} lists 2 healthy")
            code, out, _ = await ask(directory, "pod", "create", "p", "--limit", f"{RESOURCE}=1")

    assert (code, "Running" in out) == (0, True)


def test_the_options_of_the_page_are_those_of_the_command() -> None:
    """The page has each option of the kubelet's with its default, and none that is not there."""
    listed = {re.findall(r"--[a-z-]+", line)[0] for line in re.findall(r"^\| `--.*$", PAGE, re.MULTILINE)}
    real = {option.opts[0] for option in foreground.params if option.opts[0].startswith("--")}

    assert listed == real - {"--scenario", "--tree", "--resource", "--limit"}


def test_the_arguments_of_the_page_are_those_of_the_object() -> None:
    """The page explains each argument of a `Kubelet`, and no other."""
    (table,) = re.findall(r"^\| argument \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    listed = [name for line in table.splitlines() for name in re.findall(r"`(\w+)`", line.split("|")[1])]
    mentioned = {"behaviour": "`behaviour` replaces single points of it"}
    real = list(inspect.signature(Kubelet).parameters)

    assert sorted(listed + list(mentioned)) == sorted(real)
    assert all(words in table for words in mentioned.values())


def test_the_fixtures_of_the_page_are_those_of_the_kit() -> None:
    """The page lists each fixture that pytest gets from devbay, and the methods that it names are there."""
    (table,) = re.findall(r"^\| fixture \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    listed = [line.split("`")[1] for line in table.splitlines()]
    real = [name for name, value in vars(plugin).items() if type(value).__name__ == "FixtureFunctionDefinition"]
    methods = re.findall(r"`(\w+)`", table.splitlines()[0].partition(":")[2])

    assert sorted(listed) == sorted(real)
    assert [name for name in methods if name != "kubelet" and not hasattr(SimulatedKubelet, name)] == []


def test_the_names_of_the_page_exist() -> None:
    """What the page says of a `Kubelet` in its list of members is there."""
    (members,) = re.findall(r"^- `capacity` and.*?(?=\n### )", PAGE, re.MULTILINE | re.DOTALL)
    names = set(re.findall(r"(?:kubelet\.|`)(\w+)(?:\([\w=]*\))?(?='s|`)", members))
    known = set(dir(Kubelet)) | set(dir(simulator)) | set(dir(simulator.ContainerStatus))

    assert len(names) > 20
    assert names <= known


@pytest.mark.parametrize(
    ("version", "column"),
    [("1.32", 1), ("1.34", 2), ("1.35", 2), ("1.36", 3), ("1.37", 4)],
    ids=lambda value: f"{value}",
)
def test_the_versions_of_the_page_are_those_of_the_simulator(version: str, column: int) -> None:
    """The table of what differs between releases says what `Behaviour` chooses."""
    (table,) = re.findall(r"^\| \| 1\.32 and before \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    overlap, cleanup, detached, get, active, health, hints = [line[column] for line in cells]
    behaviour = Behaviour.of(version)

    assert ("keyed" in overlap) == (behaviour.overlap == "keyed")
    assert cleanup.startswith("all files") == (behaviour.cleanup == "files")
    assert (detached == "goes on") == behaviour.detached_registration
    assert (get == "answers") == behaviour.pod_resources_get
    assert (active == "no") == behaviour.list_active_pods
    assert (health == "yes") == behaviour.resource_health
    assert ("with devices" not in hints) == behaviour.hints_on_all_nodes


def test_a_block_that_nobody_types_is_noticed() -> None:
    """Each marked block of the page belongs to one of the readings above."""
    read = [block for script in (set(), *({name} for name in SCRIPTS)) for block in parts(script)]

    assert sorted(read) == sorted(block for block in blocks(PAGE) if block.what != "apart")
