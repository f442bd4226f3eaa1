"""Tests of the host, and the few things that several of their modules use."""

import asyncio
import importlib.metadata
import inspect
from collections.abc import Callable
from types import SimpleNamespace

from devbay.api import hookimpl
from devbay.plugins import Backend, Installed, Rejected, load

PATIENCE = 10.0
"""Seconds until a condition that never comes fails its test: long, since a loaded machine is no failure."""


async def until(condition: Callable[[], object]) -> None:
    """Wait until a condition holds that nothing tells of; the loop runs meanwhile."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in another thread, which sets no event
            await asyncio.sleep(0.002)


def installed(plugin: object, name: str = "widget") -> Installed:
    """Return `plugin` as an installed backend: all is real but the import, which yields this very object."""

    class Here(importlib.metadata.EntryPoint):
        def load(self) -> object:
            return plugin

    entry_point = Here(name, "devbay_widget:Backend", "devbay.backends.v1")
    return Installed(name=name, distribution=f"devbay-{name}", version="1.2", entry_point=entry_point)


async def backend(**hooks: Callable[..., object]) -> Backend:
    """Return a backend with these hooks, loaded as any other is: its own plugin manager, its form verified.

    What is no function, but can be called, is a hook without arguments.
    """
    return await loaded(SimpleNamespace(**{name: _hook(function) for name, function in hooks.items()}))


async def loaded(plugin: object) -> Backend:
    """Return `plugin` as a loaded backend."""
    one = await load(installed(plugin), PATIENCE)
    assert not isinstance(one, Rejected), one.reason
    return one


def _hook(function: Callable[..., object]) -> Callable[..., object]:
    def asked() -> object:
        return function()

    return hookimpl(function if inspect.isfunction(function) else asked)
