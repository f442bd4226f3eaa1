"""What is offered: which resource has which devices, whole or in shares."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbay.holders import Replica
from devbay.inventory import DeviceStatus, Key
from devbay.model import HEALTHY, Device
from devbay.offers import Offer, Refusal, Rule, Rules, mixed, offers, withheld
from devbay.selector import parse
from devbay.sharing import Rule as Replicas
from devbay.sharing import Sharing, device_id

GPU = "example.com/gpu"
NIC = "example.com/nic"


def found(resource: str, *ids: str, backend: str = "b") -> dict[str, tuple[DeviceStatus, ...]]:
    """Return devices as a snapshot has them; each has its place in `ids` for an index."""
    devices = (Device(id=one, resource=resource, attributes={"index": n}) for n, one in enumerate(ids))
    return {resource: tuple(DeviceStatus(device=d, backend=backend, health=HEALTHY) for d in devices)}


def advertised(devices: Mapping[str, Sequence[DeviceStatus]], *rules: Rule) -> dict[str, list[str]]:
    """Return the ids that are advertised, by resource; nothing may be refused."""
    made, refused = offers(devices, Rules(rules))
    assert not refused
    return {name: [one for share in offer.shares for one in share.ids] for name, offer in made.items()}


def shared(*replicas: Replicas, pattern: str = GPU, one_per_request: bool = False) -> Rule:
    """Return a rule that shares a resource."""
    return Rule(pattern=pattern, sharing=Sharing(rules=replicas, one_per_request=one_per_request))


def test_nothing_configured() -> None:
    """P16: without configuration each resource is offered as its backend found it."""
    made, refused = offers(found(GPU, "a"), Rules())
    (status,) = found(GPU, "a")[GPU]

    assert made == {GPU: Offer(resource=GPU, source=GPU, shares=((status, ("a",)),))}  # type: ignore[arg-type]  # a Share is a tuple
    assert refused == ()


def test_all_devices_shared() -> None:
    """P16: replicas of all devices, under the resource's own name; other resources are not touched."""
    devices = found(GPU, "a", "b") | found(NIC, "n")

    assert advertised(devices, shared(Replicas(replicas=2))) == {GPU: ["a::0", "a::1", "b::0", "b::1"], NIC: ["n"]}


@pytest.mark.parametrize(("rename", "name"), [(True, f"{GPU}.shared"), ("example.com/slice", "example.com/slice")])
def test_renamed(rename: str | bool, name: str) -> None:  # noqa: FBT001 - the setting has both types
    """P16: shares can have a name of their own, so that nobody takes one for a whole device."""
    assert advertised(found(GPU, "a"), shared(Replicas(replicas=2, rename=rename))) == {name: ["a::0", "a::1"]}


def test_some_devices_shared() -> None:
    """P16: different numbers for different devices; the first rule that means one counts, and 1 keeps it whole."""
    rules = shared(
        Replicas(selectors=(parse({"id": "a"}),), replicas=3, rename=True),
        Replicas(selectors=(parse({"index": "<= 1"}),), replicas=1),
        Replicas(replicas=2),
    )

    assert advertised(found(GPU, "a", "b", "c"), rules) == {
        GPU: ["b", "c::0", "c::1"],
        f"{GPU}.shared": ["a::0", "a::1", "a::2"],
    }


def test_a_number_of_devices_shared() -> None:
    """P16: as many devices as were asked for are shared, the first by index, and the others stay whole."""
    rule = shared(Replicas(replicas=2, count=2, rename=True))

    assert advertised(found(GPU, "z", "y", "a"), rule) == {
        GPU: ["a"],
        f"{GPU}.shared": ["z::0", "z::1", "y::0", "y::1"],
    }


@given(
    st.lists(st.sampled_from("abcdef"), unique=True, min_size=1),
    st.lists(
        st.builds(Replicas, replicas=st.integers(1, 4), count=st.none() | st.integers(1, 6), rename=st.booleans())
    ),
)
def test_no_device_is_offered_twice(ids: list[str], rules: list[Replicas]) -> None:
    """P16: whole and shared offers of one resource never collide, and no device is left out."""
    by_name = advertised(found(GPU, *ids), shared(*rules))
    devices = [(name, device_id(one)) for name, ones in by_name.items() for one in ones]

    assert sorted({device for _, device in devices}) == sorted(ids)
    assert len(set(devices)) == len(ids)
    assert len({one for ones in by_name.values() for one in ones}) == len(devices)


def test_a_name_that_is_another_resources() -> None:
    """P16: shares are not offered as a resource that another one's devices are; the text names both and a remedy."""
    made, refused = offers(found(GPU, "a") | found(NIC, "n"), Rules((shared(Replicas(replicas=2, rename=NIC)),)))

    assert list(made) == [NIC]
    assert made[NIC].source == NIC
    assert refused == (
        Refusal(
            NIC,
            f"the shared devices of {GPU} cannot be offered as {NIC}: that is a resource of its own, with the devices "
            f"of {NIC}; give them another name",
        ),
    )


def test_two_resources_with_one_name_for_their_shares() -> None:
    """P16: a glob that gives the shares of two resources one name offers the first; ids of both could be the same."""
    rule = shared(Replicas(replicas=2, rename="example.com/x"), pattern="example.com/*")
    made, refused = offers(found(GPU, "a") | found(NIC, "a"), Rules((rule,)))

    assert {name: offer.source for name, offer in made.items()} == {"example.com/x": GPU}
    assert [refusal.resource for refusal in refused] == ["example.com/x"]


def test_a_name_that_becomes_too_long() -> None:
    """P16: a resource whose name with the suffix is illegal is refused with Kubernetes' rule, and others are not."""
    long = f"example.com/{'x' * 60}"
    made, refused = offers(
        found(long, "a") | found(GPU, "a"), Rules((shared(Replicas(replicas=2, rename=True), pattern="*"),))
    )

    assert list(made) == [f"{GPU}.shared"]
    assert "at most 63 letters" in refused[0].reason


def test_which_rule_counts() -> None:
    """P20: for each setting an exact name counts before globs, and an earlier glob before a later one."""
    rules = Rules(
        (
            Rule(pattern="*", delivery="cdi", policy="pack"),
            Rule(pattern="example.com/g*", policy="spread", delivery="direct"),
            Rule(pattern=GPU, policy="distinct"),
        )
    )

    assert (rules.policy(GPU, GPU), rules.delivery(GPU, GPU)) == ("distinct", "cdi")
    assert (rules.policy(NIC, NIC), rules.delivery(NIC, NIC)) == ("pack", "cdi")


def test_what_was_configured_for_the_source_holds_for_its_shares() -> None:
    """P16: a renamed resource has its own settings, else those of the resource it comes from."""
    rules = Rules((Rule(pattern=GPU, policy="spread", delivery="cdi"), Rule(pattern=f"{GPU}.shared", policy="pack")))

    assert rules.policy(f"{GPU}.shared", GPU) == "pack"
    assert rules.delivery(f"{GPU}.shared", GPU) == "cdi"
    assert (Rules().policy(GPU, GPU), Rules().delivery(GPU, GPU)) == (None, "direct")


def test_configured_and_not_here() -> None:
    """P20: names and globs that mean no resource of this node can be told."""
    rules = Rules((Rule(pattern=GPU), Rule(pattern="example.com/gpus"), Rule(pattern="other.com/*")))

    assert rules.unmatched([GPU, NIC]) == ("example.com/gpus", "other.com/*")


@pytest.mark.parametrize(
    ("rules", "problems"),
    [
        ([Replicas(replicas=2)], ()),
        ([Replicas(replicas=2, count=2)], ()),
        ([Replicas(replicas=2, count=3)], ("3 devices are to be shared, and 2 are here",)),
        (
            [Replicas(replicas=2, selectors=(parse({"id": "a"}), parse({"id": "x", "index": 7})))],
            ("no device with id: x, index: 7",),
        ),
        (
            [Replicas(replicas=2, selectors=(parse({"indx": 0}),))],
            ("no device has 'indx' to select by", "no device with indx: 0"),
        ),
    ],
)
def test_what_sharing_asks_for_and_is_not_here(rules: list[Replicas], problems: tuple[str, ...]) -> None:
    """P16, P20: too few devices, an id that is not here and a mistyped attribute are told; the rest is shared."""
    devices = [status.device for status in found(GPU, "a", "b")[GPU]]

    assert Sharing(rules=tuple(rules)).shortfalls(devices) == problems


@pytest.mark.parametrize(
    ("rules", "resource", "held"),
    [
        ((), GPU, "a::1"),
        ((), f"{GPU}.shared", "a::1"),
        ((shared(Replicas(replicas=2)),), GPU, "a"),
        ((shared(Replicas(replicas=2, rename=True)),), GPU, "a"),
    ],
)
def test_a_device_is_not_given_whole_and_shared(rules: tuple[Rule, ...], resource: str, held: str) -> None:
    """P16: while a pod holds a device in the form it had before its sharing was changed, nobody gets it in the new."""
    made, _ = offers(found(GPU, "a", "b"), Rules(rules))
    other = mixed(made.values(), [(Key(GPU, "a"), Replica(resource, held))])
    assert other == {Key(GPU, "a"): Replica(resource, held)}

    ((health, untouched),) = [
        [share.status.health for share in withheld(offer, other).shares] for offer in made.values()
    ]
    assert not health
    assert f"as {held} of {resource}" in health.reason
    assert untouched


def test_a_device_that_is_held_as_it_is_offered_is_not_withheld() -> None:
    """P16: that a device is held as it is offered costs nobody a share of it."""
    made, _ = offers(found(GPU, "a", "b"), Rules((shared(Replicas(replicas=2)),)))

    assert mixed(made.values(), [(Key(GPU, "a"), Replica(GPU, "a::1")), (Key(NIC, "a"), Replica(NIC, "a"))]) == {}
