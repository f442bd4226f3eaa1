"""What people are told of a choice (P15)."""

from devbay.model import Device
from devbay.preference import Affinity, Group, Policy, explain

LINKS = {("a", "b"): 10.0, ("c", "d"): 10.0, ("e", "f"): 10.0, ("a", "c"): 1.0}
DEVICES = {
    name: Device(id=name, resource="r", numa_nodes=(at // 4,), parent=f"p{at // 2}") for at, name in enumerate("abcdef")
}


def test_a_choice_is_explained() -> None:
    """P15: who is given and why, what it is worth inside, and what was left whole or broken."""
    told = explain(DEVICES, "abcdef", ["c"], 2, affinity=Affinity.of(LINKS))

    assert told.chosen == ("c", "d")
    assert [pick.reason for pick in told.picks] == ["must be included", "affinity 10 with c"]
    assert [pick.affinity for pick in told.picks] == [10.0, 10.0]
    assert (told.policy, told.numa_nodes, told.inside, told.outside) == (Policy.TOPOLOGY, (0,), 10.0, 20.0)
    assert (told.exact, told.missing) == (True, 0)
    assert [str(group) for group in told.whole] == [
        *("NUMA node 1", "parent p0", "parent p2", "affinity group of a", "affinity group of e")
    ]
    assert told.broken == (Group(by="NUMA node", name="0", devices=("a", "b", "c", "d")),)


def test_a_group_that_was_not_all_free_is_not_left_whole() -> None:
    """P15: what someone else has a part of was not whole before."""
    told = explain(DEVICES, "abce", [], 2, affinity=Affinity.of(LINKS))

    assert told.chosen == ("a", "b")
    assert told.whole == ()


def test_too_few_are_told() -> None:
    """P15: what is missing is counted, and what there is is given because all of it is needed."""
    told = explain(DEVICES, "ab", ["unknown"], 5)

    assert (told.chosen, told.missing) == (("unknown", "a", "b"), 2)
    assert told.picks[1].reason == "all that are available are needed"


def test_second_shares_are_told() -> None:
    """P15, P16: a share of a device that gives one already says so."""
    told = explain({}, ["g0::0", "g0::1", "g1::0", "g0::2"], [], 3)

    assert told.chosen == ("g0::0", "g1::0", "g0::1")
    assert told.picks[2].reason == "one more share of g0, as the policy has it"
