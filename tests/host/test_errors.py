"""Errors, each named by who must act: their family, and that the base is only for catching."""

import ast
import inspect
from pathlib import Path

import pytest

from devbay import api, errors

HOST = Path(errors.__file__).parent
CLASSES = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_is_ours_and_says_who_must_act(kind: type[Exception]) -> None:
    """Whoever catches `DevbayError` catches all of ours, and each says in a sentence whose turn it is."""
    assert issubclass(kind, errors.DevbayError)
    assert len((kind.__doc__ or "").split()) > 3


def test_the_leaves_of_allocation() -> None:
    """What can be wrong with a request is caught in one place, whatever it is (P14)."""
    assert {kind for kind in CLASSES if issubclass(kind, errors.AllocationError)} == {
        errors.AllocationError,
        errors.DeliveryError,
        errors.TooManyShares,
        errors.UnknownDevice,
        errors.UnhealthyDevice,
    }


@pytest.mark.parametrize("base", ["DevbayError", "AllocationError"])
def test_bases_are_never_raised(base: str) -> None:
    """An error that says nothing about who must act is never raised."""
    raised = [
        f"{path.name}:{node.lineno}"
        for path in HOST.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Raise) and base in ast.dump(node).split("'")
    ]

    assert raised == []


def test_backend_authors_have_the_one_error_they_need() -> None:
    """What a backend raises where there is no hardware is on the page it imports."""
    assert api.BackendUnavailable is errors.BackendUnavailable
