"""The pod-resources socket: a simulated kubelet's, and peers that are absent, old, hung, or full of errors."""

import asyncio
import os
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from devbay import custody
from devbay._proto import podresources_v1_pb2 as pb
from devbay.custody import Custody, CustodyPolicy, Release
from devbay.holders import Container, Holders, Look, Replica
from devbay.podresources import PodResources, Silent, Why, holders
from devbay.simulator import Container as PodContainer
from devbay.simulator import Kubelet, Pod
from devbay.testing import ManualClock
from tests.backends.mock.trees import as_nobody, open_place
from tests.simulator.plugin import Plugin, device

WIDGET = "example.com/widget"
GADGET = "example.com/gadget"
MAIN = Container("default", "p", "main")


@pytest.fixture
def path(place: Path) -> Path:
    """Return where the API is served."""
    return place / "pod-resources" / "kubelet.sock"


@pytest.fixture
def clock() -> ManualClock:
    """Return the kubelet's clock, and the client's."""
    return ManualClock()


@pytest.fixture
async def kubelet(plugins: Path, path: Path, clock: ManualClock) -> AsyncIterator[Kubelet]:
    """Run a kubelet that serves the API."""
    async with Kubelet(plugins, pod_resources_socket=path, clock=clock, rate_clock=clock) as running:
        yield running


@pytest.fixture
def client(path: Path, clock: ManualClock) -> PodResources:
    """Return a client of it."""
    return PodResources(path, clock=clock)


@asynccontextmanager
async def offering(kubelet: Kubelet, *devices: Any, resource: str = WIDGET) -> AsyncIterator[Plugin]:
    """Offer devices to a kubelet."""
    async with Plugin(kubelet.directory, *devices, resource=resource) as plugin:
        await plugin.register()
        await kubelet.wait_until(lambda: kubelet.allocatable.get(resource) == len(devices))
        yield plugin


@asynccontextmanager
async def answering(path: Path, answer: Callable[[str], Awaitable[bytes]]) -> AsyncIterator[None]:
    """Serve the API's methods with bytes of our own."""
    path.parent.mkdir(exist_ok=True)

    def method(name: str) -> "grpc.RpcMethodHandler[bytes, bytes]":
        async def call(_request: bytes, context: Any) -> bytes:
            try:
                return await answer(name)
            except PermissionError as error:
                await context.abort(grpc.StatusCode.UNKNOWN, str(error))
            return b""

        return grpc.unary_unary_rpc_method_handler(call)

    server = grpc.aio.server(options=[("grpc.max_send_message_length", -1), ("grpc.so_reuseport", 0)])
    methods = {name: method(name) for name in ("List", "GetAllocatableResources")}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("v1.PodResourcesLister", methods),))
    server.add_insecure_port(f"unix:{path}")
    await server.start()
    try:
        yield
    finally:
        await server.stop(None)


def pod(name: str, **limits: int) -> Pod:
    """Return a pod with one container ``main``; the resources are of ``example.com``."""
    wanted = {f"example.com/{kind}": count for kind, count in limits.items()}
    return Pod(name=name, containers=(PodContainer(name="main", limits=wanted),))


async def look(client: PodResources) -> Look:
    """Ask who holds what; anything but an answer fails the test."""
    answer = await client.list()
    assert isinstance(answer, Look), answer.reason
    return answer


async def silent(client: PodResources) -> tuple[Why, str]:
    """Ask who holds what; an answer fails the test. Return why there is none, without the socket's path."""
    answer = await client.list()
    assert isinstance(answer, Silent)
    start = f"pod-resources socket {client.socket} "
    assert answer.reason.startswith(start)
    return answer.why, answer.reason.removeprefix(start)


# What a kubelet answers.


async def test_who_holds_what(kubelet: Kubelet, client: PodResources, clock: ManualClock) -> None:
    """P10: each container with its ids of each resource, also those that hold none; and when the question was asked."""
    async with offering(kubelet, "w0", "w1", "w2"), offering(kubelet, "g0", resource=GADGET):
        await kubelet.create_pod(pod("p", widget=2, gadget=1))
        await kubelet.create_pod(pod("plain"))
        answer = await look(client)

    held = {
        Replica(resource, name) for resource, ids in kubelet.pods["p"].container("main").devices.items() for name in ids
    }
    assert len(held) == 3
    assert answer.holders.containers == {MAIN: held, Container("default", "plain", "main"): frozenset()}
    assert answer.holders.holder(GADGET, "g0") == MAIN
    assert answer.asked == clock()


async def test_only_our_resources(kubelet: Kubelet, client: PodResources) -> None:
    """P10: other plugins' resources are left out where only ours are asked for; containers are not."""
    async with offering(kubelet, "w0"), offering(kubelet, "g0", resource=GADGET):
        await kubelet.create_pod(pod("p", gadget=1))
        await kubelet.create_pod(pod("q", widget=1))
        answer = await client.list([WIDGET])

    assert isinstance(answer, Look)
    assert answer.holders.containers == {
        MAIN: frozenset(),
        Container("default", "q", "main"): {Replica(WIDGET, "w0")},
    }


async def test_a_device_near_two_nodes_is_one(kubelet: Kubelet, client: PodResources) -> None:
    """P10: the kubelet names such a device twice; it is held once, and its nodes are told together."""
    async with offering(kubelet, device("w0", "Healthy", 1, 0), device("w1", "Healthy", 1), "w2"):
        await kubelet.create_pod(pod("p", widget=3))

        assert len((await look(client)).holders.by_replica) == 3
        assert await client.allocatable() == {
            Replica(WIDGET, "w0"): (0, 1),
            Replica(WIDGET, "w1"): (1,),
            Replica(WIDGET, "w2"): (),
        }


async def test_one_pod(kubelet: Kubelet, client: PodResources) -> None:
    """P10: one pod can be asked for; that there is none of the name is the kubelet's refusal, in its own words."""
    async with offering(kubelet, "w0", "w1"):
        await kubelet.create_pod(pod("p", widget=1))
        await kubelet.create_pod(pod("q", widget=1))
        found = await client.get("default", "p")

    assert isinstance(found, Holders)
    assert found.containers.keys() == {MAIN}
    assert len(found.held_by(MAIN)) == 1
    absent = await client.get("other", "p")
    assert isinstance(absent, Silent)
    assert (absent.why, absent.reason.rpartition(": ")[2]) == (Why.REFUSED, "pod p in namespace other not found")


async def test_an_answer_of_many_megabytes(path: Path) -> None:
    """P10: a node full of pods has an answer far beyond gRPC's own 4 MiB; it is read."""
    names = [f"device-{n:0100}" for n in range(100_000)]
    entries = [pb.ContainerDevices(resource_name=WIDGET, device_ids=[name]) for name in names]
    containers = [pb.ContainerResources(name="main", devices=entries)]
    message = pb.ListPodResourcesResponse(
        pod_resources=[pb.PodResources(name="p", namespace="default", containers=containers)]
    ).SerializeToString()

    async def large(_method: str) -> bytes:
        return message

    async with answering(path, large):
        answer = await look(PodResources(path, deadline=60))

    assert len(message) > 3 * 4 * 1024 * 1024
    assert len(answer.holders.held_by(MAIN)) == len(names)


def test_a_container_that_is_listed_twice_over() -> None:
    """P10: several ids in one entry, and entries that repeat, are a set of ids; the API's own form allows both."""
    entry = pb.ContainerDevices(resource_name=WIDGET, device_ids=["w0", "w1"])
    containers = [pb.ContainerResources(name="main", devices=[entry, entry])]
    found = holders([pb.PodResources(name="p", namespace="default", containers=containers)])

    assert found.containers == {MAIN: {Replica(WIDGET, "w0"), Replica(WIDGET, "w1")}}


# A kubelet that restarts.


async def test_each_kubelet_is_told_from_the_one_before(kubelet: Kubelet, client: PodResources) -> None:
    """P10: answers of one kubelet have one mark, and those after a restart another, though the socket's path is one."""
    first, again = await look(client), await look(client)
    await kubelet.stop()
    assert await silent(client) == (Why.DOWN, "does not answer: the kubelet is down, or restarts")
    await kubelet.start()

    assert first.kubelet == again.kubelet != (await look(client)).kubelet


async def test_a_socket_that_is_replaced_while_it_is_asked(path: Path) -> None:
    """P10: when the socket is another after the answer, nobody can say whose answer it was: it is none."""

    async def replaced(_method: str) -> bytes:
        path.rename(path.with_name("old.sock"))
        path.touch()
        return b""

    async with answering(path, replaced):
        assert await silent(PodResources(path)) == (
            Why.DOWN,
            "was made anew while it was asked: the kubelet restarts",
        )


async def test_what_is_said_again_is_not_read_again(kubelet: Kubelet, client: PodResources) -> None:
    """P10: an answer that says what the last one did costs no reading; another one, or another question, does."""
    async with offering(kubelet, "w0"):
        await kubelet.create_pod(pod("p", widget=1))
        first, again = await look(client), await look(client)
        other = await client.list(["example.com/none"])
        await kubelet.delete_pod("p")
        after = await look(client)

    assert again.holders is first.holders
    assert first.holders.containers == {MAIN: {Replica(WIDGET, "w0")}}
    assert isinstance(other, Look)
    assert other.holders.containers == {MAIN: frozenset()}
    assert after.holders.containers == {}


async def test_a_long_answer_is_read_beside_the_loop(path: Path) -> None:
    """P10: while the answer of a node with many devices is read, the loop goes on."""
    names = [f"w{n}" for n in range(2_000)]
    devices = pb.ContainerDevices(resource_name=WIDGET, device_ids=names)
    containers = [pb.ContainerResources(name="main", devices=[devices])]
    message = pb.ListPodResourcesResponse(
        pod_resources=[pb.PodResources(name="p", namespace="default", containers=containers)]
    ).SerializeToString()
    threads: set[int] = set()

    class Watched(PodResources):
        def _listed(self, answer: bytes, resources: Collection[str] | None) -> Holders:
            threads.add(threading.get_ident())
            return super()._listed(answer, resources)

    async def many(_method: str) -> bytes:
        return message

    async with answering(path, many):
        assert len((await look(Watched(path))).holders.by_replica) == len(names)
    assert threading.get_ident() not in threads


async def test_the_whole_way(kubelet: Kubelet, client: PodResources, clock: ManualClock) -> None:
    """P10: a pod ends just after the kubelet restarted; its device is released when that kubelet is believed, once."""
    state = Custody(policy=CustodyPolicy(settle=60))
    released: list[Release] = []

    async def step(seconds: float) -> frozenset[Replica] | None:
        nonlocal state
        clock.advance(seconds)
        answer = await client.list()
        state, due = custody.look(state, answer if isinstance(answer, Look) else None)
        released.extend(due)
        return state.held

    async with offering(kubelet, "w0"):
        await kubelet.create_pod(pod("p", widget=1))
        await kubelet.create_pod(pod("plain"))
        believed = [await step(0), await step(59), await step(1)]
        await kubelet.stop()
        silence = [await step(1)]
        await kubelet.start()
        await kubelet.delete_pod("p")
        after = [await step(seconds) for seconds in (1, 59, 1, 1)]

    held = {Replica(WIDGET, "w0")}
    assert believed == [None, None, held]
    assert silence == [None]
    assert after == [None, None, held, frozenset()]
    assert released == [Release(resource=WIDGET, devices=("w0",), container=MAIN)]


# No answer.


async def test_absent(path: Path) -> None:
    """P10: where the directory is not there, that is said; where only the socket is not, the kubelet is to make it."""
    client = PodResources(path)
    directory = await silent(client)
    path.parent.mkdir()
    file = await silent(client)

    assert directory == (Why.ABSENT, f"is not there: {path.parent} is not mounted here, or has no kubelet")
    assert file == (Why.ABSENT, "is not there: the kubelet has not made it yet")


async def test_no_socket(path: Path) -> None:
    """P10: a plain file where the socket should be does not answer, and is no error of ours."""
    path.parent.mkdir()
    path.touch()

    assert (await silent(PodResources(path)))[0] is Why.DOWN


@pytest.mark.parametrize("closed", ["directory", "socket"])
async def test_forbidden(closed: str) -> None:
    """P23: a directory or a socket that does not let us in is said, with the uid that it would let in."""
    with open_place() as place:
        path = place / "pod-resources" / "kubelet.sock"
        path.parent.mkdir()
        path.parent.chmod(0o750 if closed == "directory" else 0o755)
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(os.fspath(path))
            server.listen()
            path.chmod(0o600)
            with as_nobody():
                uid = os.geteuid()
                found = await silent(PodResources(path))

    if uid != 65534:
        pytest.skip("being another user needs root")
    assert found == (Why.FORBIDDEN, "does not let uid 65534 in: run devbay as uid 0")


async def test_a_path_that_no_socket_can_have(place: Path) -> None:
    """P10: a path longer than a socket's may be is said as such."""
    path = place / ("x" * 60) / ("y" * 60)
    length = len(os.fsencode(path))

    assert await silent(PodResources(path)) == (
        Why.ABSENT,
        f"cannot be: its path has {length} bytes, and a socket's may have 107",
    )


@pytest.mark.parametrize("accepts", [True, False])
async def test_a_peer_that_hangs(path: Path, accepts: bool) -> None:  # noqa: FBT001 - pytest gives it by name
    """P10: who takes the question, or only the connection, and says nothing more is given up on at the deadline."""
    asked = asyncio.Event()

    async def hang(_method: str) -> bytes:
        asked.set()
        await asyncio.Event().wait()
        return b""

    client = PodResources(path, deadline=0.2)
    expected = (Why.LATE, "did not answer List within 0.2 s")
    if accepts:
        async with answering(path, hang):
            assert await silent(client) == expected
        assert asked.is_set()
    else:
        path.parent.mkdir()
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(os.fspath(path))
            server.listen()
            assert await silent(client) == expected


async def test_the_rate_limit(kubelet: Kubelet, client: PodResources, clock: ManualClock) -> None:
    """P10: a kubelet that other clients keep busy refuses; the next question, a little later, is answered."""
    assert kubelet.running
    for _ in range(10):
        await look(client)

    assert await silent(client) == (
        Why.LIMITED,
        "is asked too often, by all its clients together: rejected by rate limit",
    )
    clock.advance(1)
    await look(client)


async def test_a_call_that_is_switched_off(plugins: Path, path: Path) -> None:
    """P10: before 1.34 Get may be off; List is not."""
    async with Kubelet(plugins, version="1.32", pod_resources_socket=path):
        client = PodResources(path)
        answer = await client.get("default", "p")
        await look(client)

    assert isinstance(answer, Silent)
    assert answer.why is Why.UNSUPPORTED
    assert answer.reason.endswith("has Get switched off: PodResources API Get method disabled")


async def test_a_call_that_is_not_there(path: Path) -> None:
    """P10: a kubelet without a call is too old for it."""

    async def nothing(_method: str) -> bytes:
        return b""

    async with answering(path, nothing):
        answer = await PodResources(path).get("default", "p")

    assert isinstance(answer, Silent)
    assert answer.why is Why.UNSUPPORTED
    assert answer.reason.endswith("has no Get: this kubelet is too old for it")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"\xff\xff\xff", "answered List with what is no message of it: "),
        (PermissionError("no, thank you"), "refused List: no, thank you"),
    ],
)
async def test_an_answer_that_is_none(path: Path, answer: bytes | Exception, said: str) -> None:
    """P10: bytes that are no message, and errors of any other kind, are refusals; the kubelet's text is passed on."""

    async def nonsense(_method: str) -> bytes:
        if isinstance(answer, bytes):
            return answer
        raise answer

    async with answering(path, nonsense):
        client = PodResources(path)
        why, reason = await silent(client)
        other = await client.allocatable()

    assert why is Why.REFUSED
    assert reason.startswith(said)
    assert isinstance(other, Silent)
    assert other.why is Why.REFUSED


async def test_a_question_can_be_given_up(path: Path) -> None:
    """P22: a host that is asked to stop does not wait for the kubelet's answer."""
    asked = asyncio.Event()

    async def hang(_method: str) -> bytes:
        asked.set()
        await asyncio.Event().wait()
        return b""

    async with answering(path, hang):
        task = asyncio.create_task(PodResources(path, deadline=3600).list())
        async with asyncio.timeout(10):
            await asked.wait()
            task.cancel()
            await asyncio.wait([task])

    assert task.cancelled()
