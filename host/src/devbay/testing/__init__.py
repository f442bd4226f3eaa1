"""What a backend author's tests import: a kit that holds a backend to the contract, and the stage it is tried on.

Needs pytest: ``pip install 'devbay[testing]'``. pytest loads `devbay.testing.plugin` by itself, which brings the
fixtures ``fake_node``, ``simulated_kubelet``, ``run_host`` and ``manual_clock``. Nothing here is imported before it is
used, so that a test run of something else pays nothing::

    from devbay.testing import BackendConformance, CharacterDevice, Rig
    from devbay_widget import Backend

    class TestWidget(BackendConformance):
        @pytest.fixture
        def rig(self, fake_node):
            fake_node.replace({"/dev/widget0": CharacterDevice()})
            return Rig(Backend, fake_node.node)

This package is on top of the house, beside the command line: it runs the host and the simulator, and nothing imports
it.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from devbay.testing.clock import ManualClock
    from devbay.testing.conformance import BackendConformance
    from devbay.testing.hosting import Hosting, RunningHost
    from devbay.testing.kubelet import SimulatedKubelet
    from devbay.testing.node import DIRECTORY, BlockDevice, CharacterDevice, FakeNode, Link, Tree
    from devbay.testing.rig import Rig

__all__ = [
    "DIRECTORY",
    "BackendConformance",
    "BlockDevice",
    "CharacterDevice",
    "FakeNode",
    "Hosting",
    "Link",
    "ManualClock",
    "Rig",
    "RunningHost",
    "SimulatedKubelet",
    "Tree",
]

_HOMES = {
    "DIRECTORY": "node",
    "BackendConformance": "conformance",
    "BlockDevice": "node",
    "CharacterDevice": "node",
    "FakeNode": "node",
    "Hosting": "hosting",
    "Link": "node",
    "ManualClock": "clock",
    "Rig": "rig",
    "RunningHost": "hosting",
    "SimulatedKubelet": "kubelet",
    "Tree": "node",
}


def __getattr__(name: str) -> object:
    """Import what is asked for, when it is."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    return found
