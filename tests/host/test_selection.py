"""Which backends run on which node: every form of the text, and what is said where it cannot be meant (P2)."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbay.errors import ConfigError
from devbay.selection import Choice, parse

INSTALLED = ("mock", "nvidia", "sriov", "udev")
SOURCE = "DEVBAY_BACKENDS"
KNOWN = "Installed: mock, nvidia, sriov, udev."
Value: TypeAlias = str | Sequence[str] | Mapping[str, str | Sequence[str]]


def choose(value: Value, node: str = "gpu-7", installed: Sequence[str] = INSTALLED) -> Choice:
    """Return what a value means on a node."""
    return parse(value, SOURCE).on(node, installed)


@pytest.mark.parametrize(
    ("value", "enabled"),
    [
        pytest.param("nvidia", ("nvidia",), id="one"),
        pytest.param("sriov,nvidia", ("nvidia", "sriov"), id="list"),
        pytest.param(" nvidia , sriov ,", ("nvidia", "sriov"), id="loose-commas"),
        pytest.param("nvidia\nsriov\n", ("nvidia", "sriov"), id="lines-of-names"),
        pytest.param("nvidia;sriov", ("nvidia", "sriov"), id="semicolon-between-names"),
        pytest.param("nvidia,nvidia", ("nvidia",), id="twice"),
        pytest.param("*", INSTALLED, id="all"),
        pytest.param("nvidia,*", INSTALLED, id="all-and-one"),
        pytest.param("", INSTALLED, id="nothing-said"),
        pytest.param(" \n ;\n", INSTALLED, id="nothing-but-space"),
        pytest.param(["nvidia", "sriov"], ("nvidia", "sriov"), id="yaml-list"),
        pytest.param(["*"], INSTALLED, id="yaml-list-all"),
        pytest.param([], (), id="yaml-empty-list"),
    ],
)
def test_lists_count_on_every_node(value: Value, enabled: tuple[str, ...]) -> None:
    """P2: a list without node patterns is about every node; nothing said means all, an empty list means none."""
    assert choose(value) == Choice(enabled=enabled, line="*")


@pytest.mark.parametrize(
    ("value", "node", "enabled", "line"),
    [
        pytest.param("gpu-*: nvidia,sriov; *: mock", "gpu-7", ("nvidia", "sriov"), "gpu-*", id="design-gpu"),
        pytest.param("gpu-*: nvidia,sriov; *: mock", "cpu-1", ("mock",), "*", id="design-other"),
        pytest.param("gpu-*: nvidia\n*: mock\n", "cpu-1", ("mock",), "*", id="newlines"),
        pytest.param("*: mock; gpu-*: nvidia", "gpu-7", ("mock",), "*", id="first-match-wins"),
        pytest.param("a, b*: mock; *: udev", "b2", ("mock",), "a, b*", id="several-patterns"),
        pytest.param("gpu-[0-6]: mock; gpu-?: udev", "gpu-7", ("udev",), "gpu-?", id="glob-classes"),
        pytest.param("gpu-*: *", "gpu-7", INSTALLED, "gpu-*", id="all-here"),
        pytest.param("gpu-*:; *: mock", "gpu-7", (), "gpu-*", id="none-here"),
        pytest.param("GPU-*: mock", "gpu-7", (), "", id="case-matters"),
        pytest.param("gpu: mock", "gpu-7", (), "", id="whole-name"),
        pytest.param("cpu-*: mock", "gpu-7", (), "", id="no-line-matches"),
        pytest.param({"gpu-*": "nvidia, sriov", "*": "mock"}, "gpu-7", ("nvidia", "sriov"), "gpu-*", id="yaml-text"),
        pytest.param({"gpu-*": ["sriov", "nvidia"]}, "gpu-7", ("nvidia", "sriov"), "gpu-*", id="yaml-lists"),
        pytest.param({"*": "mock", "gpu-*": "nvidia"}, "gpu-7", ("mock",), "*", id="yaml-order"),
        pytest.param({"a, gpu-*": []}, "gpu-7", (), "a, gpu-*", id="yaml-none-here"),
        pytest.param({}, "gpu-7", (), "", id="yaml-no-lines"),
        pytest.param(["gpu-*: nvidia", "*: mock"], "cpu-1", ("mock",), "*", id="yaml-list-of-lines"),
        pytest.param("node.example.com: mock", "node.example.com", ("mock",), "node.example.com", id="dotted"),
    ],
)
def test_lines_are_about_nodes(value: Value, node: str, enabled: tuple[str, ...], line: str) -> None:
    """P2: the first line that matches the node's name counts, in text and in YAML; without one nothing runs."""
    assert choose(value, node) == Choice(enabled=enabled, line=line)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        pytest.param(
            "nvidai",
            "no backend 'nvidai' is installed. Did you mean 'nvidia'? Installed: mock, nvidia, sriov, udev.",
            id="near",
        ),
        pytest.param("x; y", "no backend 'x' is installed. Installed: mock, nvidia, sriov, udev.", id="far"),
        pytest.param("*,x", "no backend 'x' is installed.", id="beside-all"),
        pytest.param({"gpu-*": "x"}, "no backend 'x' is installed.", id="this-nodes-line"),
        pytest.param("Nvidia", "no backend 'Nvidia' is installed. Did you mean 'nvidia'?", id="case"),
        pytest.param("nvidia sriov", "'nvidia sriov' is one name with a space in it", id="no-comma"),
        pytest.param("gpu-* cpu: mock", "'gpu-* cpu' is one name with a space in it", id="no-comma-in-pattern"),
        pytest.param(
            "gpu-*: nvidia; mock",
            "the line 'mock' has no node pattern, while others have; write 'node-pattern: mock', or '*: mock'",
            id="a-line-without-pattern",
        ),
        pytest.param(": mock", "the line for mock has an empty node pattern", id="empty-pattern"),
        pytest.param(" , : mock", "the line for mock has an empty node pattern", id="only-commas"),
        pytest.param({"": ["mock"]}, "the line for mock has an empty node pattern", id="yaml-empty-pattern"),
        pytest.param(["a: mock", "udev"], "the line 'udev' has no node pattern", id="yaml-mixed-list"),
    ],
)
def test_what_cannot_be_meant(value: Value, said: str) -> None:
    """P2: an error says where the text stood, what is wrong in it, and what would be right."""
    with pytest.raises(ConfigError) as caught:
        choose(value)

    assert str(caught.value).startswith(f"{SOURCE}: {said}")


def test_nothing_is_installed() -> None:
    """P2: the list of what is known is written even where it is empty."""
    with pytest.raises(ConfigError, match=r"no backend 'mock' is installed\. Installed: none\."):
        choose("mock", installed=())


def test_another_nodes_unknown_name_only_warns() -> None:
    """P2: a name that another node's line has, and that is not installed here, stops nothing here."""
    choice = choose("gpu-*: nvidia; fpga-*: fpga, *; *: mokc")

    assert (choice.enabled, choice.line) == (("nvidia",), "gpu-*")
    assert choice.warnings == (
        (
            f"DEVBAY_BACKENDS: no backend 'fpga' is installed. {KNOWN} To have it, install its package: "
            "pip install devbay-fpga (in the line for fpga-*, not this node's)"
        ),
        (
            f"DEVBAY_BACKENDS: no backend 'mokc' is installed. Did you mean 'mock'? {KNOWN} "
            "(in the line for *, not this node's)"
        ),
    )


def test_warnings_come_where_no_line_matches_too() -> None:
    """P2: a node that no line is about still hears of unknown names in others'."""
    choice = choose("cpu: fpga")

    assert (choice.enabled, choice.line, len(choice.warnings)) == ((), "", 1)


@given(st.text("ab*,:; \n", max_size=20) | st.lists(st.text("ab*,: ", max_size=5)), st.sampled_from(["a", "b", "ab"]))
def test_any_text_is_understood_or_refused(value: str | list[str], node: str) -> None:
    """P2: whatever is written, it selects from what is installed or is the operator's error, never anything else."""
    refused, enabled = "", tuple[str, ...]()
    try:
        enabled = choose(value, node, ("a", "b")).enabled
    except ConfigError as error:
        refused = str(error)

    assert set(enabled) <= {"a", "b"}
    assert refused == "" or refused.startswith(f"{SOURCE}: ")
