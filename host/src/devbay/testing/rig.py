"""What a backend's tests hand to the kit: the backend, its node, and how the hardware there is changed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from devbay.model import Device, Node


@dataclass(frozen=True, slots=True)
class Rig:
    """A backend and hardware for it, with at least one healthy device; two or more tell more.

    What is not given skips the cases that need it, each saying so.

    Attributes:
        backend: what the entry point names: the class, or the module. Or a function without arguments that returns a
            backend, where a test hands it a fake of a library; on the top level of its module, so that another
            process finds it.
        node: the node to look at.
        settings: this backend's section of the configuration, as the file would have it: plain values.
        set_devices: makes the hardware have exactly so many devices, while the backend runs.
        fail: makes a device fail, so that `check` must find it unhealthy.
        mend: makes a device that `fail` had fail work again.
        remove: takes one device away, as if it were pulled out; the others stay what and where they are.
        remove_hardware: takes the driver and all hardware away. Without it, an empty node stands for that.
        places: the directories in which the backend may write; none by default.
        libraries: top-level modules that importing the backend may bring along, beside the standard library, the
            backend's own package and what devbay itself requires: none that a vendor's installation provides.
    """

    backend: object
    node: Node
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)
    set_devices: Callable[[int], object] | None = None
    fail: Callable[[Device], object] | None = None
    mend: Callable[[Device], object] | None = None
    remove: Callable[[Device], object] | None = None
    remove_hardware: Callable[[], object] | None = None
    places: Sequence[Path] = ()
    libraries: Sequence[str] = ()
