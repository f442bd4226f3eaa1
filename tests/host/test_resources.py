"""The ``resources`` section, and NVIDIA's ``sharing``: what is written, what it means, and what cannot be meant."""

import pytest

from devbay import offers
from devbay.errors import ConfigError
from devbay.model import Device
from devbay.offers import Rule
from devbay.selector import EVERYTHING, parse
from devbay.sharing import Rule as Replicas
from devbay.sharing import Sharing
from devbay.sources import read

UUID = "GPU-8dcd427f-483b-b48f-d7e5-75fb19a52b76"
MIG = "MIG-3eb87630-93d5-b2b6-b8ff-9b359caf4ee2"


def rules(document: str) -> tuple[offers.Rule, ...]:
    """Return what a document says of resources."""
    return read(document, "devbay.yaml", {}).settings().rules().rules


def refusal(document: str) -> str:
    """Return why a document cannot be used."""
    with pytest.raises(ConfigError) as error:
        read(document, "devbay.yaml", {}).settings()
    return str(error.value)


def test_nothing() -> None:
    """P20: without these sections nothing is shared, and nothing else is said of any resource."""
    assert rules("") == rules("resources: {}\nsharing: {}") == ()


def test_everything_that_can_be_said() -> None:
    """P16, P20: replicas for all and for some, names for their shares, the limit, delivery and policy."""
    assert rules(
        """
        resources:
          example.com/gpu:
            sharing:
              replicas: 4
              rename: true
              one_per_request: true
              devices:
                - select: {product: "*A100*", memory: ">= 40Gi"}
                  replicas: 7
                  rename: example.com/big
                - select: {index: [0, 1]}
                  replicas: 1
            delivery: cdi
          "*": {policy: distinct, delivery: cdi-annotations}
        """
    ) == (
        Rule(
            pattern="example.com/gpu",
            delivery="cdi",
            sharing=Sharing(
                rules=(
                    Replicas(
                        selectors=(parse({"product": "*A100*", "memory": ">= 40Gi"}),),
                        replicas=7,
                        rename="example.com/big",
                    ),
                    Replicas(selectors=(parse({"index": [0, 1]}),), replicas=1, rename=True),
                    Replicas(selectors=(EVERYTHING,), replicas=4, rename=True),
                ),
                one_per_request=True,
            ),
        ),
        Rule(pattern="*", policy="distinct", delivery="cdi-annotations"),
    )


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ("{gpu: {policy: pack}}", "resources.gpu: illegal resource name 'gpu': it must read vendor-domain/type"),
        ("{a.b/c: {polcy: pack}}", "resources.a.b/c.polcy: unknown key 'polcy'; did you mean 'policy'?"),
        (
            "{a.b/x: {}, a.b/c: {policy: packed}}",
            "resources.a.b/c.policy = 'packed': invalid enum value 'packed'; known: distinct, pack, spread, topology",
        ),
        (
            "{a.b/c: {delivery: nri}}",
            "resources.a.b/c.delivery = 'nri': invalid enum value 'nri'; known: cdi, cdi-anno",
        ),
        ("{a.b/c: {sharing: {}}}", "resources.a.b/c.sharing = {}: nothing is shared here: replicas, or that of"),
        ("{a.b/c: {sharing: {replicas: 1}}}", "resources.a.b/c.sharing = {'replicas': 1}: nothing is shared here"),
        ("{a.b/c: {sharing: {replicas: 0}}}", "resources.a.b/c.sharing.replicas = 0: expected `int` >= 1"),
        ("{a.b/c: {sharing: {replicas: two}}}", "resources.a.b/c.sharing.replicas = 'two': expected `int`, got `str`"),
        ("{a.b/c: {sharing: {replicas: 100000}}}", "resources.a.b/c.sharing.replicas = 100000: expected `int` <= 4096"),
        (
            "{a.b/c: {sharing: {replicas: 2, rename: x}}}",
            "resources.a.b/c.sharing = {'replicas': 2, 'rename': 'x'}: ren",
        ),
        (
            "{a.b/c: {sharing: {devices: [{select: {}, replicas: 2}]}}}",
            "resources.a.b/c.sharing.devices.0 = {'select': {}, 'replicas': 2}: a selector needs at least one key",
        ),
        (
            "{a.b/c: {sharing: {devices: [{select: {memory: '> x'}, replicas: 2}]}}}",
            "resources.a.b/c.sharing.devices.0 = {'select': {'memory': '> x'}, 'replicas': 2}: memory: '> x' compares",
        ),
        ("{a.b/c: {sharing: {devices: [{replicas: 2}]}}}", "resources.a.b/c.sharing.devices.0 = {'replicas': 2}: obj"),
    ],
)
def test_what_cannot_be_meant(document: str, problem: str) -> None:
    """P16, P20: a mistake is refused with file, place, value and what would do; it never shares less, or more."""
    assert refusal(f"resources: {document}").startswith(f"devbay.yaml: {problem}")


def test_time_slicing_as_it_is_written_for_nvidias_plugin() -> None:
    """P16: their section means the same here; names without a domain are theirs."""
    assert rules(
        """
        sharing:
          timeSlicing:
            renameByDefault: true
            failRequestsGreaterThanOne: true
            resources:
            - name: gpu
              replicas: 10
            - name: nvidia.com/mig-1g.5gb
              rename: mig-slice
              replicas: 2
              devices: all
        """
    ) == (
        Rule(
            pattern="nvidia.com/gpu",
            sharing=Sharing(rules=(Replicas(replicas=10, rename=True),), one_per_request=True),
        ),
        Rule(
            pattern="nvidia.com/mig-1g.5gb",
            sharing=Sharing(rules=(Replicas(replicas=2, rename="nvidia.com/mig-slice"),), one_per_request=True),
        ),
    )


def test_what_nvidias_plugin_strips_works() -> None:
    """P16: a number of devices, lists of indices and UUIDs, and several entries with names of their own are obeyed."""
    (rule,) = rules(
        f"""
        sharing:
          timeSlicing:
            resources:
            - {{name: gpu, replicas: 4, rename: gpu-small, devices: [0, "1", {UUID}]}}
            - {{name: gpu, replicas: 2, devices: ["2:0", {MIG}]}}
            - {{name: gpu, replicas: 3, devices: 2}}
        """
    )
    assert rule.sharing is not None
    devices = [Device(id=f"GPU-{n}", resource="nvidia.com/gpu", attributes={"index": n}) for n in range(2, 5)]
    devices += [
        Device(id="GPU-b", resource="nvidia.com/gpu", attributes={"index": 1}),
        Device(id=UUID, resource="nvidia.com/gpu", attributes={"index": 9}),
        Device(id="MIG-x", resource="nvidia.com/gpu", attributes={"index": "2:0"}),
    ]

    assert {one: (rule.replicas, rule.rename) for one, rule in rule.sharing.shared(devices).items()} == {
        "GPU-b": (4, "nvidia.com/gpu-small"),
        UUID: (4, "nvidia.com/gpu-small"),
        "MIG-x": (2, False),
        "GPU-2": (3, False),
        "GPU-3": (3, False),
    }


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("{replicas: 2}", "sharing.timeSlicing.resources.0 = {'replicas': 2}: object missing required field `name`"),
        ("{name: gpu}", "sharing.timeSlicing.resources.0 = {'name': 'gpu'}: object missing required field `replicas`"),
        ("{name: gpu, replicas: 1}", "sharing.timeSlicing.resources.0.replicas = 1: expected `int` >= 2"),
        ("{name: gpu, replicas: 9999}", "sharing.timeSlicing.resources.0.replicas = 9999: expected `int` <= 4096"),
        (
            "{name: $invalid$, replicas: 2}",
            "sharing.timeSlicing.resources.0 = {'name': '$invalid$', 'replicas': 2}: ill",
        ),
        ("{name: gpu, replicas: 2, devices: most}", "devices = 'most': the only text that is understood here is 'all'"),
        ("{name: gpu, replicas: 2, devices: 0}", "devices = 0: as a number of devices it must be 1 or more"),
        ("{name: gpu, replicas: 2, devices: []}", "devices is an empty list; write 'all', a number, or indices"),
        ("{name: gpu, replicas: 2, devices: [GPU-1]}", "devices: 'GPU-1' is no index such as 0 or 0:1, and no UUID"),
        ("{name: gpu, replicas: 2, devices: [-1]}", "devices: -1 is no index such as 0 or 0:1"),
        ("{name: gpu, replicas: 2, failRequestsGreaterThanOne: true}", "unknown key 'failRequestsGreaterThanOne'"),
    ],
)
def test_time_slicing_that_cannot_be_meant(entry: str, problem: str) -> None:
    """P16, P20: what their plugin refuses, and what it silently drops, is an error that names the place."""
    said = refusal(f"sharing: {{timeSlicing: {{resources: [{entry}]}}}}")

    assert said.startswith("devbay.yaml: sharing.timeSlicing.resources.0")
    assert problem in said


@pytest.mark.parametrize("section", ["{timeSlicing: {}}", "{timeSlicing: {resources: []}}", "{timeSlice: {}}"])
def test_time_slicing_without_resources(section: str) -> None:
    """P16, P20: a section that shares nothing is a mistake, and is refused."""
    assert "sharing.timeSlic" in refusal(f"sharing: {section}")


@pytest.mark.parametrize("pattern", ["*", "nvidia.com/*", "nvidia.com/gp?"])
def test_shared_twice_by_a_glob(pattern: str) -> None:
    """P16: a glob that shares what ``sharing.timeSlicing`` shares contradicts it too; one that does not share may."""
    slicing = "sharing: {timeSlicing: {resources: [{name: gpu, replicas: 3}]}}"
    said = refusal(f"{{resources: {{'{pattern}': {{sharing: {{replicas: 2}}}}}}, {slicing}}}")

    assert said.startswith(f"devbay.yaml: resources.{pattern}.sharing: nvidia.com/gpu is shared twice: by resources")
    assert len(rules(f"{{resources: {{'{pattern}': {{policy: pack}}}}, {slicing}}}")) == 2


def test_an_index_of_a_part() -> None:
    """P16, P20: ``0:1`` is what it is written as, and not a number to the base of 60, as YAML has it."""
    (rule,) = rules("sharing: {timeSlicing: {resources: [{name: gpu, replicas: 3, devices: [1:10]}]}}")

    assert rule.sharing == Sharing(rules=(Replicas(selectors=(parse({"index": "1:10"}),), replicas=3),))


def test_shared_twice() -> None:
    """P16: two sections that share one resource contradict each other; both are named."""
    said = refusal(
        "{resources: {nvidia.com/gpu: {sharing: {replicas: 2}}},"
        " sharing: {timeSlicing: {resources: [{name: gpu, replicas: 3}]}}}"
    )

    assert said == (
        "devbay.yaml: resources.nvidia.com/gpu.sharing: it is shared twice: by resources and by "
        "sharing.timeSlicing; keep one of them (line 1, column 31)"
    )
