"""A resource's registration beside a simulated kubelet, in one process."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import grpc
import grpc.aio
import pytest

from devbay.kubelet import messages
from devbay.kubelet.client import Registrar
from devbay.kubelet.directory import KubeletDirectory
from devbay.kubelet.endpoint import MOST_BYTES
from devbay.kubelet.registration import Registration
from devbay.session import State
from devbay.simulator import Kubelet, RegistrationRefused, StreamEnded
from tests.host.kubelet.service import RESOURCE, FixedService, widgets
from tests.host.running import PATIENCE

Register = Callable[..., Registration]
HUGE = 10**8


class CountedPauses:
    """Short pauses that count how many were taken, and how often they were begun anew."""

    def __init__(self) -> None:
        self.series = 0
        self.taken = 0

    def __iter__(self) -> Iterator[float]:
        self.series += 1
        while True:
            self.taken += 1
            yield 0.001


@pytest.fixture
def pauses() -> CountedPauses:
    """Return the pauses that registrations take."""
    return CountedPauses()


@pytest.fixture
async def register(plugins: Path, pauses: CountedPauses) -> AsyncIterator[Register]:
    """Return what starts the registration of a resource with two widgets; all are stopped at the end."""
    directory = KubeletDirectory(plugins)
    watch = asyncio.create_task(directory.watch())
    await asyncio.sleep(0)
    started: list[Registration] = []

    def start(resource: str, devices: tuple[str, ...] = ("a", "b"), most: int = MOST_BYTES) -> Registration:
        registration = Registration(resource, FixedService(), directory, Registrar(directory.socket), pauses, most=most)
        registration.publish(widgets(*devices))
        registration.start()
        started.append(registration)
        return registration

    yield start
    await asyncio.gather(*(registration.stop() for registration in started))
    watch.cancel()
    await asyncio.wait({watch})


async def listed(kubelet: Kubelet, count: int, resource: str = RESOURCE) -> None:
    """Wait until so many devices can be allocated."""
    await kubelet.wait_until(lambda: kubelet.allocatable.get(resource) == count, PATIENCE, f"{count} {resource}")


async def test_it_streams(kubelet: Kubelet, register: Register) -> None:
    """A resource is bound, registered, and read (P4)."""
    registration = register(RESOURCE)
    await listed(kubelet, 2)

    assert (registration.state, registration.reason) == (State.STREAMING, "")


async def test_a_refusal_is_told_in_the_kubelets_words(kubelet: Kubelet, register: Register) -> None:
    """A kubelet that refuses is asked again, more and more slowly, and its text is kept."""
    registration = register("not-a-resource")
    await kubelet.wait_until(lambda: len(kubelet.events_of(RegistrationRefused)) > 2, PATIENCE, "three refusals")

    assert registration.reason == ('the kubelet refused not-a-resource: the ResourceName "not-a-resource" is invalid')


async def test_a_stream_that_the_kubelet_ends_is_replaced(kubelet: Kubelet, register: Register) -> None:
    """A stream that ends while kubelet.sock stays is noticed, and the resource registered anew (P6).

    A list above the kubelet's 4 MiB makes it end the stream.
    """
    registration = register(RESOURCE, most=HUGE)
    await listed(kubelet, 2)
    registration.publish(widgets(*(f"{number:050}" for number in range(80_000))))
    await kubelet.wait_until(lambda: bool(kubelet.events_of(StreamEnded)), PATIENCE, "the stream's end")

    registration.publish(widgets("c"))
    await listed(kubelet, 1)

    assert registration.state is State.STREAMING


async def test_a_list_that_is_never_accepted_is_not_a_storm(
    kubelet: Kubelet, register: Register, pauses: CountedPauses
) -> None:
    """A stream that is cut each time it opens is opened again after ever longer pauses, not in a hot loop (P6)."""
    registration = register(RESOURCE, most=HUGE)
    await listed(kubelet, 2)
    registration.publish(widgets(*(f"{number:050}" for number in range(80_000))))
    await kubelet.wait_until(lambda: len(kubelet.events_of(StreamEnded)) > 4, PATIENCE, "five ends")

    assert pauses.series == 1
    assert pauses.taken >= 4


async def test_a_list_that_the_kubelet_would_not_read_is_not_sent(
    kubelet: Kubelet, register: Register, capsys: pytest.CaptureFixture[str]
) -> None:
    """P9, P16: above the kubelet's 4 MiB the last list that fitted stays, and one error says how long this one is."""
    registration = register(RESOURCE)
    await listed(kubelet, 2)
    devices = [f"{number:050}" for number in range(80_000)]
    changed = [registration.publish(widgets(*devices)), registration.publish(widgets(*devices))]
    registration.publish(widgets("a", "b", "c"))
    await listed(kubelet, 3)
    said = [line for line in capsys.readouterr().out.splitlines() if "[error" in line]

    assert changed == [False, False]
    assert kubelet.events_of(StreamEnded) == []
    assert len(said) == 1
    for part in (f"resource={RESOURCE}", "its list of 80000 ids has 5", "reads 4194304 at most", "fewer replicas"):
        assert part in said[0]


async def test_a_list_of_just_the_size_that_the_kubelet_reads(kubelet: Kubelet, register: Register) -> None:
    """P9: the limit is the kubelet's own: a list of just 4 MiB is read."""
    fill = [f"{number:06}{'x' * 40}" for number in range(80_000)]
    ids = fill[: MOST_BYTES // len(messages.device_list(widgets(fill[0])))]
    left = MOST_BYTES - len(messages.device_list(widgets(*ids)))
    ids[-1] += "x" * left
    assert len(messages.device_list(widgets(*ids))) == MOST_BYTES
    registration = register(RESOURCE, tuple(ids))
    await listed(kubelet, len(ids))

    assert registration.state is State.STREAMING


async def test_nothing_is_registered_before_a_list_fits(kubelet: Kubelet, register: Register) -> None:
    """P9, P21: a resource none of whose lists the kubelet would read is not registered and says why, until one fits."""
    registration = register(RESOURCE, tuple(f"{number:050}" for number in range(80_000)))
    state, reason = registration.state, registration.reason
    other = register("example.com/other")
    await listed(kubelet, 2, "example.com/other")

    assert (state, RESOURCE in kubelet.capacity) == (State.STOPPED, False)
    assert reason.startswith("its list of 80000 ids has 5")
    assert other.reason == ""

    registration.publish(widgets("a"))
    await listed(kubelet, 1)
    assert (registration.state, registration.reason) == (State.STREAMING, "")


async def test_withdrawing_what_was_never_registered(kubelet: Kubelet, register: Register) -> None:
    """P9, P11: a resource that waits for a list that fits, and goes, is not registered for its empty one."""
    registration = register(RESOURCE, tuple(f"{number:050}" for number in range(80_000)))
    await registration.withdraw()
    register("example.com/other")
    await listed(kubelet, 2, "example.com/other")

    assert (registration.state, RESOURCE in kubelet.capacity) == (State.STOPPED, False)


async def test_withdrawing_sends_an_empty_list_first(kubelet: Kubelet, register: Register) -> None:
    """A resource that is withdrawn leaves no capacity behind (P11)."""
    registration = register(RESOURCE)
    await listed(kubelet, 2)

    await registration.withdraw()

    await kubelet.wait_until(lambda: kubelet.capacity == {RESOURCE: 0}, PATIENCE, "no capacity")


async def test_stopping_leaves_no_socket(plugins: Path, kubelet: Kubelet, register: Register) -> None:
    """A registration that stops takes its socket with it, at whatever point it is (P22)."""
    registrations = [register(f"example.com/r{number}") for number in range(5)]
    await listed(kubelet, 2, "example.com/r0")

    await asyncio.gather(*(registration.stop() for registration in registrations))

    assert {registration.state for registration in registrations} == {State.STOPPED}
    assert list(plugins.glob("devbay-*")) == []


async def test_many_resources_come_back_together(kubelet: Kubelet, register: Register) -> None:
    """Fifty resources are all registered again after each restart (P5)."""
    names = [f"example.com/r{number}" for number in range(50)]
    for name in names:
        register(name)
    for _ in range(3):
        await kubelet.wait_until(lambda: all(kubelet.allocatable.get(name) == 2 for name in names), PATIENCE, "all")
        await kubelet.restart()

    await kubelet.wait_until(lambda: all(kubelet.allocatable.get(name) == 2 for name in names), PATIENCE, "all")


async def test_the_restart_of_a_kubelet_that_answers_nobody_is_borne(plugins: Path, register: Register) -> None:
    """Something that listens on kubelet.sock and is no kubelet is asked again until one comes (P4)."""
    server = grpc.aio.server()
    server.add_insecure_port(f"unix:{plugins}/kubelet.sock")
    await server.start()
    registration = register(RESOURCE)
    async with asyncio.timeout(PATIENCE):
        while "refused" not in registration.reason:  # noqa: ASYNC110 - a reason is a value, and tells nobody
            await asyncio.sleep(0.01)
    await server.stop(None)

    async with Kubelet(plugins) as kubelet:
        await listed(kubelet, 2)
