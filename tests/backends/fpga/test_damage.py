"""One board with any damage, before or after it was known, beside others: it costs itself and no other (P13)."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devbay.contract import accept_edits
from devbay.testing import DIRECTORY, FakeNode, Tree
from devbay.testing.node import Entry
from devbay_fpga import Backend, Settings
from tests.backends.fpga import trees
from tests.backends.fpga.conftest import Asked

DAMAGED = {
    "dfl": trees.dfl(ports=[trees.AFU, trees.OTHER_AFU]),
    "opae": trees.opae(),
    "xrt": trees.Card().tree,
    "ama": trees.ma35(),
    "recorded": trees.recorded() | {"/dev/dfl-port.0": "", "/dev/dfl-fme.0": ""},
}
HEALTHY = trees.U50_CARD.tree | trees.dfl(4, [trees.AFU], address="0000:af:00.0")
"""What is beside it."""

OFFERED = {"0000:05:00.1": trees.U50, "dfl-port.4": trees.AF}
ENTRIES: list[Entry | None] = ["", "\n", b"\xff\x00\xfe", "0xffffffffffffffff\n", "-1\n", "f" * 32, DIRECTORY, None]
"""What stands in a file's place; None: nothing."""


def broken(tree: Tree, changes: dict[str, Entry | None]) -> Tree:
    """Return a tree in which some entries are others, or none."""
    return {path: changes.get(path, entry) for path, entry in tree.items() if changes.get(path, entry) is not None}  # type: ignore[misc]  # None is left out


@pytest.mark.parametrize("name", DAMAGED)
@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_damage_stays_where_it_is(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, name: str) -> None:
    """Whatever is wrong with one board's files, nothing is raised, and its neighbours have their names and are well."""
    tree = DAMAGED[name]
    changes = data.draw(st.dictionaries(st.sampled_from(sorted(tree)), st.sampled_from(ENTRIES), min_size=1))
    node = FakeNode(Path(tmp_path_factory.mktemp("node")))
    backend, chosen = Backend(), msgspec.convert({"mode": data.draw(st.sampled_from(["af", "region"]))}, Settings)
    rule = {"select": {"pci_address": "0000:af:00.0"}, "mode": "af"}
    asked = Asked(node, backend, {**msgspec.to_builtins(chosen), "boards": [rule]})
    if data.draw(st.booleans(), "known before"):
        node.replace(HEALTHY | tree)
        asked.devices()

    node.replace(HEALTHY | broken(tree, changes))

    names, health = asked.names(), asked.health()
    assert {device: names.get(device) for device in OFFERED} == OFFERED
    assert {device: health.get(device) for device in OFFERED} == dict.fromkeys(OFFERED, "")
    accept_edits(asked.edits())
