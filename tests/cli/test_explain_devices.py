"""``devbay explain device`` and ``devbay explain resource``: every why of a device, in one place."""

import asyncio
import json
from pathlib import Path

import pytest

from devbay.simulator import Container, Kubelet, Pod
from tests.cli.conftest import Devbay
from tests.cli.nodes import RESOURCE, NodeTree, make
from tests.host.running import running

CONFIGURATION = f"""
resources:
  {RESOURCE}:
    policy: spread
    delivery: cdi
    sharing:
      devices:
      - {{select: {{id: acc0}}, replicas: 3, rename: example.com/third}}
      replicas: 2
"""


@pytest.fixture
def node(place: Path) -> NodeTree:
    """Make a node with two devices that work and one that does not."""
    node = make(place)
    node.device("acc2", "offline")
    return node


@pytest.fixture
def shared(node: NodeTree) -> dict[str, str]:
    """Share devices, by two entries of a file."""
    return node.variables | {"DEVBAY_CONFIG": str(node.write("config.yaml", CONFIGURATION))}


def facts(text: str) -> dict[str, str]:
    """Return what is printed, by its labels."""
    pairs = ((line[2:16].strip(), line[16:]) for line in text.splitlines()[1:] if line.startswith("  "))
    return {label: value for label, value in pairs if label}


def test_a_device_is_told_whole(devbay: Devbay, node: NodeTree) -> None:
    """Whose it is, how it is, what it is offered as and with which defaults, and its nodes."""
    shown = devbay("explain", "device", "acc0", environment=node.variables)

    told = facts(shown.stdout)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith(f"device acc0 of {RESOURCE}\n")
    assert told["Found by"].startswith("backend mock (devbay-mock ")
    assert told["Why"] == f"found by its directory {node.root}/class/acc0"
    assert "status must be online, and reads online" in shown.stdout
    assert (told["Health"], told["Sharing"]) == ("healthy", "whole: nothing is configured")
    assert (told["Delivery"], told["Policy"]) == ("direct, the default", "topology, the default for what it has")
    assert told["Held by"].startswith("not known: pod-resources socket")
    assert told["Paths"] == f"{node.root}/dev/acc0: a character device"


def test_a_device_that_fails_says_why(devbay: Devbay, node: NodeTree) -> None:
    """P12: the reason is the backend's own, and the command fails as a container would."""
    shown = devbay("explain", "device", "acc2", environment=node.variables)

    assert shown.returncode == 1
    assert facts(shown.stdout)["Health"] == "unhealthy: status is offline, not online"


def test_the_entry_that_decided_is_named(devbay: Devbay, shared: dict[str, str]) -> None:
    """P16: which rule shares a device, and as what, is said with its place in the configuration."""
    first = facts(devbay("explain", "device", "acc0::2", environment=shared).stdout)
    second = facts(devbay("explain", "device", "acc1", environment=shared).stdout)

    at = f"resources.{RESOURCE}"
    assert first["Offered as"] == "example.com/third"
    assert first["Sharing"] == f"in 3 shares, as example.com/third, by {at}.sharing, entry 1 (id: acc0)"
    assert second["Sharing"] == f"in 2 shares, by {at}.sharing, entry 2 (all devices)"
    assert second["Delivery"] == f"cdi, by {at}.delivery; as devbay.{RESOURCE}=acc1"
    assert second["Policy"] == f"spread, by {at}.policy"


def test_a_resource_is_told_with_all_that_its_devices_are_offered_as(devbay: Devbay, shared: dict[str, str]) -> None:
    """P16: asked by the backend's name, what is renamed is told too; programs read the same."""
    shown = devbay("explain", "resource", RESOURCE, "-o", "json", environment=shared)

    told = {one["resource"]: one for one in json.loads(shown.stdout)["resources"]}
    assert told.keys() == {RESOURCE, "example.com/third"}
    assert told[RESOURCE]["devices_here"] == "2, 1 of them healthy, in 4 shares"
    assert [row["ids"] for row in told["example.com/third"]["devices"]] == [["acc0::0", "acc0::1", "acc0::2"]]


async def test_who_has_a_device_is_the_kubelets_word(devbay: Devbay, node: NodeTree) -> None:
    """P10: the pod and container that hold an id are named; so is who serves it, and what the kubelet knows."""
    pod = Pod(name="p", containers=(Container(name="c", limits={RESOURCE: 2}),))
    async with (
        Kubelet(node.plugins, pod_resources_socket=node.root / "pr.sock") as kubelet,
        running(node.plugins, **node.variables),
    ):
        await kubelet.wait_until(lambda: kubelet.allocatable.get(RESOURCE) == 2, what="two devices")
        await kubelet.create_pod(pod)
        one, other, whole = await asyncio.gather(
            asyncio.to_thread(devbay, "explain", "device", "acc0", environment=node.variables),
            asyncio.to_thread(devbay, "explain", "device", "acc2", environment=node.variables),
            asyncio.to_thread(devbay, "explain", "resource", RESOURCE, environment=node.variables),
        )

    told = facts(whole.stdout)
    assert facts(one.stdout)["Held by"] == "acc0: default/p (c)"
    assert facts(other.stdout)["Held by"] == "nobody"
    assert (told["Held"], told["Kubelet"]) == ("2 of 3 ids", "knows 2 healthy ids of it")
    assert told["Served by"].startswith("devbay-")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["device", "acc11"], "there is no device 'acc11'; did you mean 'acc1'?"),
        (["device", "acc1", "--resource", "a.com/b"], "there is no device 'acc1' of a.com/b; there are none here"),
        (["resource", "example.com/custom-acelerator"], f"did you mean '{RESOURCE}'?"),
        (["resource", "x"], f"there are {RESOURCE}"),
    ],
)
def test_what_is_not_there_is_named_with_what_is(
    devbay: Devbay, node: NodeTree, arguments: list[str], said: str
) -> None:
    """A name that nobody has is an error with the nearest one."""
    shown = devbay("explain", *arguments, environment=node.variables)

    assert (shown.returncode, shown.stdout) == (2, "")
    assert said in shown.stderr


def test_shares_and_the_configured_policy_count_for_allocations(devbay: Devbay, shared: dict[str, str]) -> None:
    """P15, P16: what is chosen from is what is advertised, by the policy that is configured unless another is named."""
    told = json.loads(devbay("explain", "allocate", "example.com/third", "2", "-o", "json", environment=shared).stdout)
    other = devbay("explain", "allocate", RESOURCE, "1", "--policy", "pack", "-o", "json", environment=shared)
    gone = devbay("explain", "allocate", RESOURCE, "3", environment=shared)

    assert (told["policy"], told["chosen"]) == ("spread", ["acc0::0", "acc0::1"])
    assert (json.loads(other.stdout)["policy"], json.loads(other.stdout)["chosen"]) == ("pack", ["acc1::0"])
    assert gone.returncode == 1
    assert "2 can be given: no more devices of it are healthy" in gone.stderr


def test_a_resource_that_is_offered_under_another_name_only_is_named(devbay: Devbay, node: NodeTree) -> None:
    """P16: who asks for the backend's name is told what its devices are called here."""
    text = f"resources: {{{RESOURCE}: {{sharing: {{replicas: 2, rename: true}}}}}}"

    shown = devbay(
        "explain", "allocate", RESOURCE, "1", "--config", str(node.write("c.yaml", text)), environment=node.variables
    )

    assert shown.returncode == 2
    assert f"its devices are offered as {RESOURCE}.shared" in shown.stderr
