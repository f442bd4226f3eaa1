"""A backend whose `prepare` and `release` are heard, while a host runs it as any other."""

import functools
import inspect
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

from devbay.hookspecs import PROJECT

HEARD = ("prepare", "release")


@dataclass(frozen=True, slots=True)
class Heard:
    """One call that ended: of which hook, and what it raised."""

    hook: str
    failure: BaseException | None


@dataclass(frozen=True, slots=True)
class Calls:
    """The calls so far. The host's threads add to them."""

    _all: list[Heard] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, hook: str) -> list[Heard]:
        """Return the calls of a hook, in order."""
        with self._lock:
            return [call for call in self._all if call.hook == hook]

    def add(self, call: Heard) -> None:
        """Note a call."""
        with self._lock:
            self._all.append(call)


def overheard(backend: Any, calls: Calls) -> Callable[[], object]:
    """Return a function that makes a rig's backend, whose calls are noted."""

    def make() -> object:
        return _Overheard(backend() if isinstance(backend, type | FunctionType) else backend, calls)

    return make


class _Overheard:
    """A backend's object as pluggy sees it: its hooks and nothing else, two of them listened to."""

    def __init__(self, backend: object, calls: Calls) -> None:
        for name in dir(backend):
            found = inspect.getattr_static(backend, name, None)  # a property is not asked
            marks = getattr(getattr(found, "__func__", found), f"{PROJECT}_impl", None)
            if marks is not None:
                hook, its = marks.get("specname") or name, getattr(backend, name)
                vars(self)[name] = _listening(hook, its, calls) if hook in HEARD else its


def _listening(hook: str, function: Callable[..., object], calls: Calls) -> Callable[..., object]:
    @functools.wraps(function)  # pluggy passes the arguments that the signature names, which is followed to this one
    def call(*arguments: object) -> object:
        try:
            answer = function(*arguments)
        except BaseException as failure:
            calls.add(Heard(hook, failure))
            raise
        calls.add(Heard(hook, None))
        return answer

    return call
