"""The hook `explain`: a backend's own words about a device, for a person, and never in the host's way."""

import pytest

from devbay.api import Device
from devbay.contract import ContractViolation, accept_explanation
from devbay.errors import BackendBug
from tests.host.test_runner import CALM, WIDGET, at_work


async def test_a_backend_says_why_a_device_is_here() -> None:
    """What it returns is what is shown; the device is the one that was found."""

    def explain(device: Device) -> str:
        return f"found {device.id}\nby chance\n"

    async with at_work(CALM, explain=explain) as running:
        assert await running.runner.explain(WIDGET) == "found w0\nby chance"


async def test_the_hook_is_optional() -> None:
    """A backend without it, or that has nothing to add, says nothing."""
    async with at_work(CALM) as running:
        assert await running.runner.explain(WIDGET) == ""
    async with at_work(CALM, explain=lambda: None) as running:
        assert await running.runner.explain(WIDGET) == ""


async def test_what_it_raises_is_named() -> None:
    """P3: a mistake in it is its author's, with distribution and version, and ends nothing."""

    def explain() -> str:
        raise OSError("no such file")

    async with at_work(CALM, explain=explain) as running:
        with pytest.raises(BackendBug, match="explain raised OSError: no such file"):
            await running.runner.explain(WIDGET)


@pytest.mark.parametrize(
    ("answer", "text"),
    [(None, ""), (" a \n b ", "a \n b"), ("bell\a", "bell�"), ("\x1b[31mred", "�[31mred"), ("x" * 9999, "x" * 4000)],
)
def test_an_explanation_is_text_that_a_terminal_can_take(answer: str | None, text: str) -> None:
    """Whatever a driver's file holds reaches the terminal as letters, and not as commands."""
    assert accept_explanation(answer) == text


def test_what_is_no_text_is_refused() -> None:
    """An answer of another type is a breach of the contract, and says so."""
    with pytest.raises(ContractViolation, match="explain returned int 3 instead of text"):
        accept_explanation(3)
