"""The two pages that a backend author reads say what they must, and change only on purpose."""

import inspect
import itertools
from collections.abc import Callable
from types import FunctionType

import pytest

from devbay import api, hookspecs
from tests.house.workspace import ROOT

HOOKS = [
    value
    for name, value in vars(hookspecs).items()
    if isinstance(value, FunctionType) and hasattr(value, f"{hookspecs.PROJECT}_spec")
]


def test_the_api_is_pinned() -> None:
    """What a backend author imports changes only together with this list, and then with the changelog."""
    assert sorted(api.__all__) == [
        "API_VERSION",
        "Attribute",
        "BackendSettings",
        "BackendUnavailable",
        "ContainerEdits",
        "Device",
        "DeviceNode",
        "HEALTHY",
        "Health",
        "Hook",
        "Mount",
        "Node",
        "hookimpl",
        "unhealthy",
    ]


def test_the_api_is_all_that_the_page_offers() -> None:
    """Nothing public is in `devbay.api` by accident: beside ``__all__`` there are only modules it had to import."""
    offered = {name for name, value in vars(api).items() if not name.startswith("_") and not inspect.ismodule(value)}

    assert offered == set(api.__all__)


def test_the_api_fits_one_screen() -> None:
    """A person sees all of it at once."""
    assert len((ROOT / "host/src/devbay/api.py").read_text(encoding="utf-8").splitlines()) <= 70


def test_the_hooks_are_pinned() -> None:
    """A hook or an argument that goes, or changes its place in the story, breaks packages that we never see."""
    assert {hook.__name__: list(inspect.signature(hook).parameters) for hook in HOOKS} == {
        "settings": [],
        "discover": ["node", "settings"],
        "check": ["node", "settings", "devices"],
        "watch": ["node", "settings", "wake", "stop"],
        "affinity": ["node", "settings", "a", "b"],
        "explain": ["node", "settings", "device"],
        "edit": ["node", "settings", "resource", "devices"],
        "prepare": ["node", "settings", "resource", "devices"],
        "release": ["node", "settings", "resource", "devices"],
        "close": [],
    }


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook.__name__)
def test_a_hook_says_what_its_author_asks(hook: Callable[..., object]) -> None:
    """What it is for and whether it is required, first; then when and in which thread it is called; all annotated."""
    first, *rest = inspect.cleandoc(hook.__doc__ or "").split("\n\n")
    required = hook.__name__ in hookspecs.REQUIRED_HOOKS

    assert first.endswith("Required." if required else "Optional.")
    assert "thread" in " ".join(rest).lower()
    annotations = inspect.get_annotations(hook)
    assert set(annotations) == {*inspect.signature(hook).parameters, "return"}


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook.__name__)
def test_a_hook_says_what_becomes_of_an_error(hook: Callable[..., object]) -> None:
    """The author of a hook reads what to raise, or what comes of it; `close` is the last call, and nothing does."""
    words = (hook.__doc__ or "").lower()

    assert hook.__name__ == "close" or "rais" in words or "error" in words


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook.__name__)
def test_a_hook_has_one_answer(hook: Callable[..., object]) -> None:
    """A backend has a plugin manager of its own: an answer is a value, never a list of them."""
    assert getattr(hook, f"{hookspecs.PROJECT}_spec")["firstresult"] is True


def test_the_hooks_follow_a_device_through_its_life() -> None:
    """The page reads from loading to the end, whatever is added to it."""
    order = [[hook.__name__ for hook in HOOKS].index(name) for name in ("settings", "discover", "edit", "close")]

    assert all(before < after for before, after in itertools.pairwise(order))
