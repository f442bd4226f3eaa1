"""One file for a mixed fleet, and what counts before what (P20)."""

from collections.abc import Mapping

import pytest

from devbay.api import BackendSettings
from devbay.errors import ConfigError
from devbay.reload import LIVE, Change, Intent, change
from devbay.settings import SECTIONS, HealthSection, LogSection, NodeSection, Settings
from devbay.sources import HOST, Part, Sources, backend_name_problem, read


class Inner(BackendSettings, frozen=True):
    """A section within a section."""

    depth: int = 1
    name: str = ""


class Mock(BackendSettings, frozen=True):
    """A backend's section."""

    count: int = 2
    names: tuple[str, ...] = ()
    labels: Mapping[str, int] = {}
    inner: Inner = Inner()


FLEET = """\
backends: {gpu-*: [a], "*": [b]}
health: {scan_interval: 5, flap_limit: 4}
mock: {count: 3, names: [x, y], labels: {a: 1}, inner: {name: base}}
resources:
  "*": {policy: spread}
  a.b/c: {policy: pack, delivery: cdi}

nodes:
- match: gpu-*
  health: {flap_limit: 5}
  mock: {names: [z], labels: {b: 2}, inner: {depth: 2}}
  resources: {"a.b/*": {policy: distinct}, a.b/c: {delivery: direct}}
- match: [gpu-7, edge-*]
  backends: [c]
  mock: {inner: {depth: 3}}
- match: edge-*
  mock:
"""


def on(node: str, text: str = FLEET, **variables: str) -> Sources:
    """Return what a file says on a node."""
    return read(text, "devbay.yaml", variables).on(node)


@pytest.mark.parametrize(
    ("node", "section"),
    [
        ("other", Mock(count=3, names=("x", "y"), labels={"a": 1}, inner=Inner(name="base"))),
        ("gpu-1", Mock(count=3, names=("z",), labels={"a": 1, "b": 2}, inner=Inner(depth=2, name="base"))),
        ("gpu-7", Mock(count=3, names=("z",), labels={"a": 1, "b": 2}, inner=Inner(depth=3, name="base"))),
        ("edge-1", Mock(count=3, names=("x", "y"), labels={"a": 1}, inner=Inner(depth=3, name="base"))),
    ],
)
def test_all_that_match_are_merged(node: str, section: Mock) -> None:
    """P20: every overlay that matches counts, in order: mappings are merged, lists and single values replaced."""
    assert on(node).section("mock", Mock) == section


def test_the_hosts_sections_are_merged() -> None:
    """P20: an overlay changes the host's own settings as it does a backend's."""
    assert on("gpu-1").settings().health == HealthSection(scan_interval=5.0, flap_limit=5)
    assert on("other").settings().health == HealthSection(scan_interval=5.0, flap_limit=4)


def test_a_selection_is_replaced() -> None:
    """P2, P20: lines of a selection are in an order, so an overlay's selection takes the place of all of them."""
    assert on("gpu-7").selection().on("gpu-7", ["a", "b", "c"]).enabled == ("c",)
    assert on("gpu-7").selection().source == "devbay.yaml: nodes.1.backends"
    assert on("gpu-1").selection().on("gpu-1", ["a", "b", "c"]).enabled == ("a",)


def test_an_overlays_patterns_count_first() -> None:
    """P16, P20: an overlay's resources count before the base's globs; an entry of both stays in its place."""
    rules = on("gpu-1").settings().rules()

    assert [rule.pattern for rule in rules.rules] == ["a.b/*", "*", "a.b/c"]
    assert rules.policy("a.b/x", "a.b/x") == "distinct"
    assert (rules.policy("a.b/c", "a.b/c"), rules.delivery("a.b/c", "a.b/c")) == ("pack", "direct")


def test_precedence() -> None:
    """P20: the file's base, then overlays, then the environment, then flags, key by key."""
    variables = {"DEVBAY_MOCK__INNER__DEPTH": "9", "DEVBAY_HEALTH__FLAP_LIMIT": "7"}
    sources = on("gpu-7", **variables)

    assert sources.section("mock", Mock).inner == Inner(depth=9, name="base")
    assert sources.settings().health == HealthSection(scan_interval=5.0, flap_limit=7)


def test_every_value_has_its_source() -> None:
    """P20: of each value is known who said it: nobody, the base, an overlay, a variable."""
    sources = on("gpu-7", DEVBAY_MOCK__COUNT="9")
    merged = sources.merged(Part(kind=Mock, name="mock"))
    host = sources.merged(HOST)

    def source(*keys: str) -> tuple[str, tuple[str, ...]] | None:
        layer = (merged if keys[0] == "mock" else host).origin(keys)
        return None if layer is None else (layer.name, layer.place)

    assert source("mock", "count") == ("DEVBAY_MOCK__COUNT", ())
    assert source("mock", "inner", "depth") == ("devbay.yaml", ("nodes", "1"))
    assert source("mock", "inner", "name") == ("devbay.yaml", ())
    assert source("mock", "labels", "b") == ("devbay.yaml", ("nodes", "0"))
    assert source("health", "flap_limit") == ("devbay.yaml", ("nodes", "0"))
    assert source("health", "keep_lost") is None


@pytest.mark.parametrize(
    ("name", "text", "rules"),
    [
        ("DEVBAY_RESOURCES", '{"a.b/c": {"policy": "pack"}}', [("a.b/c", "pack")]),
        ("DEVBAY_RESOURCES", "a.b/c: {policy: pack}\n'*': {policy: spread}", [("a.b/c", "pack"), ("*", "spread")]),
        ("DEVBAY_RESOURCES", "{}", []),
    ],
)
def test_a_variable_sets_free_keys_as_a_whole(name: str, text: str, rules: list[tuple[str, str]]) -> None:
    """P20: a section without known keys is set by a variable as YAML or JSON, in the place of what the file says."""
    assert [(rule.pattern, rule.policy) for rule in on("gpu-1", **{name: text}).settings().rules().rules] == rules


def test_a_single_value_is_a_section_too() -> None:
    """P20: a section that is one value has a variable of one word."""
    assert on("x", DEVBAY_EVENTS="true").settings().events


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("DEVBAY_RESOURCES", "{gpu: {}}", "DEVBAY_RESOURCES: resources.gpu: illegal resource name 'gpu'"),
        ("DEVBAY_RESOURCES", "[", "DEVBAY_RESOURCES='[': line 1, column 2"),
        ("DEVBAY_RESOURCES", "pack", "DEVBAY_RESOURCES: resources = 'pack': expected `object`, got `str`"),
        ("DEVBAY_EVENTS", "often", "DEVBAY_EVENTS='often': Expected `bool`, got `str`; write true or false"),
        ("DEVBAY_NODES", "[]", "DEVBAY_NODES: unknown variable"),
        ("DEVBAY_HEALTH", "{}", "DEVBAY_HEALTH: unknown variable; did you mean DEVBAY_HEALTH__KEY?"),
        ("DEVBAY_NODES__MATCH", "a", "DEVBAY_NODES__MATCH: unknown section 'nodes'"),
    ],
)
def test_variables_that_cannot_be_meant(name: str, text: str, said: str) -> None:
    """P20: a variable for a whole section is as strict as the file, and the list of overlays has none."""

    def everything() -> None:
        sources = on("gpu-1", **{name: text})
        sources.settings()
        sources.check_sections(["mock"])

    with pytest.raises(ConfigError) as caught:
        everything()

    assert str(caught.value).startswith(said)


def test_mistakes_for_this_node_are_errors() -> None:
    """P20: what is wrong in an overlay for this node names it; for other nodes it is told and stops nothing."""
    text = "nodes:\n- match: gpu-*\n  health: {flap_limt: 1}\n- match: edge-*\n  moc: {}\n"

    with pytest.raises(ConfigError) as caught:
        on("gpu-1", text).settings()
    assert str(caught.value) == (
        "devbay.yaml: nodes.0.health.flap_limt: unknown key 'flap_limt'; did you mean 'flap_limit'? (line 3, column 12)"
    )
    assert on("edge-1", text).settings() == on("other", text).settings() == Settings()
    with pytest.raises(ConfigError, match=r"nodes\.1\.moc: unknown section 'moc'; did you mean 'mock'\?"):
        on("edge-1", text).check_sections(["mock"])
    assert len(list(on("other", text).elsewhere(HOST, ["mock"]))) == 2
    assert list(on("gpu-1", text).elsewhere(HOST, ["mock"])) == [
        "devbay.yaml: nodes.1.moc: unknown section 'moc'; did you mean 'mock'? (line 5, column 3)"
    ]


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("mock:\n  count: x", "line 2, column 3"),
        ("mock: {names: [a, 1]}", "line 1, column 19"),
        ("base: &b {count: x}\nmock: {<<: *b}", "line 1, column 11"),
        ("a: &a {names: []}\nb: &b {count: x}\nmock: {<<: [*a, *b]}", "line 2, column 8"),
        ("nodes:\n- match: n\n  mock:\n    inner:\n      depth: x", "line 5, column 7"),
    ],
)
def test_the_line_is_told(text: str, mark: str) -> None:
    """P20: an error about the file tells line and column, through what YAML refers to elsewhere too."""
    with pytest.raises(ConfigError) as caught:
        on("n", text).section("mock", Mock)

    assert str(caught.value).endswith(f" ({mark})")


def test_nobody_is_called_as_the_overlays() -> None:
    """P1, P20: no backend can have the name of the list of overlays."""
    assert "is taken" in (backend_name_problem("nodes") or "")


# What a change touches.


def intent(text: str = "", node: str = "gpu-1", enabled: tuple[str, ...] = ("mock",)) -> Intent:
    """Return what a file intends."""
    sources = on(node, text)
    return Intent(settings=sources.settings(), sources=sources, enabled=enabled)


def test_nothing_differs() -> None:
    """P20: a file that says the same in other words touches nothing."""
    same = "health: {scan_interval: 10.0}\nmock: {}\nnodes: [{match: other, mock: {count: 5}}]"

    assert change(intent(), intent(same)) == Change(settings=Settings())


@pytest.mark.parametrize(
    ("text", "touched"),
    [
        ("health: {flap_limit: 9}", ("health",)),
        ("deadlines: {edit: 1}", ("health",)),
        ("log: {level: debug}", ("log",)),
        ("resources: {a.b/c: {policy: pack}}", ("resources",)),
        ("sharing: {timeSlicing: {resources: [{name: gpu, replicas: 2}]}}", ("resources",)),
        ("mock: {count: 3}", ("mock",)),
        ("nodes: [{match: gpu-*, mock: {count: 3}}]", ("mock",)),
        ("other: {count: 3}", ()),
    ],
)
def test_what_is_touched(text: str, touched: tuple[str, ...]) -> None:
    """P20: a change touches what it is about and nothing else."""
    assert change(intent(), intent(text)).touched == touched


def test_backends_that_come_and_go() -> None:
    """P20: a backend that is newly enabled, or no longer, is touched, whatever its section says."""
    assert change(intent(enabled=("a", "b")), intent(enabled=("b", "c"))).backends == ("a", "c")


def test_what_waits() -> None:
    """P20: what a running host cannot take over stays as it is, and is named."""
    before = intent("node: {sys: /old}")

    after = change(before, intent("node: {sys: /new}\ncdi: {directory: /d}\nevents: true\nlog: {level: error}"))

    assert after.waiting == ("node.sys", "cdi.directory", "events")
    assert after.settings == Settings(node=NodeSection(sys="/old"), log=LogSection(level="error"))


def test_every_section_is_live_or_waits() -> None:
    """P20: a section that is new waits, until somebody makes it live."""
    assert set(LIVE) < set(SECTIONS)
