"""Requests as hypothesis makes them: few devices of every sort, with affinity, shares and must-includes."""

from dataclasses import dataclass

from hypothesis import strategies as st

from devbay.model import Device
from devbay.sharing import replica_ids
from tests.host.preference.brute import Pairs

NODES = st.sampled_from([(), (0,), (0,), (1,), (1,), (2,), (0, 1)])
PARENTS = st.sampled_from([None, None, "p", "q", "d0"])
SCORES = st.sampled_from([0.0, 1.0, 1.0, 2.0, 0.1, -1.0, 1e300])


@dataclass(frozen=True, slots=True)
class Request:
    """A request, and what is known of the devices."""

    devices: dict[str, Device]
    pairs: Pairs
    available: list[str]
    must: list[str]
    size: int


@st.composite
def small(draw: st.DrawFn, *, shared: bool) -> Request:
    """Make a request that can be answered by trying all answers."""
    names = [f"d{n}" for n in range(draw(st.integers(1, 5 if shared else 8)))]
    nodes, parents = (
        draw(st.sampled_from([NODES, st.just((0,)), st.just(())])),
        draw(st.sampled_from([PARENTS, st.none()])),
    )
    devices = {name: Device(id=name, resource="r", numa_nodes=draw(nodes), parent=draw(parents)) for name in names}
    scores = draw(st.sampled_from([SCORES, st.just(1.0), st.just(0.0)]))
    pairs = {(a, b): draw(scores) for a in names for b in names if a < b}
    ids = [share for name in names for share in (replica_ids(name, draw(st.integers(1, 3))) if shared else (name,))]
    available = draw(st.lists(st.sampled_from([*ids, "unknown"]), unique=True, max_size=8))
    must = draw(st.lists(st.sampled_from([*ids, "elsewhere"]), unique=True, max_size=2))
    return Request(devices, pairs, available, must, draw(st.integers(0, 9)))
