"""The registration life: a table that has an answer to everything, and the walks through it that P5 and P6 promise."""

from itertools import chain, pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbay.session import IGNORED, TABLE, Command, Event, State, Transition, diagram, step

PAIRS = [(state, event) for state in State for event in Event]
ARCHITECTURE = Path(__file__).parents[2] / "ARCHITECTURE.md"
TO_STREAMING = (Event.START, Event.BOUND, Event.ACCEPTED, Event.STREAM_OPENED)


def walk(*events: Event, start: State = State.STOPPED) -> tuple[State, tuple[Command, ...]]:
    """Return where events lead, and all that is to be done on the way."""
    state, commands = start, list[Command]()
    for event in events:
        if transition := step(state, event):
            state = transition.state
            commands += transition.commands
    return state, tuple(commands)


def reachable(start: State) -> set[State]:
    """Return every state that some events lead to."""
    found: set[State] = {start}
    while further := {TABLE[pair].state for pair in TABLE if pair[0] in found} - found:
        found |= further
    return found


@pytest.mark.parametrize(("state", "event"), PAIRS, ids=lambda value: value.value)
def test_total(state: State, event: Event) -> None:
    """P7: for every state it is written down what every event means, or that it means nothing; never both."""
    assert ((state, event) in TABLE) != (event in IGNORED[state])


@pytest.mark.parametrize(("state", "event"), PAIRS, ids=lambda value: value.value)
def test_step_reads_the_table(state: State, event: Event) -> None:
    """P7: the table is all there is: a step is what it says, None where the event is ignored."""
    assert step(state, event) == TABLE.get((state, event))


def test_no_state_is_a_trap() -> None:
    """P4: every state can be reached, and from each one devices can be offered again, and all can be stopped."""
    assert reachable(State.STOPPED) == set(State)
    assert all(reachable(state) == set(State) for state in State)


@given(st.lists(st.sampled_from(Event)))
def test_stop_always_stops(events: list[Event]) -> None:
    """P22: whatever happened, STOP leads to the end, and whatever was opened is closed as the last thing done."""
    state, _ = walk(*events)
    end, commands = walk(Event.STOP, start=state)

    assert end is State.STOPPED
    assert commands == (() if state is State.STOPPED else (Command.CLOSE,))


@given(st.lists(st.sampled_from(Event)))
def test_nothing_is_left_open_and_nothing_forgotten(events: list[Event]) -> None:
    """P4: where nothing is served nothing is open, and a state that waits has something that ends its waiting."""
    state, commands = walk(*events)
    open_or_closed = [command for command in commands if command in (Command.BIND, Command.CLOSE)]
    is_open = open_or_closed[-1:] == [Command.BIND]

    assert is_open == (state not in (State.STOPPED, State.WAITING))
    ends = {State.WAITING: Command.PAUSE, State.BINDING: Command.BIND, State.REGISTERED: Command.EXPECT_STREAM}
    assert state not in ends or commands[-1] is ends[state]


@given(st.lists(st.sampled_from(Event)))
def test_never_registered_before_it_serves(events: list[Event]) -> None:
    """P4: an endpoint is registered once, and only after it was opened."""
    _, commands = walk(*events)
    order = [command for command in commands if command in (Command.BIND, Command.REGISTER, Command.CLOSE)]

    registered_after = [before for before, command in pairwise(order) if command is Command.REGISTER]
    assert set(registered_after) <= {Command.BIND}
    assert order[:1] != [Command.REGISTER]


def test_the_way_up() -> None:
    """P4: bind, then register, then wait for the kubelet's stream."""
    assert walk(*TO_STREAMING) == (State.STREAMING, (Command.BIND, Command.REGISTER, Command.EXPECT_STREAM))


def test_the_stream_may_open_before_the_answer() -> None:
    """P5: a kubelet that opens the stream before it answers the registration is not asked twice."""
    state, commands = walk(Event.START, Event.BOUND, Event.STREAM_OPENED, Event.ACCEPTED)

    assert (state, commands) == (State.STREAMING, (Command.BIND, Command.REGISTER))


@pytest.mark.parametrize("late", [Event.REFUSED, Event.UNREACHABLE, Event.DUE])
def test_late_answers_do_not_end_a_stream(late: Event) -> None:
    """P6: what is said of a registration whose stream is open changes nothing."""
    assert step(State.STREAMING, late) is None


@pytest.mark.parametrize(
    ("loss", "repair"),
    [
        pytest.param((Event.STREAM_ENDED, Event.DUE), (Command.CLOSE, Command.PAUSE, Command.BIND), id="stream-ended"),
        pytest.param((Event.SOCKET_LOST, Event.DUE), (Command.CLOSE, Command.PAUSE, Command.BIND), id="socket-lost"),
        pytest.param((Event.KUBELET_UP,), (Command.BIND,), id="kubelet-up"),
        pytest.param(
            (Event.STREAM_ENDED, Event.KUBELET_UP), (Command.CLOSE, Command.PAUSE, Command.BIND), id="kubelet-restart"
        ),
    ],
)
def test_every_loss_is_repaired(loss: tuple[Event, ...], repair: tuple[Command, ...]) -> None:
    """P5, P6: from a stream that is lost, however it is, the walk comes back to one, over a fresh endpoint."""
    state, commands = walk(*loss, *TO_STREAMING[1:], start=State.STREAMING)

    assert (state, commands) == (State.STREAMING, (*repair, Command.REGISTER, Command.EXPECT_STREAM))


@pytest.mark.parametrize("state", set(State) - {State.STOPPED})
def test_a_new_kubelet_is_acted_on_at_once(state: State) -> None:
    """P4: wherever a registration stands, a new kubelet.sock means a fresh endpoint now, with no pause before it."""
    assert step(state, Event.KUBELET_UP) == Transition(State.BINDING, (Command.BIND,))


@pytest.mark.parametrize(
    ("state", "event"),
    [
        (State.BINDING, Event.BIND_FAILED),
        (State.BINDING, Event.UNREACHABLE),
        (State.REGISTERING, Event.REFUSED),
        (State.REGISTERING, Event.UNREACHABLE),
    ],
)
def test_every_refusal_is_tried_again_later(state: State, event: Event) -> None:
    """P4: whoever refuses is asked again after a pause, for ever, and nothing is served meanwhile."""
    assert walk(event, start=state) == (State.WAITING, (Command.CLOSE, Command.PAUSE))


def test_the_diagram_has_every_edge_but_stop() -> None:
    """P7: who looks at the diagram sees the table."""
    drawn = chain.from_iterable(line.rpartition(": ")[2].split(", ") for line in diagram().splitlines()[2:])

    assert sorted(drawn) == sorted(event.value for _, event in TABLE if event is not Event.STOP)


def test_the_diagram_in_the_documentation_is_made_from_the_table() -> None:
    """P7: ARCHITECTURE.md shows the table as it is; put there what `diagram()` returns."""
    _, _, after = ARCHITECTURE.read_text(encoding="utf-8").partition("<!-- session diagram -->\n")
    shown, _, _ = after.partition("\n<!-- /session diagram -->")

    assert shown == f"```mermaid\n{diagram()}\n```"
