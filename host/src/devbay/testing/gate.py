"""A node at which a `discover` can be held in the middle of its work, as hardware that does not answer holds it."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Self

from devbay.model import Node

_ROOTS = frozenset({"sys", "dev", "proc"})
_PATIENCE = 30.0
"""Seconds for a call that was let go to end."""


class _Watched(Node):
    """A node that tells when it is asked where something is."""

    __slots__ = ("_asked",)

    @classmethod
    def of(cls, node: Node, asked: Callable[[], None]) -> Self:
        made = cls(name=node.name, sys=node.sys, dev=node.dev, proc=node.proc)
        object.__setattr__(made, "_asked", asked)  # a node is frozen
        return made

    def __getattribute__(self, name: str) -> object:
        if name in _ROOTS:
            object.__getattribute__(self, "_asked")()
        return super().__getattribute__(name)


class Gate:
    """Holds the thread called ``discover`` when it has looked at the node so many times. Other threads pass.

    Attributes:
        node: `node`, watched.
    """

    def __init__(self, node: Node) -> None:
        self.node: Node = _Watched.of(node, self._asked)
        self._looks = 0
        self._hold_at = 0
        self._caught = threading.Event()
        self._open = threading.Event()

    def looks(self, discover: Callable[[], object]) -> int:
        """Return how many times a `discover` looks at the node."""
        self._looks = 0
        discover()
        return self._looks

    @contextlib.contextmanager
    def held(self, discover: Callable[[], object], at: int) -> Iterator[bool]:
        """Hold a `discover` at its look number `at`, and let it go on at the end. Gives whether it came so far."""
        self._caught.clear()
        self._open.clear()
        self._looks, self._hold_at = 0, at
        ended = threading.Event()

        def run() -> None:
            with contextlib.suppress(Exception):  # what it raises is for other cases
                discover()
            ended.set()
            self._caught.set()

        thread = threading.Thread(target=run, name="held", daemon=True)
        thread.start()
        try:
            self._caught.wait(_PATIENCE)
            yield not ended.is_set()
        finally:
            self._hold_at = 0
            self._open.set()
            thread.join(_PATIENCE)

    def _asked(self) -> None:
        if threading.current_thread().name != "discover":
            return
        self._looks += 1
        if self._looks == self._hold_at:
            self._caught.set()
            self._open.wait()
