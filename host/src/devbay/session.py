"""The registration life of one resource, as one total table.

Pure: it knows no socket, no clock, no thread and no device. `devbay.kubelet` turns commands into calls and what happens
into events. Everything that decides *when* a resource serves and registers is in `TABLE`; the diagram in
ARCHITECTURE.md is made from it.

Three facts of the kubelet shape it. It never reconnects: when the stream of devices ends, for whatever reason, the
resource must be registered again. It deletes every socket in its directory before it creates its own, so a socket made
while it is away is lost: we serve when it answers, not before. And an old stream that ends late can take a new
registration with it (up to Kubernetes 1.36), so the old endpoint is closed before a new one is registered, and each
round has a fresh endpoint on a socket of its own.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple


class State(Enum):
    """Where one resource's registration stands."""

    STOPPED = "stopped"
    """Nothing is served and nothing is wanted."""
    WAITING = "waiting"
    """Nothing is served: the kubelet is away, or it or the directory refused; another round is due."""
    BINDING = "binding"
    """An endpoint is being opened on a fresh socket."""
    REGISTERING = "registering"
    """The endpoint serves; the kubelet has been asked to register it."""
    REGISTERED = "registered"
    """The kubelet agreed; its stream of devices is awaited."""
    STREAMING = "streaming"
    """The kubelet reads the devices. The only state in which pods get any."""


class Event(Enum):
    """What happened, as the outside tells it."""

    START = "start"
    BOUND = "bound"
    """The endpoint serves."""
    BIND_FAILED = "bind failed"
    """The directory or the path refused a socket."""
    UNREACHABLE = "unreachable"
    """The kubelet's socket is absent, refuses, or did not answer in time."""
    ACCEPTED = "accepted"
    """The kubelet answered the registration."""
    REFUSED = "refused"
    """The kubelet answered the registration with an error."""
    STREAM_OPENED = "stream opened"
    """The kubelet opened ListAndWatch; it may do so before its answer to the registration arrives."""
    STREAM_ENDED = "stream ended"
    """The last open ListAndWatch of this endpoint ended."""
    SOCKET_LOST = "socket lost"
    """The endpoint's socket file is gone, or is no longer the one we made."""
    KUBELET_UP = "kubelet up"
    """A new kubelet.sock answers."""
    DUE = "due"
    """The pause or the patience that was asked for is over."""
    STOP = "stop"


class Command(Enum):
    """What the shell must do, in the order given."""

    BIND = "bind"
    """Close the endpoint if there is one, then open a new one on a fresh socket."""
    REGISTER = "register"
    """Ask the kubelet to register the endpoint."""
    CLOSE = "close"
    """Close the endpoint: its streams, its server, its socket."""
    PAUSE = "pause"
    """Send DUE after a pause that grows with each round that failed."""
    EXPECT_STREAM = "expect stream"
    """Send DUE if no stream opens in good time."""


class Transition(NamedTuple):
    """The state after an event, and what to do. A pending DUE does not outlive a change of state."""

    state: State
    commands: tuple[Command, ...] = ()


_S, _E, _C = State, Event, Command
_STOP = Transition(_S.STOPPED, (_C.CLOSE,))
_AGAIN = Transition(_S.BINDING, (_C.BIND,))
_LATER = Transition(_S.WAITING, (_C.CLOSE, _C.PAUSE))

TABLE: Mapping[tuple[State, Event], Transition] = MappingProxyType(
    {
        (_S.STOPPED, _E.START): _AGAIN,
        (_S.WAITING, _E.DUE): _AGAIN,
        (_S.WAITING, _E.KUBELET_UP): _AGAIN,
        (_S.WAITING, _E.STOP): _STOP,
        (_S.BINDING, _E.BOUND): Transition(_S.REGISTERING, (_C.REGISTER,)),
        (_S.BINDING, _E.BIND_FAILED): _LATER,
        (_S.BINDING, _E.UNREACHABLE): _LATER,
        # The kubelet may have deleted a socket bound just before it came up.
        (_S.BINDING, _E.KUBELET_UP): _AGAIN,
        (_S.BINDING, _E.STOP): _STOP,
        (_S.REGISTERING, _E.ACCEPTED): Transition(_S.REGISTERED, (_C.EXPECT_STREAM,)),
        (_S.REGISTERING, _E.STREAM_OPENED): Transition(_S.STREAMING),
        (_S.REGISTERING, _E.REFUSED): _LATER,
        (_S.REGISTERING, _E.UNREACHABLE): _LATER,
        (_S.REGISTERING, _E.SOCKET_LOST): _LATER,
        (_S.REGISTERING, _E.KUBELET_UP): _AGAIN,
        (_S.REGISTERING, _E.STOP): _STOP,
        (_S.REGISTERED, _E.STREAM_OPENED): Transition(_S.STREAMING),
        (_S.REGISTERED, _E.DUE): _AGAIN,
        (_S.REGISTERED, _E.SOCKET_LOST): _LATER,
        (_S.REGISTERED, _E.KUBELET_UP): _AGAIN,
        (_S.REGISTERED, _E.STOP): _STOP,
        # Whether the kubelet lives is asked by the next round, after a first, short pause: if it died, a new socket
        # now would only be deleted; if it only dropped us, the gap is that pause.
        (_S.STREAMING, _E.STREAM_ENDED): _LATER,
        (_S.STREAMING, _E.SOCKET_LOST): _LATER,
        (_S.STREAMING, _E.KUBELET_UP): _AGAIN,
        (_S.STREAMING, _E.STOP): _STOP,
    }
)

_ENDPOINT_ONLY = {
    _E.BOUND,
    _E.BIND_FAILED,
    _E.UNREACHABLE,
    _E.ACCEPTED,
    _E.REFUSED,
    _E.STREAM_OPENED,
    _E.STREAM_ENDED,
    _E.SOCKET_LOST,
}

IGNORED: Mapping[State, frozenset[Event]] = MappingProxyType(
    {
        # Late news of an endpoint that is closed or about to be.
        _S.STOPPED: frozenset(Event) - {_E.START},
        _S.WAITING: frozenset(_ENDPOINT_ONLY | {_E.START}),
        # Its file cannot be lost before it is bound, and a stream needs a registration first.
        _S.BINDING: frozenset(
            {_E.START, _E.DUE, _E.ACCEPTED, _E.REFUSED, _E.STREAM_OPENED, _E.STREAM_ENDED, _E.SOCKET_LOST}
        ),
        # A stream that opened moves us on; one that ended before that was none of this round's.
        _S.REGISTERING: frozenset({_E.START, _E.DUE, _E.BOUND, _E.BIND_FAILED, _E.STREAM_ENDED}),
        _S.REGISTERED: frozenset(
            {_E.START, _E.BOUND, _E.BIND_FAILED, _E.UNREACHABLE, _E.ACCEPTED, _E.REFUSED, _E.STREAM_ENDED}
        ),
        # The answer to a registration whose stream is open already adds nothing, whatever it says.
        _S.STREAMING: frozenset(
            {_E.START, _E.DUE, _E.BOUND, _E.BIND_FAILED, _E.UNREACHABLE, _E.ACCEPTED, _E.REFUSED, _E.STREAM_OPENED}
        ),
    }
)


def step(state: State, event: Event) -> Transition | None:
    """Return what `event` leads to in `state`; None where it is known to mean nothing."""
    return TABLE.get((state, event))


def diagram() -> str:
    """Return the table as a Mermaid state diagram; STOP, which leads to *stopped* from everywhere, is left out."""
    edges: dict[tuple[State, State], list[str]] = {}
    for (state, event), transition in TABLE.items():
        if event is not Event.STOP:
            edges.setdefault((state, transition.state), []).append(event.value)
    lines = [f"    {a.value} --> {b.value}: {', '.join(events)}" for (a, b), events in edges.items()]
    return "\n".join(["stateDiagram-v2", "    [*] --> stopped", *lines])
