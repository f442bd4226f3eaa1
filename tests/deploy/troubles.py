"""What goes wrong on a bad day, and which alerts it raises: these and no other."""

import shutil
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeAlias

from tests.deploy.day import FAULTY, GPU, Alert, Day
from tests.deploy.prometheus import until

Trouble: TypeAlias = Callable[[Day], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def a_device_fails(day: Day) -> AsyncIterator[None]:
    """One of three accelerators goes offline, and comes back."""
    status = day.place / "class/acc0/status"
    status.write_text("offline\n")
    yield
    status.write_text("online\n")


@asynccontextmanager
async def a_device_flaps(day: Day) -> AsyncIterator[None]:
    """Another one does so three times in a row, each time for a moment."""
    status = day.place / "class/acc1/status"
    labels = f'{{device="acc1",resource="{GPU}"}}'
    for number in (1, 2, 3):
        status.write_text("offline\n")
        await day.shows(f"devbay_device_failures_total{labels} {number}.0")
        status.write_text("online\n")
        unhealthy = f"devbay_device_unhealthy{labels}"
        await day.here.until("/metrics", lambda answer, gone=unhealthy: gone not in answer.body)  # type: ignore[misc]  # bound now
    yield


@asynccontextmanager
async def a_backend_fails(day: Day) -> AsyncIterator[None]:
    """A backend that had a device raises."""
    fault = day.place / "fault"
    fault.touch()
    yield
    fault.unlink()


@asynccontextmanager
async def a_backend_hangs(day: Day) -> AsyncIterator[None]:
    """The same backend does not return."""
    day.configure(fault="hang")
    fault = day.place / "fault"
    fault.touch()
    yield
    fault.unlink()
    await day.here.ready()
    day.configure()


@asynccontextmanager
async def a_backend_cannot_be_loaded(day: Day) -> AsyncIterator[None]:
    """A backend with a mistake is enabled, and disabled."""
    day.configure("typo")
    yield
    day.configure()


@asynccontextmanager
async def the_kubelet_stops(day: Day) -> AsyncIterator[None]:
    """The kubelet is away for long."""
    await day.kubelet.stop()
    yield
    await day.kubelet.start()


@asynccontextmanager
async def the_kubelet_restarts_all_the_time(day: Day) -> AsyncIterator[None]:
    """The kubelet restarts five times in a row."""
    for _ in range(5):
        await day.kubelet.restart()
        await day.here.ready()
        await day.kubelet.wait_until(lambda: day.kubelet.allocatable.get(GPU) == 3, what="three accelerators")
    yield


@asynccontextmanager
async def a_bad_edit(day: Day) -> AsyncIterator[None]:
    """Somebody mistypes a key."""
    day.configure(more={"heath": {}})
    yield
    day.configure()


@asynccontextmanager
async def all_is_in_use(day: Day) -> AsyncIterator[None]:
    """A pod has all accelerators."""
    assert await day.pod("greedy", GPU, 3) == "Running"
    yield
    await day.kubelet.delete_pod("greedy")


@asynccontextmanager
async def a_pod_fails(day: Day) -> AsyncIterator[None]:
    """A backend cannot say what a container needs."""
    day.configure(hook="edit", fault="raise", while_exists="")
    await until(lambda: _fails(day), "a pod fails")
    yield
    day.configure()


async def _fails(day: Day) -> bool:
    """Return whether a pod fails; until the backend has begun anew, it does not."""
    phase = await day.pod("unlucky", FAULTY, 1)
    await day.kubelet.delete_pod("unlucky")
    return phase == "Failed"


@asynccontextmanager
async def cdi_cannot_be_written(day: Day) -> AsyncIterator[None]:
    """Somebody puts a file where CDI's directory was, and then there is a new device."""
    link, other = day.place / "cdi", day.place / "other"
    other.touch()
    other.replace(link)  # in one step, or the host makes the directory anew
    device = day.place / "class/acc9"
    device.mkdir()
    (device / "status").write_text("online\n")
    (day.place / "dev/acc9").touch()
    await day.here.until("/metrics", lambda answer: "devbay_cdi_write_failures_total 0.0" not in answer.body)
    yield
    shutil.rmtree(device)
    other.symlink_to(day.place / "specifications")
    other.replace(link)


@asynccontextmanager
async def two_hosts(day: Day) -> AsyncIterator[None]:
    """A second host runs on the node for long."""
    async with day.run() as second:
        await day.scrape(day.here, second)
        yield
        await day.scrape(day.here)


@asynccontextmanager
async def the_host_stops(day: Day) -> AsyncIterator[None]:
    """The host ends; then its pod goes; then there is a new one."""
    begin = time.time()
    await day.here.host.stop()
    await until(lambda: day.has_fired(begin, {("DevbayDown", "")}), "DevbayDown fires")
    await day.scrape()
    yield
    async with day.run() as day.site:
        await day.here.ready()
        await day.scrape(day.here)
        await until(day.calm, "all is well")


ITS_DEVICE = {("DevbayDeviceUnhealthy", "faulty-0"), ("DevbayNoCapacity", FAULTY)}

TROUBLES: tuple[tuple[Trouble, set[Alert]], ...] = (
    (a_device_fails, {("DevbayDeviceUnhealthy", "acc0")}),
    (a_device_flaps, {("DevbayDeviceFlapping", "acc1")}),
    (a_backend_fails, {("DevbayBackendFailing", "faulty"), *ITS_DEVICE}),
    (a_backend_hangs, {("DevbayBackendHung", "faulty"), *ITS_DEVICE}),
    (a_backend_cannot_be_loaded, {("DevbayBackendRejected", "typo")}),
    (a_bad_edit, {("DevbayConfigurationRejected", "")}),
    (all_is_in_use, {("DevbayAllocationHigh", GPU), ("DevbayFleetAllocationHigh", GPU)}),
    (a_pod_fails, {("DevbayAllocationsFailing", FAULTY)}),
    (cdi_cannot_be_written, {("DevbayCdiWriteFailures", "")}),
    (the_kubelet_stops, {("DevbayResourceUnregistered", GPU), ("DevbayResourceUnregistered", FAULTY)}),
    (
        the_kubelet_restarts_all_the_time,
        {("DevbayRegistrationUnsteady", GPU), ("DevbayRegistrationUnsteady", FAULTY)},
    ),
    (two_hosts, {("DevbayTwoHosts", "")}),
    (the_host_stops, {("DevbayDown", ""), ("DevbayAbsent", "")}),
)
"""What happens, and which alerts fire: these and no other."""
