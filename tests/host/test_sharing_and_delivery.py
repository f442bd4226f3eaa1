"""Shared devices and CDI delivery, from a configuration to a pod's container (P16, P18, P19)."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from devbay.simulator import Container, ContainerStatus, Kubelet, Pod
from tests.host.running import PATIENCE, RunningHost, running
from tests.packages import Site

RESOURCE = "example.com/locker"
SHARED = f"{RESOURCE}.shared"


@asynccontextmanager
async def node(site: Site, place: Path, resources: str, **variables: str) -> AsyncIterator[tuple[RunningHost, Kubelet]]:
    """Run a host with two lockers, configured so, beside a kubelet whose runtime reads the host's specifications."""
    root = place / "lockers"
    root.mkdir(exist_ok=True)
    for name, device in (("a", "/dev/null"), ("b", "/dev/zero")):
        if not (root / name).is_symlink():
            (root / name).symlink_to(device)
    config = place / "config.yaml"
    config.write_text(f"cdi: {{directory: {place}/cdi}}\nlocker: {{root: {root}}}\nresources: {resources}\n")
    settings = {"DEVBAY_CONFIG": f"{config}", "DEVBAY_BACKENDS": "locker"} | variables
    async with (
        Kubelet(place / "plugins", cdi_dirs=(place / "cdi",)) as kubelet,
        running(place / "plugins", os.environ | site.environ("devbay-locker"), **settings) as host,
    ):
        yield host, kubelet


async def offered(kubelet: Kubelet, **count: int) -> None:
    """Wait until the node can give so much of the resource, and so much of its shares under their own name."""
    wanted = {{"plain": RESOURCE, "shared": SHARED}[name]: n for name, n in count.items()}
    await kubelet.wait_until(lambda: kubelet.allocatable == wanted, PATIENCE, f"allocatable {wanted}")


def pod(name: str, resource: str = RESOURCE, count: int = 1) -> Pod:
    """Return a pod that asks for so much of a resource."""
    return Pod(name=name, containers=(Container(name="main", limits={resource: count}),))


async def started(kubelet: Kubelet, name: str = "p", resource: str = RESOURCE, count: int = 1) -> ContainerStatus:
    """Run such a pod, and return its container's status."""
    return (await kubelet.create_pod(pod(name, resource, count))).container("main")


async def test_shared_devices_reach_several_pods(broken_site: Site, place: Path) -> None:
    """P16: each share is one more pod; pods with shares of one device get its nodes and variables, once each."""
    async with node(broken_site, place, f"{{{RESOURCE}: {{sharing: {{replicas: 2}}}}}}") as (_, kubelet):
        await offered(kubelet, plain=4)
        pods = [await started(kubelet, name) for name in "pqrs"]
        rejected = await kubelet.create_pod(pod("t"))

        assert sorted(status.env["LOCKERS"] for status in pods) == ["a", "a", "b", "b"]
        assert all(len(status.device_nodes) == 1 for status in pods)
        assert rejected.phase == "Failed"


async def test_two_shares_are_of_two_devices(broken_site: Site, place: Path) -> None:
    """P15, P16: a pod that asks for two shares gets them of two devices while both are free, in one answer."""
    async with node(broken_site, place, f"{{{RESOURCE}: {{sharing: {{replicas: 4}}}}}}") as (_, kubelet):
        await offered(kubelet, plain=8)
        status = await started(kubelet, count=2)

        assert sorted(status.env["LOCKERS"].split(",")) == ["a", "b"]
        assert sorted(node.path for node in status.device_nodes) == ["/dev/locker-a", "/dev/locker-b"]


async def test_whole_and_shared_side_by_side(broken_site: Site, place: Path) -> None:
    """P16: one device whole and another in shares, under two names, never the same device under both."""
    sharing = "{devices: [{select: {id: b}, replicas: 3}], rename: true}"
    async with node(broken_site, place, f"{{{RESOURCE}: {{sharing: {sharing}}}}}") as (_, kubelet):
        await offered(kubelet, plain=1, shared=3)

        assert list(kubelet.devices(RESOURCE)) == ["a"]
        assert sorted(kubelet.devices(SHARED)) == ["b::0", "b::1", "b::2"]


async def test_one_share_per_container(broken_site: Site, place: Path) -> None:
    """P16: where one share is the limit, the pod that asks for two fails with the reason in its message."""
    async with node(broken_site, place, f"{{{RESOURCE}: {{sharing: {{replicas: 2, one_per_request: true}}}}}}") as (
        _,
        kubelet,
    ):
        await offered(kubelet, plain=4)
        status = await kubelet.create_pod(pod("p", count=2))

        assert status.phase == "Failed"
        assert "a container may have one share of it" in status.message


@pytest.mark.parametrize("delivery", ["direct", "cdi", "cdi-annotations"])
async def test_a_container_is_the_same_by_every_way(broken_site: Site, place: Path, delivery: str) -> None:
    """P18: node, mount and variable reach the container whatever way they go, and no backend knows which."""
    async with node(broken_site, place, f"{{'*': {{delivery: {delivery}}}}}") as (_, kubelet):
        await offered(kubelet, plain=2)
        status = await started(kubelet, count=2)

        assert {(node.path, node.host_path or node.path) for node in status.device_nodes} == {
            ("/dev/locker-a", "/dev/null"),
            ("/dev/locker-b", "/dev/zero"),
        }
        assert {mount.container_path for mount in status.mounts} == {"/locker/a", "/locker/b"}
        assert sorted(status.env["LOCKERS"].split(",")) == ["a", "b"]
        assert sorted(status.final.cdi_devices) == (
            [] if delivery == "direct" else [f"devbay.example.com/locker={name}" for name in "ab"]
        )


async def test_shares_are_one_cdi_device(broken_site: Site, place: Path) -> None:
    """P16, P18: two pods with shares of one device are given one CDI device; the file has an entry per device."""
    resources = f"{{{RESOURCE}: {{sharing: {{replicas: 4, rename: true}}, delivery: cdi}}}}"
    async with node(broken_site, place, resources) as (_, kubelet):
        await offered(kubelet, shared=8)
        pods = [await started(kubelet, name, SHARED, 3) for name in "pq"]

        assert [sorted(status.final.cdi_devices) for status in pods] == [
            ["devbay.example.com/locker=a", "devbay.example.com/locker=b"]
        ] * 2
        assert [path.name for path in (place / "cdi").iterdir()] == ["devbay.example.com_locker.json"]


async def test_a_hook_reaches_the_container(broken_site: Site, place: Path) -> None:
    """P18: a hook, which no answer to the kubelet can hold, is run by the runtime where delivery is through CDI."""
    async with node(broken_site, place, f"{{{RESOURCE}: {{delivery: cdi}}}}", DEVBAY_LOCKER__HOOK="/bin/true") as (
        _,
        kubelet,
    ):
        await offered(kubelet, plain=2)
        status = await started(kubelet, count=2)

        assert [hook.path for hook in status.hooks] == ["/bin/true"]


async def test_a_hook_that_cannot_be_delivered_is_said(broken_site: Site, place: Path) -> None:
    """P18: delivered directly a container goes without hooks; the log says so, with the remedy."""
    async with node(broken_site, place, "{}", DEVBAY_LOCKER__HOOK="/bin/true") as (host, kubelet):
        await offered(kubelet, plain=2)
        await started(kubelet)

        assert (await host.says("hooks reach a container through CDI only; set delivery: cdi"))["hooks"] == [
            "/bin/true"
        ]


async def test_a_container_restarts_while_the_host_is_stopped(broken_site: Site, place: Path) -> None:
    """P19: specifications stay when the host stops; a container that restarts then gets what it had."""
    (place / "config.yaml").write_text(f"cdi: {{directory: {place}/cdi}}\nresources: {{'*': {{delivery: cdi}}}}\n")
    widgets = {"DEVBAY_BACKENDS": "widget", "DEVBAY_WIDGET__PATH": "/dev/null", "DEVBAY_WIDGET__COUNT": "1"}
    environment = os.environ | broken_site.environ("devbay-widget")
    async with (
        Kubelet(place / "plugins", cdi_dirs=(place / "cdi",)) as kubelet,
        running(place / "plugins", environment, DEVBAY_CONFIG=f"{place}/config.yaml", **widgets) as host,
    ):
        await kubelet.wait_until(lambda: bool(kubelet.allocatable), PATIENCE, "a widget")
        status = await started(kubelet, resource="example.com/widget")
        files = {path: path.read_text() for path in (place / "cdi").iterdir()}
        await host.stop()
        again = (await kubelet.restart_container("p", "main")).container("main")

        assert {path: path.read_text() for path in (place / "cdi").iterdir()} == files
        assert (again.restart_count, again.state) == (1, "Running")
        assert again.final == status.final
        assert [node.path for node in again.device_nodes] == ["/dev/null"]


async def test_a_specification_that_cannot_be_written_fails_the_pod(broken_site: Site, place: Path) -> None:
    """P19: no container starts without its device: the pod fails, and its message names the directory."""
    (place / "cdi").write_text("not a directory")
    async with node(broken_site, place, f"{{{RESOURCE}: {{delivery: cdi}}}}") as (host, kubelet):
        await offered(kubelet, plain=2)
        await host.says("CDI specification not written")
        status = await kubelet.create_pod(pod("p"))

        assert status.phase == "Failed"
        assert f"{place}/cdi" in status.message
        (place / "cdi").unlink()
        assert (await started(kubelet, "q")).device_nodes


async def test_a_deleted_specification_comes_back(broken_site: Site, place: Path) -> None:
    """P19: a specification that somebody deletes is there again before the next container needs it."""
    async with node(broken_site, place, f"{{{RESOURCE}: {{delivery: cdi}}}}") as (_, kubelet):
        await offered(kubelet, plain=2)
        file = place / "cdi/devbay.example.com_locker.json"
        await kubelet.wait_until(file.exists, PATIENCE, "a specification")
        file.unlink()
        await kubelet.wait_until(file.exists, PATIENCE, "the specification again")
