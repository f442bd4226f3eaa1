"""The backend contract, read top to bottom: every question the host asks a backend, in the order of a device's life.

A backend is a module, or a class that the host makes into an object, whose functions carry `devbay.api.hookimpl`.
It implements `discover` and `edit`; everything else is optional and its presence is the announcement. A hook may name
fewer arguments than are given here, in any order: pluggy passes those it names, which is how this page can grow
without breaking anyone. Each backend has a plugin manager of its own, so no backend sees or disturbs another.

What every hook can rely on:

* `node` is where we run: its name, and where its ``/sys``, ``/dev`` and ``/proc`` are found.
* `settings` is this backend's section of the configuration as the type that its `settings` hook named, parsed and
  validated; an empty `dict` if it has no such hook.
* Hooks block freely: no hook runs on the host's event loop. *Thread* below says which ones never overlap.
* Each call has a deadline (settings, ``deadlines``). A call past it is abandoned: the devices turn unhealthy with that
  as the reason (but not for `affinity`), no second call is made in that thread until the first returns, and then all
  is asked anew.
* Whatever is raised, `SystemExit` included, stays in the thread. `BackendUnavailable` is a normal answer where its
  hook says so; anything else is logged as this backend's fault, naming its distribution and version.
"""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pluggy

from devbay.model import ContainerEdits, Device, Health, Node

PROJECT = "devbay"
API_VERSION = 1
ENTRY_POINT_GROUP = f"devbay.backends.v{API_VERSION}"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

REQUIRED_HOOKS = ("discover", "edit")


# Loading.


@hookspec(firstresult=True)
def settings() -> type | None:
    """Return the type of this backend's section of the configuration. Optional.

    Returns a `devbay.api.BackendSettings` subclass or a dataclass; every field needs a default. None is as if there
    were no such hook. The section bears
    the entry point's name; ``DEVBAY_<NAME>__<FIELD>`` sets one field of it.

    Called once, when the backend is loaded, in the loading thread. What it raises rejects the backend. A section that
    does not fit the type is the operator's error: it names the key, and the backend is not run.
    """


# Finding devices and watching over them.


@hookspec(firstresult=True)
def discover(node: Node, settings: Any) -> Iterable[Device] | None:
    """Return the devices that are here now, in any order. Required.

    Called at start, at every scan (``health.scan_interval``, 10 s by default) and after each `wake`. Thread: the
    backend's own, one call at a time with `check`, `prepare`, `release` and `close`.

    One device that cannot be read should be left out or returned as it can be, with `check` saying why: it must not
    hide its neighbours. A device left out is reported unhealthy first, and dropped only when nobody can hold it. An
    empty answer means that there are none; None is an error.

    Raise `BackendUnavailable` where the driver or the hardware is absent: known devices turn unhealthy with its text,
    and the question is asked again at the next scan or wake. Anything else raised does the same, and is reported as a
    fault of the backend.
    """


@hookspec(firstresult=True)
def check(node: Node, settings: Any, devices: Sequence[Device]) -> Mapping[str, Health] | None:
    """Return the health of each of `devices` by id. Optional.

    A device that the answer does not name is unhealthy ("not reported"). Without this hook a device is healthy while
    all its `paths` exist. With it, the hook alone decides.

    Called after each `discover`, with what it found, in the same thread. Whatever is raised turns all devices
    unhealthy with that reason until a call succeeds.
    """


@hookspec(firstresult=True)
def watch(node: Node, settings: Any, wake: Callable[[], None], stop: threading.Event) -> object:
    """Block on the hardware's own event source, and call `wake()` at each event that may matter. Optional.

    The event itself carries no news: `wake` makes the host call `discover` and `check` at once, and what was learned
    is told there. `wake` is cheap, may be called from any thread, and calls in quick succession are merged.

    Called once, in the backend's second thread; has no deadline. Return within a second of `stop` being set: wait
    with a time-out, or on a pipe. If it returns or raises earlier, that is logged and it is called again after a
    pause; meanwhile the regular scan finds what it would have told.
    """


@hookspec(firstresult=True)
def affinity(node: Node, settings: Any, a: Device, b: Device) -> float | None:
    """Return how close two devices are; a higher number is closer. Optional.

    Symmetric. Only comparisons within one resource matter. Asked once per pair and snapshot, never while a request
    waits; the choosing is the host's. An error counts as "not close", and so does a pair that was not answered before
    the deadline, which is for all pairs of a resource together; those are asked again some minutes later.

    Thread: its own. It may run while `discover` does.
    """


@hookspec(firstresult=True)
def explain(node: Node, settings: Any, device: Device) -> str | None:
    """Return in a few lines why this device is here: what it was found by, and what its health rests on. Optional.

    For a person at ``devbay explain device``, who knows the hardware and not this backend: name the files, drivers and
    settings that were looked at, and what they said. None means that there is nothing to add.

    Asked for one device of the last `discover`, after its `check`, by that command alone: the host never calls it.
    Thread: the backend's own. What it raises is shown in place of the answer.
    """


# Giving devices to containers.


@hookspec(firstresult=True)
def edit(node: Node, settings: Any, resource: str, devices: Sequence[Device]) -> ContainerEdits | None:
    """Return what a container needs in order to use these devices together. Required.

    `devices` are whole devices, without duplicates, in the order of the request. Pure and quick: the same devices get
    the same answer, from memory, since a pod's admission waits for it and no other pod is admitted meanwhile. Answers
    are remembered until something changes.

    Thread: its own. It may run while `discover` does, and must not wait for a lock that `discover` holds. Whatever is
    raised becomes the text of a failed allocation, and that one pod's event.
    """


@hookspec(firstresult=True)
def prepare(node: Node, settings: Any, resource: str, devices: Sequence[Device]) -> object:
    """Make these devices ready for a container that is about to be created: reset, program. Optional.

    Called before each creation of a container that holds them, its restarts included. Its presence is what makes the
    host announce this step. Not guaranteed around a kubelet restart: nothing essential may depend on it alone.
    Thread: the backend's own. What it raises fails the container's start with that text; the kubelet tries again.
    """


@hookspec(firstresult=True)
def release(node: Node, settings: Any, resource: str, devices: Sequence[Device]) -> object:
    """Do what is due when the container that held these devices is gone. Optional.

    Called some time after the pod's end, when two looks found nobody holding them, and at the latest when the kubelet
    gives them again, before they are used; never because the kubelet was silent, and never while a pod that is known
    of has them. It may come for devices that no container used: the kubelet's pod was rejected after all. It does not
    come for a use by an init container, or for one shorter than a look, until the devices are given again; nor where
    this backend was busy until they were: a container waits two seconds for this to begin, and then it is put off to
    the next pod's end. One that has begun is waited for. Thread: the backend's own. What it raises is logged.
    """


# The end.


@hookspec(firstresult=True)
def close() -> object:
    """Let go of what is held: handles, libraries. Optional.

    The last call. Thread: the backend's own. The host waits for it briefly and then exits all the same.
    """
