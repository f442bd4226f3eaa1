"""Finding and loading backends: each alone, and a clear sentence for each that cannot be run (P1)."""

import importlib.metadata
import re
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from devbay import hookspecs, plugins, threads
from devbay.api import BackendSettings, hookimpl
from devbay.model import Device, Node
from devbay.plugins import Backend, Installed, Rejected
from tests import host
from tests.host import PATIENCE
from tests.packages import NAMES, Site

NODE = Node(name="node-a")


@pytest.fixture
def visible(broken_site: Site) -> Iterator[Callable[..., list[str]]]:
    """Let a test make distributions importable; afterwards none of them was ever there."""
    path, modules = list(sys.path), set(sys.modules)

    def show(*names: str) -> list[str]:
        paths = broken_site.paths(*names)
        sys.path[:0] = paths
        return paths

    yield show
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name.startswith("devbay_"):
            del sys.modules[name]


Visible = Callable[..., list[str]]


def find(*paths: str) -> tuple[dict[str, Installed], tuple[Rejected, ...]]:
    """Return what is installed in these places."""
    found, rejected = plugins.find(importlib.metadata.distributions(path=list(paths)))
    return dict(found), rejected


async def load(name: str, *paths: str, deadline: float = PATIENCE) -> Backend | Rejected:
    """Find a backend by its name and load it."""
    return await plugins.load(find(*paths)[0][name], deadline)


async def rejection(deadline: float = PATIENCE, **hooks: object) -> str:
    """Return why a backend with these attributes is rejected."""
    loaded = await plugins.load(host.installed(SimpleNamespace(**hooks)), deadline)
    assert isinstance(loaded, Rejected)
    return loaded.reason


@hookimpl
def nothing() -> None:
    """Implement some hook."""


# Finding.


def test_nothing_is_imported_to_be_found(broken_site: Site) -> None:
    """P1: what is installed is known from metadata: no distribution, good or broken, is imported for it."""
    before = set(sys.modules)
    found, rejected = find(*broken_site.paths(*NAMES))

    assert {
        "widget",
        "gadget",
        "faulty",
        "faulty-b",
        "faulty-c",
        "hangimport",
        "exitimport",
        "noimport",
    } <= found.keys()
    assert {r.name for r in rejected} == {"early", "late", "namesake", "config", "deadlines"}
    assert set(sys.modules) == before


def test_installed(broken_site: Site) -> None:
    """P1: a backend is known by its entry point's name, and whose it is in which version."""
    found, rejected = find(*broken_site.paths("devbay-widget"))

    assert {name: str(one) for name, one in found.items()} == {"widget": "devbay-widget 0.0.1"}
    assert rejected == ()


def test_generations(broken_site: Site) -> None:
    """P1: a backend of another generation is too old or too new, and the reason says who must be upgraded."""
    _, (early, late) = find(*broken_site.paths("devbay-early", "devbay-late"))

    assert early.reason.startswith(
        "is too old: it implements generation 0 of the backend contract, this host 1; upgrade it"
    )
    assert late.reason.endswith("generation 2 of the backend contract, this host 1; upgrade devbay")


def test_a_clash_of_names(broken_site: Site) -> None:
    """P1: of two distributions with one name neither is chosen, and each one's reason names both."""
    found, rejected = find(*broken_site.paths("devbay-namesake-b", "devbay-widget", "devbay-namesake-a"))

    assert list(found) == ["widget"]
    assert [r.distribution for r in rejected] == ["devbay-namesake-a", "devbay-namesake-b"]
    assert {r.reason for r in rejected} == {
        "devbay-namesake-a 0.0.1 and devbay-namesake-b 0.0.1 are both called 'namesake'; uninstall one of them"
    }


def test_alone_a_namesake_is_fine(broken_site: Site) -> None:
    """P1: uninstalling one of the two helps."""
    assert list(find(*broken_site.paths("devbay-namesake-a"))[0]) == ["namesake"]


def test_the_same_distribution_in_two_places(broken_site: Site) -> None:
    """P1: a distribution that stands twice on the path is one: what is imported is the first."""
    twice = broken_site.paths("devbay-widget") * 2

    assert (list(find(*twice)[0]), find(*twice)[1]) == (["widget"], ())


def test_words_of_the_configuration_are_no_names(broken_site: Site) -> None:
    """P1, P20: a backend cannot be called as a section of the host's configuration is."""
    found, rejected = find(*broken_site.paths("devbay-reserved"))

    assert found == {}
    assert all(f"the name {r.name!r} is taken" in r.reason for r in rejected)


def distribution(root: Path, **files: bytes) -> str:
    """Write a distribution's metadata as a damaged installation leaves it."""
    folder = root / "devbay_damaged-1.0.dist-info"
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name.replace("_txt", ".txt")).write_bytes(content)
    return str(root)


METADATA = b"Metadata-Version: 2.1\nName: devbay-damaged\nVersion: 1.0\n"
ENTRY_POINTS = b"[devbay.backends.v1]\ndamaged = devbay_damaged:Backend\n"


@pytest.mark.parametrize(
    "entry_points",
    [b"[devbay.backends.v1]\ndamaged\n", b"[devbay.backends.v1]\ndamaged = \xff\n"],
    ids=["form", "bytes"],
)
def test_damaged_entry_points(tmp_path: Path, broken_site: Site, entry_points: bytes) -> None:
    """P1: a distribution whose entry points cannot be read is named, and hides no other."""
    damaged = distribution(tmp_path, METADATA=METADATA, entry_points_txt=entry_points)
    found, (rejected,) = find(damaged, *broken_site.paths("devbay-widget"))

    assert list(found) == ["widget"]
    assert str(rejected) == "devbay-damaged 1.0"
    assert rejected.reason.startswith("its entry points cannot be read: ")


def test_damaged_metadata(tmp_path: Path, broken_site: Site) -> None:
    """P1: a distribution that has lost its name and version is found all the same, each such one for itself."""
    other = distribution(tmp_path / "other", entry_points_txt=ENTRY_POINTS.replace(b"damaged =", b"other ="))
    damaged = distribution(tmp_path / "one", entry_points_txt=ENTRY_POINTS)
    found, rejected = find(damaged, other, *broken_site.paths("devbay-widget"))

    assert (list(found), rejected) == (["damaged", "other", "widget"], ())
    assert str(found["damaged"]) == f"unknown ({tmp_path / 'one'}) unknown version"


@pytest.mark.parametrize("name", ["Widget", "my widget", "a,b", "a__b", "-a", "a-", "größe", "1a"])
def test_illegal_names(tmp_path: Path, name: str) -> None:
    """P1, P2: a name that neither a list of backends nor a variable could hold is refused before anyone uses it."""
    text = f"[devbay.backends.v1]\n{name} = devbay_damaged:Backend\n".encode()
    found, (rejected,) = find(distribution(tmp_path, METADATA=METADATA, entry_points_txt=text))

    assert found == {}
    assert f"the name {name!r} is illegal" in rejected.reason


# Loading.


@pytest.mark.parametrize(
    ("package", "reason"),
    [
        (
            "noimport",
            r"does not load: ModuleNotFoundError: No module named 'no_such_vendor_library' \(.*noimport\.py:3\)",
        ),
        ("exitimport", r"does not load: SystemExit: devbay_exitimport is not for importing \(.*exitimport\.py:5\)"),
        (
            "noattribute",
            r"does not load: AttributeError: module 'devbay_noattribute' has no attribute 'Backend' \(.*\)",
        ),
        ("needy", r"does not load: TypeError: Backend\.__init__\(\) missing 1 required .* argument: 'library' \(.*\)"),
        ("unmarked", r"has no hook discover and no edit; a backend needs both, marked with devbay\.api\.hookimpl"),
        ("noedit", r"has no hook edit; a backend needs both, marked with devbay\.api\.hookimpl"),
        ("typo", r"implements an unknown hook 'chekc'; did you mean 'check'\?"),
        ("argument", r"Plugin 'argument' for hook 'edit' .* \{'device_ids'\} are declared .* can not be found .*"),
    ],
)
async def test_one_that_does_not_fit(visible: Visible, package: str, reason: str) -> None:
    """P1: each way to be no backend has a sentence that names it; the one beside it loads."""
    paths = visible(f"devbay-{package}", "devbay-widget")
    rejected, good = await load(package, *paths), await load("widget", *paths)

    assert isinstance(good, Backend)
    assert isinstance(rejected, Rejected)
    assert (rejected.name, str(rejected)) == (package, f"devbay-{package} 0.0.1")
    assert re.fullmatch(reason, rejected.reason)


async def test_one_that_hangs_while_it_is_imported(visible: Visible) -> None:
    """P3: an import that never ends is given up at its deadline; one beside it loads meanwhile."""
    paths = visible("devbay-hangimport", "devbay-gadget")
    rejected = await load("hangimport", *paths, deadline=0.1)

    assert isinstance(rejected, Rejected)
    assert rejected.reason == (
        "loading did not answer within 0.1 s; it blocks while it is imported or asked for its settings"
    )
    assert isinstance(await load("gadget", *paths), Backend)


async def test_a_class_and_a_module(visible: Visible) -> None:
    """P1: a backend is an object made of a class, or a module; its hooks are what it has, and no more."""
    paths = visible("devbay-widget", "devbay-gadget")
    widget, gadget = await load("widget", *paths), await load("gadget", *paths)

    assert isinstance(widget, Backend)
    assert isinstance(gadget, Backend)
    assert widget.hooks == {"settings", "discover", "edit"}
    assert gadget.hooks == {"discover", "edit"}
    assert gadget.discover(NODE, {}) == [Device(id="gadget-0", resource="example.com/gadget")]


async def test_backends_do_not_meet(visible: Visible) -> None:
    """P1: each backend's hooks reach that backend alone, though all implement the same ones."""
    loaded = [await load(name, *visible("devbay-faulty")) for name in ("faulty", "faulty-b")]
    found = [one.discover(NODE, one.settings_type()) for one in loaded if isinstance(one, Backend)]

    assert [[device.id for device in devices] for devices in found if isinstance(devices, list)] == [
        ["faulty-0"],
        ["faulty-b-0"],
    ]


async def test_only_the_named_arguments_are_given() -> None:
    """A hook may name fewer arguments than the contract has, in any order: that is how the contract can grow."""
    backend = await host.backend(
        discover=lambda settings, node: [settings, node], edit=lambda devices: devices, check=lambda: "checked"
    )

    assert backend.discover(NODE, {"a": 1}) == [{"a": 1}, NODE]
    assert backend.edit(NODE, {}, "r", ["d"]) == ["d"]  # type: ignore[list-item]  # handed through as it is
    assert backend.check(NODE, {}, []) == "checked"


async def test_every_hook_can_be_called() -> None:
    """The typed methods reach the hooks of their names."""
    names = ("discover", "check", "edit", "watch", "prepare", "close")
    backend = await host.backend(**{name: (lambda name=name: name) for name in names})
    stop = threading.Event()

    assert backend.hooks == set(names)
    assert backend.watch(NODE, {}, stop.set, stop) == "watch"
    assert backend.prepare(NODE, {}, "r", []) == "prepare"
    assert backend.close() == "close"


# Settings types.


class Section(BackendSettings, frozen=True):
    """A good section."""

    count: int = 1


@dataclass
class PlainSection:
    """A good section, as a dataclass."""

    count: int = 1


class Needy(BackendSettings, frozen=True):
    """A section that cannot be empty."""

    count: int


class Unreadable(BackendSettings, frozen=True):
    """A section with a value that no file can hold."""

    place: "Nowhere" = None  # type: ignore[name-defined]  # noqa: F821 - wrong on purpose


@dataclass
class Exploding:
    """A section that refuses to be empty."""

    count: int = 0

    def __post_init__(self) -> None:
        """Refuse."""
        raise RuntimeError("not without a count")


@pytest.mark.parametrize("kind", [Section, PlainSection])
async def test_settings_types(kind: type) -> None:
    """P20: a section's type is a `BackendSettings` or a dataclass."""
    backend = await host.backend(discover=list, edit=lambda: None, settings=lambda: kind)

    assert backend.settings_type is kind


async def test_no_settings() -> None:
    """A backend without the hook gets an empty `dict`."""
    backend = await host.backend(discover=list, edit=lambda: None)

    assert backend.settings_type() == {}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(42, "its settings hook returned 42 instead of a type", id="number"),
        pytest.param(Section(), "its settings hook returned Section(count=1) instead of a type", id="object"),
        pytest.param(int, "its settings type int is neither a devbay.api.BackendSettings nor a dataclass", id="int"),
        pytest.param(dict[str, int], "its settings hook returned dict[str, int] instead of a type", id="alias"),
        pytest.param(Needy, "its settings type Needy needs a default for every field: ", id="no-default"),
        pytest.param(
            Unreadable, "its settings type Unreadable cannot be read from a file: NameError: ", id="annotation"
        ),
        pytest.param(Exploding, "does not load: RuntimeError: not without a count", id="exploding"),
    ],
)
async def test_types_that_are_no_section(answer: object, reason: str) -> None:
    """P1: what `settings` returns is judged when the backend is loaded, so that nothing surprises later."""
    said = await rejection(discover=nothing, edit=nothing, settings=hookimpl(lambda: answer))

    assert said.startswith(reason)


async def test_settings_that_raise() -> None:
    """P1: a settings hook that raises, even to exit, rejects its backend with what it raised and where."""

    @hookimpl
    def settings() -> type:
        sys.exit("no settings today")

    reason = await rejection(discover=nothing, edit=nothing, settings=settings)

    assert reason.startswith("does not load: SystemExit: no settings today (")
    assert "test_plugins.py:" in reason


async def test_settings_that_hang() -> None:
    """P3: a settings hook has a deadline as the import has."""
    forever = threading.Event()
    reason = await rejection(0.05, discover=nothing, edit=nothing, settings=hookimpl(lambda: forever.wait(PATIENCE)))
    forever.set()

    assert reason.startswith("loading did not answer within 0.05 s")


async def test_an_unknown_hook_lists_the_known() -> None:
    """P1: a hook whose name is like none gets told all the names."""
    reason = await rejection(discover=nothing, edit=nothing, frobnicate=nothing)

    assert reason == f"implements an unknown hook 'frobnicate'; hooks are: {', '.join(HOOKS)}"


HOOKS = sorted(name for name, value in vars(hookspecs).items() if hasattr(value, "devbay_spec"))


# What exceptions say.


class Speechless(Exception):  # noqa: N818 - its name is what it is
    """An exception that cannot even be shown."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("a\n  b"), "ValueError: a b"),
        (ValueError(), "ValueError"),
        (SystemExit(3), "SystemExit: 3"),
        (Speechless(), "Speechless"),
        (None, "NoneType: None"),
    ],
)
def test_describe(error: BaseException | None, text: str) -> None:
    """P24: whatever was raised becomes one line that says what."""
    assert threads.describe(error) == text


def test_describe_says_where() -> None:
    """P1: a person who reads of an error learns which line raised it."""
    with pytest.raises(FileNotFoundError) as caught:
        Path("/nonexistent").stat()

    assert re.fullmatch(r"FileNotFoundError: \[Errno 2\] .* \(.*pathlib.*\.py:\d+\)", threads.describe(caught.value))
