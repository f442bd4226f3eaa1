"""A broken backend beside a good one: a clear line names it, and the good one serves as if it were alone."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from devbay.simulator import Container, Kubelet, Pod
from tests.host.running import PATIENCE, RunningHost, running
from tests.packages import Site

MOCK = "example.com/custom-accelerator"
FAULTY = "example.com/faulty"
QUICK = {
    "DEVBAY_DEADLINES__DISCOVER": "0.3",
    "DEVBAY_DEADLINES__CHECK": "0.3",
    "DEVBAY_DEADLINES__EDIT": "0.3",
    "DEVBAY_DEADLINES__LOAD": "2",
    "DEVBAY_HEALTH__SCAN_INTERVAL": "0.1",
}


@asynccontextmanager
async def beside_mock(
    site: Site, place: Path, *packages: str, backends: str = "*", **variables: str
) -> AsyncIterator[RunningHost]:
    """Run a host with some packages of the site installed beside the mock backend, whose one device is a real node."""
    (place / "class/null").mkdir(parents=True)
    (place / "class/null/status").write_text("online\n")
    settings = {"DEVBAY_BACKENDS": backends, "DEVBAY_MOCK__ROOT": f"{place}/class"}
    environment = os.environ | site.environ(*packages)
    async with running(place / "plugins", environment, **QUICK, **settings, **variables) as host:
        yield host


async def allocatable(kubelet: Kubelet, resource: str, count: int) -> None:
    """Wait until the node has so many devices to give."""
    what = f"{count} allocatable {resource}"
    await kubelet.wait_until(lambda: kubelet.allocatable.get(resource) == count, PATIENCE, what)


def pod(resource: str, name: str = "p") -> Pod:
    """Return a pod that asks for one device."""
    return Pod(name=name, containers=(Container(name="main", limits={resource: 1}),))


@pytest.mark.parametrize(
    ("package", "distribution", "reason"),
    [
        pytest.param("devbay-noimport", "devbay-noimport", "ModuleNotFoundError", id="does-not-import"),
        pytest.param("devbay-exitimport", "devbay-exitimport", "SystemExit", id="exits-at-import"),
        pytest.param("devbay-hangimport", "devbay-hangimport", "did not answer within 2 s", id="hangs-at-import"),
        pytest.param("devbay-typo", "devbay-typo", "did you mean", id="misspells-a-hook"),
        pytest.param("devbay-argument", "devbay-argument", "argument", id="misnames-an-argument"),
        pytest.param("devbay-noedit", "devbay-noedit", "has no hook edit", id="lacks-edit"),
        pytest.param("devbay-unmarked", "devbay-unmarked", "has no hook discover", id="forgets-hookimpl"),
        pytest.param("devbay-early", "devbay-early", "too old", id="older-generation"),
        pytest.param("devbay-late", "devbay-late", "too new", id="newer-generation"),
    ],
)
async def test_a_backend_that_cannot_be_loaded_is_named(  # noqa: PLR0913, PLR0917 - fixtures and cases
    broken_site: Site, place: Path, kubelet: Kubelet, package: str, distribution: str, reason: str
) -> None:
    """A backend that does not load costs one line with its distribution, version and reason; the other runs (P1)."""
    async with beside_mock(broken_site, place, package) as host:
        await allocatable(kubelet, MOCK, 1)
        line = await host.says("backend rejected")

        assert line["distribution"].startswith(f"{distribution} ")
        assert reason in line["reason"]


async def test_two_backends_of_one_name_are_both_refused(broken_site: Site, place: Path, kubelet: Kubelet) -> None:
    """Of two distributions with one entry point name neither is guessed at; both are named (P1)."""
    async with beside_mock(broken_site, place, "devbay-namesake-a", "devbay-namesake-b") as host:
        await allocatable(kubelet, MOCK, 1)
        await host.says("backend rejected", times=2)

        reasons = {line["reason"] for line in host.logged("backend rejected")}
        assert len(reasons) == 1
        assert all(name in reasons.copy().pop() for name in ("devbay-namesake-a", "devbay-namesake-b"))


@pytest.mark.parametrize("package", ["devbay-early", "devbay-typo"])
async def test_a_backend_that_is_asked_for_and_rejected_stops_nothing(
    broken_site: Site, place: Path, kubelet: Kubelet, package: str
) -> None:
    """A backend that this node's line names, and that cannot be run, does not keep the others from it (P1, P2)."""
    name = package.removeprefix("devbay-")
    async with beside_mock(broken_site, place, package, backends=f"mock,{name}") as host:
        await allocatable(kubelet, MOCK, 1)

        assert (await host.says("backend rejected"))["backend"] == name


@pytest.mark.parametrize("hook", ["discover", "check"])
@pytest.mark.parametrize("fault", ["raise", "exit", "hang", "nonsense", "none"])
async def test_a_fault_is_reported_and_passes(
    broken_site: Site, place: Path, kubelet: Kubelet, hook: str, fault: str
) -> None:
    """A backend that raises, exits, hangs or answers nonsense turns its devices unhealthy, and recovers (P3)."""
    trouble = place / "trouble"
    section = {
        "DEVBAY_FAULTY__HOOK": hook,
        "DEVBAY_FAULTY__FAULT": fault,
        "DEVBAY_FAULTY__WHILE_EXISTS": str(trouble),
    }
    async with beside_mock(broken_site, place, "devbay-faulty", backends="mock,faulty", **section) as host:
        await allocatable(kubelet, FAULTY, 1)

        trouble.touch()
        line = await host.says("backend fails", backend="faulty")
        assert "devbay-faulty" in line["reason"]
        assert hook in line["reason"]
        await allocatable(kubelet, FAULTY, 0)
        assert (await kubelet.create_pod(pod(MOCK))).phase == "Running"

        trouble.unlink()
        await allocatable(kubelet, FAULTY, 1)
        assert host.logged("device unhealthy", backend="mock") == []


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ("raise", "edit raised RuntimeError"),
        ("exit", "edit raised SystemExit"),
        ("hang", "edit did not answer within 0.3 s"),
        ("nonsense", "edit returned int 42"),
        ("none", "edit returned NoneType None"),
    ],
)
async def test_an_edit_that_fails_rejects_that_pod_alone(
    broken_site: Site, place: Path, kubelet: Kubelet, fault: str, text: str
) -> None:
    """A backend that cannot say what a container needs fails that pod, with the reason in its message (P3, P14)."""
    trouble = place / "trouble"
    section = {
        "DEVBAY_FAULTY__HOOK": "edit",
        "DEVBAY_FAULTY__FAULT": fault,
        "DEVBAY_FAULTY__WHILE_EXISTS": str(trouble),
    }
    trouble.touch()
    async with beside_mock(broken_site, place, "devbay-faulty", backends="mock,faulty", **section) as host:
        await allocatable(kubelet, MOCK, 1)
        await host.says("cannot say what a container needs")
        await kubelet.wait_until(lambda: FAULTY in kubelet.capacity, PATIENCE, "the resource")
        status = await kubelet.create_pod(pod(FAULTY))

        assert status.phase == "Failed"
        # A backend whose edit hangs has unhealthy devices soon, so that no pod is even tried.
        assert "devbay-faulty" in status.message or "no healthy devices" in status.message
        assert any(text in str(line.get("reason")) for line in host.lines)
        assert (await kubelet.create_pod(pod(MOCK, "q"))).phase == "Running"

        if fault == "hang":
            await allocatable(kubelet, FAULTY, 0)
        trouble.unlink()
        await allocatable(kubelet, FAULTY, 1)
        assert (await kubelet.create_pod(pod(FAULTY, "r"))).phase == "Running"


@pytest.mark.parametrize("case", ["twins", "illegal-resource", "illegal-id", "wrong-types"])
async def test_wrong_devices_cost_themselves_alone(broken_site: Site, place: Path, kubelet: Kubelet, case: str) -> None:
    """Two devices with one id, an illegal id, an illegal name: each is a line, and its neighbours are offered (P13)."""
    async with beside_mock(broken_site, place, "devbay-odd", DEVBAY_ODD__CASE=case) as host:
        await allocatable(kubelet, MOCK, 1)
        line = await host.says("device rejected")
        await kubelet.wait_until(lambda: kubelet.allocatable.get("example.com/odd", 0) > 0, PATIENCE, "a neighbour")

        assert line["distribution"] == "devbay-odd 0.0.1"
        assert line["device"]
        assert line["reason"]


@pytest.mark.parametrize("case", ["not-a-list", "text", "broken-off"])
async def test_an_answer_that_is_none_is_named(broken_site: Site, place: Path, kubelet: Kubelet, case: str) -> None:
    """What is no list of devices, or breaks off while it is read, is the backend's fault, said so (P3)."""
    async with beside_mock(broken_site, place, "devbay-odd", DEVBAY_ODD__CASE=case) as host:
        await allocatable(kubelet, MOCK, 1)
        line = await host.says("backend fails", backend="odd")

        assert line["reason"].startswith("devbay-odd 0.0.1: discover ")


async def test_a_backend_named_as_a_section_is_refused_alone(broken_site: Site, place: Path, kubelet: Kubelet) -> None:
    """A backend with the name of a section of the configuration is rejected; everything else runs (P20)."""
    async with beside_mock(broken_site, place, "devbay-reserved") as host:
        await allocatable(kubelet, MOCK, 1)

        assert {line["backend"] for line in host.logged("backend rejected")} == {"config", "deadlines"}


async def test_a_wrong_section_stops_its_backend_alone(broken_site: Site, place: Path, kubelet: Kubelet) -> None:
    """A backend whose part of the configuration does not fit is not run, and the line names key and remedy (P20)."""
    async with beside_mock(broken_site, place, "devbay-widget", DEVBAY_WIDGET__CONT="4") as host:
        await allocatable(kubelet, MOCK, 1)

        assert "did you mean 'DEVBAY_WIDGET__COUNT'?" in (await host.says("backend rejected"))["reason"]


@pytest.mark.parametrize("fault", ["raise", "exit", "none"])
async def test_an_affinity_that_fails_is_not_close(
    broken_site: Site, place: Path, kubelet: Kubelet, fault: str
) -> None:
    """P3, P15: what `affinity` raises or answers costs closeness alone, said once; pods get devices as before."""
    section = {
        "DEVBAY_FAULTY__HOOK": "affinity",
        "DEVBAY_FAULTY__FAULT": fault,
        "DEVBAY_FAULTY__COUNT": "3",
    }
    async with beside_mock(broken_site, place, "devbay-faulty", backends="mock,faulty", **section) as host:
        await allocatable(kubelet, FAULTY, 3)
        if fault != "none":  # None is an answer: not close
            await host.says("affinity is not known", backend="faulty")
        status = await kubelet.create_pod(pod(FAULTY))

        assert status.phase == "Running"
        assert len(host.logged("affinity is not known")) == (fault != "none")


async def test_a_hung_affinity_costs_closeness_alone(broken_site: Site, place: Path, kubelet: Kubelet) -> None:
    """P3, P15: an `affinity` past its deadline is said once; its backend's devices stay healthy, and are given."""
    section = {
        "DEVBAY_FAULTY__HOOK": "affinity",
        "DEVBAY_FAULTY__FAULT": "hang",
        "DEVBAY_FAULTY__COUNT": "2",
        "DEVBAY_DEADLINES__AFFINITY": "0.3",
    }
    async with beside_mock(broken_site, place, "devbay-faulty", backends="mock,faulty", **section) as host:
        line = await host.says("affinity is not known", backend="faulty")
        await allocatable(kubelet, FAULTY, 2)
        status = await kubelet.create_pod(pod(FAULTY))

        assert status.phase == "Running"
        assert "affinity did not answer within 0.3 s" in line["reason"]
        assert len(host.logged("affinity is not known")) == 1
        assert host.logged("backend fails") == []
        assert host.logged("device unhealthy") == []


@pytest.mark.parametrize("hook", ["discover", "check", "edit", "watch", "prepare", "affinity"])
async def test_sigterm_does_not_wait_for_a_hung_call(
    broken_site: Site, place: Path, kubelet: Kubelet, hook: str
) -> None:
    """With a call of any hook hanging, SIGTERM still ends the host with 0 and no socket (P22)."""
    section = {
        "DEVBAY_FAULTY__HOOK": hook,
        "DEVBAY_FAULTY__FAULT": "hang",
        "DEVBAY_FAULTY__COUNT": "2",
        "DEVBAY_DEADLINES__PREPARE": "0.3",
        "DEVBAY_DEADLINES__AFFINITY": "0.3",
    }
    async with beside_mock(broken_site, place, "devbay-faulty", backends="mock,faulty", **section) as host:
        await allocatable(kubelet, MOCK, 1)
        if hook == "prepare":
            await allocatable(kubelet, FAULTY, 2)
            status = await kubelet.create_pod(pod(FAULTY))
            assert "prepare did not answer" in status.container("main").message
        elif hook == "affinity":
            await host.says("affinity is not known", backend="faulty")
        elif hook != "watch":
            await host.says("backend fails", backend="faulty", state="hung")

        assert await host.stop() == 0
        assert not list(place.glob("plugins/devbay-*"))


@pytest.mark.parametrize("variable", ["FAULTY_CLOSE", "FAULTY_SETTINGS"])
async def test_sigterm_does_not_wait_for_a_hung_close_or_load(
    broken_site: Site, place: Path, kubelet: Kubelet, variable: str
) -> None:
    """A backend that hangs in its last call, or in its first, does not hold the end up (P22)."""
    async with beside_mock(broken_site, place, "devbay-faulty", backends="mock,faulty", **{variable: "hang"}) as host:
        await allocatable(kubelet, MOCK, 1)

        assert await host.stop() == 0
        assert not list(place.glob("plugins/devbay-*"))
