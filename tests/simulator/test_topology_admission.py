"""Behaviour 49 on a running kubelet: which devices pods get, and which pods are refused, by policy and scope."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from devbay._proto import deviceplugin_v1beta1_pb2 as pb
from devbay.simulator import (
    Allocated,
    Container,
    Finding,
    Freed,
    Kubelet,
    Pod,
    PodRejected,
    TopologyDecided,
)
from devbay.simulator.topology import Policy, Scope
from tests.simulator.conftest import QUICK, listed, pod, up
from tests.simulator.plugin import RESOURCE, Plugin, device

OTHER = "example.com/other"
REFUSED = ("Failed", "TopologyAffinityError", "Pod was rejected: Resources cannot be allocated with Topology locality")


@asynccontextmanager
async def node(
    directory: Path, policy: Policy, scope: Scope = "container", *, seed: int = 0, version: str = "1.36"
) -> AsyncIterator[tuple[Kubelet, Plugin, Plugin]]:
    """Run a kubelet on two NUMA nodes, with a plugin of two widgets on each, and another of one device on each."""
    async with (
        Kubelet(
            directory, topology_policy=policy, topology_scope=scope, seed=seed, version=version, timing=QUICK
        ) as kubelet,
        Plugin(directory, device("a0", "Healthy", 0), device("b0", "Healthy", 0), *on_one("a1", "b1")) as plugin,
        Plugin(directory, device("x0", "Healthy", 0), *on_one("x1"), resource=OTHER) as other,
    ):
        await up(kubelet, plugin)
        await up(kubelet, other)
        yield kubelet, plugin, other


def on_one(*ids: str) -> list[pb.Device]:
    """Return devices on NUMA node 1."""
    return [device(name, "Healthy", 1) for name in ids]


def asks(name: str, *containers: dict[str, int], init: tuple[dict[str, int], ...] = ()) -> Pod:
    """Return a pod whose containers ``c0``, ``c1`` … ask for this, after init containers ``i0`` …."""
    return Pod(
        name=name,
        init_containers=tuple(Container(name=f"i{n}", limits=limits) for n, limits in enumerate(init)),
        containers=tuple(Container(name=f"c{n}", limits=limits) for n, limits in enumerate(containers)),
    )


def nodes_of(kubelet: Kubelet, name: str) -> list[set[str]]:
    """Return on which NUMA nodes each container's devices lie; the last letter of an id is its node."""
    return [
        {name[-1] for ids in container.devices.values() for name in ids} for container in kubelet.pods[name].containers
    ]


@pytest.mark.parametrize("policy", ["best-effort", "restricted", "single-numa-node"])
async def test_49_a_containers_resources_are_aligned(directory: Path, policy: Policy) -> None:
    """Behaviour 49: devices of two resources come from one NUMA node, whatever chance would have chosen."""
    for seed in range(4):
        async with node(directory / str(seed), policy, seed=seed) as (kubelet, _, _):
            await kubelet.create_pod(asks("p", {RESOURCE: 2, OTHER: 1}))

            assert nodes_of(kubelet, "p") == [{"0"}]
            assert kubelet.events_of(TopologyDecided)[-1].numa_nodes == (0,)


async def test_49_policy_none_aligns_nothing(directory: Path) -> None:
    """Behaviour 49: with policy none chance decides, so some pods have devices of both nodes."""
    seen = set()
    for seed in range(8):
        async with node(directory / str(seed), "none", seed=seed) as (kubelet, _, _):
            await kubelet.create_pod(asks("p", {RESOURCE: 2}))
            seen.add(len(nodes_of(kubelet, "p")[0]))
            assert kubelet.events_of(TopologyDecided) == []

    assert seen == {1, 2}


@pytest.mark.parametrize(
    ("policy", "admitted"), [("best-effort", True), ("restricted", False), ("single-numa-node", False)]
)
async def test_49_what_cannot_be_aligned_is_refused(directory: Path, policy: Policy, *, admitted: bool) -> None:
    """Behaviour 49: two pods take one device of each node; a third that needs two of one is refused but by best-effort.

    The refused pod's reason and message are the kubelet's, and nothing is allocated for it.
    """
    async with node(directory, policy) as (kubelet, plugin, _):
        await kubelet.create_pod(asks("one", {RESOURCE: 1, OTHER: 1}))
        await kubelet.create_pod(asks("two", {RESOURCE: 1, OTHER: 1}))
        before = len(plugin.asked("Allocate"))
        status = await kubelet.create_pod(asks("p", {RESOURCE: 2}))

        assert nodes_of(kubelet, "one") + nodes_of(kubelet, "two") == [{"0"}, {"1"}]
        if admitted:
            assert nodes_of(kubelet, "p") == [{"0", "1"}]
            return
        assert (status.phase, status.reason, status.message) == REFUSED
        assert [event.reason for event in kubelet.events_of(PodRejected)] == ["TopologyAffinityError"]
        assert len(plugin.asked("Allocate")) == before
        assert kubelet.metrics.admission_rejections_total == {"TopologyAffinityError": 1}


async def test_49_restricted_admits_what_can_only_be_wide(directory: Path) -> None:
    """Behaviour 49: three of four devices need both nodes, which is as good as it gets; one node is never enough."""
    async with node(directory / "r", "restricted") as (kubelet, _, _):
        assert (await kubelet.create_pod(asks("p", {RESOURCE: 3}))).phase == "Running"
    async with node(directory / "s", "single-numa-node") as (kubelet, _, _):
        status = await kubelet.create_pod(asks("p", {RESOURCE: 3}))
        assert (status.phase, status.reason, status.message) == REFUSED


async def test_49_a_shortage_is_a_topology_error_where_alignment_is_wanted(directory: Path) -> None:
    """Behaviour 49: too few devices cannot be aligned; best-effort goes on to the device manager's own words."""
    async with node(directory / "r", "restricted") as (kubelet, _, _):
        status = await kubelet.create_pod(asks("p", {RESOURCE: 5}))
        assert (status.phase, status.reason, status.message) == REFUSED
    async with node(directory / "b", "best-effort") as (kubelet, _, _):
        status = await kubelet.create_pod(asks("p", {RESOURCE: 5}))
        assert status.reason == "UnexpectedAdmissionError"
        assert "Requested: 5, Available: 4" in status.message


async def test_49_scope_container_aligns_each_container_by_itself(directory: Path) -> None:
    """Behaviour 49: two containers that each need two go to two nodes, one decision for each."""
    async with node(directory, "single-numa-node") as (kubelet, _, _):
        await kubelet.create_pod(asks("p", {RESOURCE: 2}, {RESOURCE: 2}))

        assert nodes_of(kubelet, "p") == [{"0"}, {"1"}]
        assert [(event.container, event.numa_nodes) for event in kubelet.events_of(TopologyDecided)] == [
            ("c0", (0,)),
            ("c1", (1,)),
        ]


async def test_49_scope_pod_aligns_the_pod_as_a_whole(directory: Path) -> None:
    """Behaviour 49: containers of one pod share a node by one decision; a pod too big for a node is refused."""
    async with node(directory, "single-numa-node", "pod") as (kubelet, _, _):
        await kubelet.create_pod(asks("p", {RESOURCE: 1}, {RESOURCE: 1, OTHER: 1}))
        status = await kubelet.create_pod(asks("big", {RESOURCE: 2}, {RESOURCE: 1}))

        assert nodes_of(kubelet, "p") == [{"0"}, {"0"}]
        assert [(event.container, event.numa_nodes) for event in kubelet.events_of(TopologyDecided)] == [
            ("", (0,)),
            ("", None),
        ]
        assert (status.phase, status.reason, status.message) == REFUSED


async def test_49_a_later_container_that_cannot_be_aligned_refuses_the_pod(directory: Path) -> None:
    """Behaviour 49: in scope container, what earlier containers got stays taken until the next freeing."""
    async with node(directory, "single-numa-node") as (kubelet, plugin, _):
        status = await kubelet.create_pod(asks("p", {RESOURCE: 2}, {RESOURCE: 3}))
        taken = sum(found.allocated for found in kubelet.devices(RESOURCE).values())
        later = await kubelet.create_pod(asks("later", {RESOURCE: 2}))

        assert (status.phase, status.reason, status.message) == REFUSED
        assert (taken, len(plugin.asked("Allocate"))) == (2, 2)
        assert later.phase == "Running"
        assert len(kubelet.events_of(Freed)) == 1


async def test_49_init_containers_devices_are_reused_where_they_lie(directory: Path) -> None:
    """Behaviour 49: the container after an init container gets hints for the node of what it can reuse."""
    async with node(directory, "single-numa-node") as (kubelet, _, _):
        await kubelet.create_pod(asks("p", {RESOURCE: 2}, init=({RESOURCE: 1, OTHER: 1},)))
        first, second = kubelet.events_of(TopologyDecided)

        assert first.numa_nodes == second.numa_nodes == (0,)
        init = kubelet.pods["p"].container("i0").devices[RESOURCE]
        assert set(init) < set(kubelet.pods["p"].container("c0").devices[RESOURCE])


async def test_49_hints_free_what_pods_left(directory: Path) -> None:
    """Behaviours 46 and 49: hints are a trigger of freeing, so a node that was full takes the next pod aligned."""
    async with node(directory, "single-numa-node") as (kubelet, _, _):
        await kubelet.create_pod(asks("one", {RESOURCE: 2}, {RESOURCE: 2}))
        await kubelet.create_pod(asks("plain", {}))
        await kubelet.delete_pod("one")
        status = await kubelet.create_pod(asks("two", {RESOURCE: 2}))

        assert status.phase == "Running"
        kinds = [type(event) for event in kubelet.events]
        assert kinds.index(Freed) < len(kinds) - kinds[::-1].index(TopologyDecided) - 1


async def test_49_hints_keep_what_the_last_pod_in_admission_left(directory: Path) -> None:
    """Behaviours 46 and 49: the device manager keeps the pod that was last in admission, even when it is gone.

    Its mark moves on at an Allocate, which comes after the hints: so the next pod, on a full node, is refused, and the
    one after that too, as long as nothing is allocated. A pod without devices moves it.
    """
    async with node(directory, "single-numa-node") as (kubelet, _, _):
        await kubelet.create_pod(asks("one", {RESOURCE: 2}, {RESOURCE: 2}))
        await kubelet.delete_pod("one")
        two = await kubelet.create_pod(asks("two", {RESOURCE: 2}))
        await kubelet.create_pod(asks("plain", {}))
        three = await kubelet.create_pod(asks("three", {RESOURCE: 2}))

        assert (two.phase, two.reason, two.message) == REFUSED
        assert three.phase == "Running"


async def test_49_devices_without_topology_come_last(directory: Path) -> None:
    """Behaviour 49: of a mixed resource the device with a NUMA node is taken; those without only when it must be."""
    async with (
        Kubelet(directory, topology_policy="best-effort", timing=QUICK) as kubelet,
        Plugin(directory, "n", "m", device("a1", "Healthy", 1)) as plugin,
    ):
        await up(kubelet, plugin)
        await kubelet.create_pod(pod("one"))
        await kubelet.create_pod(pod("two"))

        assert kubelet.pods["one"].container("c").devices == {RESOURCE: ("a1",)}
        assert kubelet.pods["two"].phase == "Running"


async def test_49_the_plugin_chooses_among_aligned_devices_only(directory: Path) -> None:
    """Behaviours 34 and 49: GetPreferredAllocation is asked with the devices on the chosen node, and no others."""
    async with node(directory, "restricted") as (kubelet, plugin, _):
        await plugin.stop()
        plugin.options = pb.DevicePluginOptions(get_preferred_allocation_available=True)
        await up(kubelet, plugin)
        await kubelet.create_pod(asks("p", {RESOURCE: 1}))
        (wish,) = plugin.asked("GetPreferredAllocation")

        assert (sorted(wish.available_deviceIDs), wish.allocation_size) == (["a0", "b0"], 1)


@pytest.mark.parametrize("scope", ["container", "pod"])
async def test_49_running_pods_survive_a_restart(directory: Path, scope: Scope) -> None:
    """Behaviour 49: a restarted kubelet admits its running pods again, whatever the policy, and moves nothing."""
    async with node(directory, "single-numa-node", scope) as (kubelet, plugin, _):
        await kubelet.create_pod(asks("p", {RESOURCE: 2}))
        before = kubelet.pods["p"].container("c0").devices
        await kubelet.restart()
        again = kubelet.pods["p"]

        assert (again.phase, again.container("c0").devices) == ("Running", before)
        await plugin.stop()
        await up(kubelet, plugin)
        assert (await kubelet.create_pod(asks("q", {RESOURCE: 2}))).phase == "Running"
        assert nodes_of(kubelet, "q") == [{"1"}]
        assert len(kubelet.events_of(Allocated)) == 2


@pytest.mark.parametrize(("version", "found"), [("1.36", 1), ("1.32", 0)])
async def test_30_hints_for_a_vanished_device_are_reported(directory: Path, version: str, found: int) -> None:
    """Behaviours 30 and 49: the topology of a reusable device that left the list would crash a kubelet of 1.36."""
    async with node(directory, "best-effort", version=version) as (kubelet, plugin, _):
        release = asyncio.Event()
        real = plugin.on_allocate

        async def slow(ids: Any) -> pb.AllocateResponse:
            await release.wait()
            return await real(ids)

        plugin.on_allocate = slow
        creating = asyncio.create_task(kubelet.create_pod(asks("p", {RESOURCE: 1}, init=({RESOURCE: 1},))))
        await kubelet.wait_until(lambda: plugin.asked("Allocate") != [])
        plugin.send(*on_one("a1", "b1"))
        await listed(kubelet, 2)
        release.set()
        await creating

        reports = [event for event in kubelet.events_of(Finding) if "the hints for a pod" in event.message]
        assert len(reports) == found
