"""The configurations that the documentation shows can be used as they stand (P20)."""

import re
from pathlib import Path

import pytest

from devbay.sources import read
from tests.house.workspace import ROOT

BLOCK = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHOWN = [
    pytest.param(page, block, id=f"{page.stem}-{number}")
    for page in (ROOT / "docs/sharing.md", ROOT / "docs/cdi.md")
    for number, block in enumerate(BLOCK.findall(page.read_text(encoding="utf-8")))
]


@pytest.mark.parametrize(("page", "block"), SHOWN)
def test_what_is_shown_is_understood(page: Path, block: str) -> None:
    """P20: every configuration on these pages is read without a complaint, and says something of a resource."""
    assert read(block, page.name, {}).settings().rules().rules


def test_something_is_shown() -> None:
    """The pages have not lost their examples."""
    assert len(SHOWN) > 3
