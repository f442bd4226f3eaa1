"""The configuration: the network device plugin's own files, and what is told of wrong ones."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from devbay.api import BackendUnavailable
from devbay.testing import FakeNode
from devbay_sriov import Backend, Settings, config, source
from devbay_sriov.pooling import Pools, Resource, Selector
from devbay_sriov.ranges import parse
from tests.backends.sriov import trees

VENDORS = {"vendors": ["8086"]}


def read(text: str) -> Pools:
    """Return the pools of a file."""
    return source.read(text, "intel.com", "config.json")


def one(**keys: Any) -> str:
    """Return a file with one resource."""
    return json.dumps({"resourceList": [{"resourceName": "a", **keys}]})


OPERATOR = """
{"resourceList":[
  {"resourceName":"intelnics","selectors":{"vendors":["8086"],"pfNames":["eno1#0-4"],"rootDevices":["0000:86:00.0"],
   "IsRdma":false,"NeedVhostNet":true},"SelectorObj":null},
  {"resourceName":"mlnx","deviceType":"netDevice","excludeTopology":false,
   "selectors":{"vendors":["15b3"],"linkTypes":["infiniband"],"IsRdma":true,"vdpaType":""},"SelectorObj":null}
]}
"""


def test_the_operators_file() -> None:
    """What the operator writes is read as it is: its keys' case, its nulls and empty texts, its internal key."""
    assert read(OPERATOR) == Pools(
        resources=(
            Resource(
                prefix="intel.com",
                name="intelnics",
                selectors=(
                    Selector(
                        vendors=("8086",),
                        pf_names=(parse("eno1#0-4"),),
                        root_devices=(parse("0000:86:00.0"),),
                        vhost_net=True,
                    ),
                ),
            ),
            Resource(
                prefix="intel.com",
                name="mlnx",
                selectors=(Selector(vendors=("15b3",), link_types=("infiniband",), rdma=True),),
            ),
        )
    )


@pytest.mark.parametrize(
    ("resources", "selectors"),
    [
        ([{"selectors": VENDORS}, {"selectors": VENDORS}], [1, 1]),
        ([{"selectors": VENDORS}, {"selectors": [VENDORS, {"devices": ["154c"]}]}], [1, 2]),
        ([{"selectors": []}, {"selectors": VENDORS}], [1]),
        ([{"selectors": None}], [1]),
        ([{}], [1]),
        ([{"deviceType": "auxNetDevice", "selectors": {"auxTypes": ["sf", "sf"]}}], [1]),
        ([{"deviceType": "accelerator", "selectors": {"acpiIndexes": ["101"]}}], [1]),
        ([{"resourceprefix": "a.b", "RESOURCENAME": "x", "selectors": VENDORS}], [1]),
        ([], []),
    ],
)
def test_files_that_are_read(resources: list[dict[str, Any]], selectors: list[int]) -> None:
    """An object or a list of selectors, keys in any case; an empty list leaves its resource out, with a remark."""
    named = [{"resourceName": f"r{n}", **each} for n, each in enumerate(resources)]

    found = read(json.dumps({"resourceList": named}))

    assert [len(each.selectors) for each in found.resources] == selectors
    assert bool(found.remarks) == any(not each.get("selectors") for each in resources)


def test_one_name_under_two_prefixes() -> None:
    """A resource is its prefix and its name."""
    both = [{"resourceName": "a", "resourcePrefix": prefix, "selectors": VENDORS} for prefix in ("x.com", "y.com")]

    assert [each.full_name for each in read(json.dumps({"resourceList": both})).resources] == ["x.com/a", "y.com/a"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("junk", "the document: expected an object"),
        ("{}", "resourceList: it is missing"),
        ('{"resourceList": {}}', "expected a list, not an object"),
        ('{"resourceLst": []}', "unknown key; did you mean 'resourceList'?"),
        ("[]", "expected an object with keys, not a list"),
        ('{"resourceList": [', "line 1, column 19"),
        ('{"resourceList":\n [{"resourceName" "a"}]}', "line 2, column 19: expected ',' or '}'"),
        ('{"resourceList": [], "resourceList": []}', "line 1, column 22: resourceList: it is written twice"),
        ('{"resourceList": ["a"]}', r"resourceList\[0\]: expected an object"),
        (one(resourceName="invalid.name", selectors=VENDORS), "'invalid.name' is no name"),
        (one(resourceName="", selectors=VENDORS), "'' is no name"),
        (one(resourceName="a-", selectors=VENDORS), "no name for Kubernetes"),
        (one(resourceName="x" * 64, selectors=VENDORS), "at most 63"),
        (one(resourcePrefix="Intel.com", selectors=VENDORS), "no domain such as intel.com"),
        (one(deviceType="netdevice", selectors=VENDORS), "did you mean 'netDevice'"),
        (one(deviceType="fake"), "'fake' is not known; known are netDevice, accelerator, auxNetDevice"),
        (one(selectors="invalid selectors!"), "expected an object with keys, not a text"),
        (one(selectors=[None]), r"selectors\[0\]: expected an object with keys, not nothing"),
        (one(selectors={"vendors": "8086"}), r'vendors: expected a list, not a text; write \["8086"\]'),
        (one(selectors={"vendors": [8086]}), r'each in quotes, such as \["8086"\]'),
        (one(selectors={"vendors": True}), "expected a list, not True"),
        (one(selectors={"pfName": ["eth0"]}), "unknown key; did you mean 'pfNames'"),
        (one(pfNames=["eth0"]), r'misplaced: it selects nothing here; write it into selectors: \{"pfNames": …\}'),
        (one(isrdma=True), 'misplaced.*"isRdma"'),
        (one(selectors={"excludeTopology": True}), "excludeTopology belongs beside selectors"),
        (one(deviceType="accelerator", selectors={"pfNames": ["a"]}), "a selector of netDevice and auxNetDevice"),
        (one(deviceType="auxNetDevice", selectors={**VENDORS}), 'auxTypes: auxNetDevice needs it; write "auxTypes"'),
        (one(deviceType="auxNetDevice", selectors={"auxTypes": []}), "auxNetDevice needs it"),
        (
            one(deviceType="auxNetDevice", selectors=[{"auxTypes": ["sf"]}, {"auxTypes": []}]),
            r"selectors\[1\].*needs it",
        ),
        (one(deviceType="auxNetDevice", selectors={"auxTypes": ["sf", "eth", "rdma"]}), "'eth' is no type.*'rdma' is"),
        (one(selectors={"isRdma": True, "vdpaType": "vhost"}), "exclude each other"),
        (one(selectors={"isRdma": "true"}), "expected true or false, not 'true'"),
        (one(selectors={"vdpaType": "vhst"}), "did you mean 'vhost'"),
        (one(selectors={"pfNames": ["eth0#0-"]}), r"selectors.pfNames\[0\]: 'eth0#0-' has '0-' where a number"),
        (one(selectors={"numaNodes": ["a"]}), "'a' is not the number of a NUMA node"),
        (one(selectors={"pciClasses": ["2"]}), "'2' is not a PCI class such as 02"),
        (one(selectors={"netStates": ["on"]}), "'on' is not one of up"),
        (one(selectors=VENDORS, additionalInfo={"*": "x"}), "additionalInfo: it must read"),
        (one(selectors=VENDORS, vfio="groups"), "did you mean 'group'"),
        (
            json.dumps({"resourceList": [{"resourceName": "duplicate", "selectors": VENDORS}] * 2}),
            r"resourceList\[1\]: a second resource intel.com/duplicate; resourceList\[0\] is the first",
        ),
    ],
)
def test_what_is_wrong_is_told(text: str, complaint: str) -> None:
    """P20: place, problem and remedy; nothing that widens a pool is read in silence."""
    with pytest.raises(ValueError, match=complaint) as caught:
        read(text)

    assert str(caught.value).startswith("config.json: ")


def test_all_that_is_wrong_is_told_at_once() -> None:
    """Who mends a file need not start as often as there are slips in it."""
    text = '{"resourceList": [\n  {"resourceName": "a.b",\n   "selectors": {"vendor": ["8086"],\n    "isRdma": 1}}]}'

    with pytest.raises(ValueError, match="config") as caught:
        read(text)

    assert [part.partition(" resourceList")[0] for part in str(caught.value).split("; config.json: ")] == [
        "config.json: line 3, column 18:",
        "line 4, column 5:",
        "line 2, column 4:",
    ]


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("}]", "},]"),
        lambda text: text.replace("{", "{\n\t"),
        lambda text: text.replace("[{", "[ # the first\n{"),
        lambda _: "resourceList:\n- resourceName: a\n  selectors:\n    vendors: ['8086']\n",
    ],
    ids=["a comma too many", "tabs", "a comment", "YAML"],
)
def test_slips_in_json_do_no_harm(change: Callable[[str], str]) -> None:
    """Published examples have them."""
    text = one(selectors=VENDORS)

    assert read(change(text)) == read(text)


def test_secrets_are_not_told() -> None:
    """What ``additionalInfo`` holds may be a token: a complaint about it does not show it."""
    with pytest.raises(ValueError, match="additionalInfo") as caught:
        read(one(selectors=VENDORS, additionalInfo={"*": {"token": 5, "other": "hunter2"}}))

    assert "hunter2" not in str(caught.value)


def test_the_settings_are_held_to_the_same_rules() -> None:
    """In devbay's own configuration the same slip is found when it is loaded."""
    with pytest.raises(msgspec.ValidationError, match=r"did you mean .*resourceList\[0\].selectors.pfName`"):
        msgspec.convert({"resourceList": [trees.resource(pfName=["a"])]}, Settings)


def test_addresses_and_ids_may_be_written_as_people_do() -> None:
    """Capitals, a prefix and a domain left out: each is what was meant."""
    found = read(one(selectors={"vendors": ["0x8086"], "devices": ["154C"], "pciAddresses": ["3B:02.0"]}))

    (resource,) = found.resources
    assert resource.selectors == (Selector(vendors=("8086",), devices=("154c",), pci_addresses=("0000:3b:02.0",)),)


class TestFile:
    """The file of a ConfigMap, which changes while we run."""

    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        """Give a file that selects one function by its address."""
        file = tmp_path / "config.json"
        file.write_text(one(selectors={"pciAddresses": ["0000:00:00.1"]}))
        return file

    def test_it_is_read_again(self, file: Path, fake_node: FakeNode) -> None:
        """P20: a change is applied without a restart."""
        fake_node.add(trees.function("0000:00:00.1", driver="iavf") | trees.function("0000:00:00.2", driver="iavf"))
        backend, settings = Backend(), msgspec.convert({"config_file": str(file)}, Settings)
        before = [device.id for device in backend.discover(fake_node.node, settings)]

        file.write_text(one(selectors={"pciAddresses": ["0000:00:00.1", "0000:00:00.2"]}))

        assert before == ["0000:00:00.1"]
        assert [d.id for d in backend.discover(fake_node.node, settings)] == ["0000:00:00.1", "0000:00:00.2"]

    def test_a_bad_edit_keeps_the_last_good_pools(
        self, file: Path, fake_node: FakeNode, caplog: pytest.LogCaptureFixture
    ) -> None:
        """P20: it is said once, with the place."""
        fake_node.add(trees.function("0000:00:00.1", driver="iavf"))
        backend, settings = Backend(), msgspec.convert({"config_file": str(file)}, Settings)
        before = backend.discover(fake_node.node, settings)

        file.write_text("{")

        assert [backend.discover(fake_node.node, settings) for _ in range(2)] == [before, before]
        assert len([r for r in caplog.records if "the last good pools are kept" in r.getMessage()]) == 1

    def test_without_it_the_backend_is_unavailable(self, tmp_path: Path, fake_node: FakeNode) -> None:
        """A node without pools is a normal one, and says what it lacks. ``{node}`` is the node's name."""
        settings = msgspec.convert({"config_file": f"{tmp_path}/{{node}}.json"}, Settings)

        with pytest.raises(BackendUnavailable, match=r"/node\.json does not exist"):
            Backend().discover(fake_node.node, settings)

    def test_a_bad_one_at_start_makes_it_unavailable(self, file: Path, fake_node: FakeNode) -> None:
        """There is nothing to fall back to: no pool is guessed."""
        file.write_text(one(selectors={"pfName": ["eth0"]}))
        settings = msgspec.convert({"config_file": str(file)}, Settings)

        with pytest.raises(BackendUnavailable, match=r"line 1, column \d+: .*did you mean 'pfNames'"):
            Backend().discover(fake_node.node, settings)


def test_a_path_is_written_as_people_do() -> None:
    """A place in a document reads as it would in a program."""
    assert config.path_of(("resourceList", 2, "selectors", "vendors", 0)) == "resourceList[2].selectors.vendors[0]"
