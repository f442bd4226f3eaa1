"""From a file and variables to settings: what overrides what, and what is said of what cannot be meant (P20)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from devbay.api import BackendSettings
from devbay.errors import ConfigError
from devbay.misfits import Loader
from devbay.settings import HealthSection, LogSection, NodeSection, Settings
from devbay.sources import Sources, read


class Inner(BackendSettings, frozen=True):
    """A section within a section."""

    depth: int = 1


class Mock(BackendSettings, frozen=True):
    """A backend's section as the guide says it."""

    count: int = 2
    ratio: float = 0.5
    enabled: bool = False
    mode: Literal["fast", "safe"] = "safe"
    name: str = "mock"
    port: int = 0
    service_host: str = ""
    label: str | None = None
    limit: int | None = None
    wild: int | str = 0
    names: tuple[str, ...] = ()
    labels: dict[str, int] = msgspec.field(default_factory=dict)
    inner: Inner = Inner()
    maybe: Inner | None = None


@dataclass
class Place:
    """A dataclass within a dataclass."""

    depth: int = 1


@dataclass
class Plain:
    """A backend's section as a dataclass."""

    count: int = 2
    place: Place = field(default_factory=Place)
    maybe: Place | None = None
    places: list[Place] = field(default_factory=list)
    by_name: dict[str, Place] = field(default_factory=dict)


def said(text: str = "", **variables: str) -> Sources:
    """Return what a file and variables say."""
    return read(text, "devbay.yaml", variables)


def mock(text: str = "", **variables: str) -> Mock:
    """Return the section `mock` that they make."""
    return said(text, **variables).section("mock", Mock)


def refusal(text: str = "", kind: type = Mock, /, **variables: str) -> str:
    """Return why they are refused."""

    def everything() -> None:
        sources = said(text, **variables)
        sources.settings()
        sources.section("mock", kind)
        sources.check_sections(["mock"])

    with pytest.raises(ConfigError) as caught:
        everything()
    return str(caught.value)


def unmarked(message: str) -> str:
    """Return a message without the line and column at its end."""
    return re.sub(r" \(line \d+, column \d+\)$", "", message)


# What counts.


def test_nothing_said() -> None:
    """P20: an empty file and no variables mean the defaults."""
    assert said().settings() == Settings()
    assert mock() == Mock()


def test_variables_override_the_file() -> None:
    """P20: a variable beats the file, key by key; what it does not name stays as the file has it."""
    text = "mock: {count: 3, name: file, inner: {depth: 4}}"

    assert mock(text, DEVBAY_MOCK__COUNT="4") == Mock(count=4, name="file", inner=Inner(depth=4))
    assert mock(text, DEVBAY_MOCK__INNER__DEPTH="9") == Mock(count=3, name="file", inner=Inner(depth=9))


def test_the_hosts_sections() -> None:
    """P20: the host's own sections are read from both as well, each as its type."""
    sources = said(
        "health: {scan_interval: 5}\nlog: {level: debug}", DEVBAY_NODE__NAME="12", DEVBAY_HEALTH__FLAP_LIMIT="4"
    )

    assert sources.settings() == Settings(
        health=HealthSection(scan_interval=5.0, flap_limit=4),
        log=LogSection(level="debug"),
        node=NodeSection(name="12"),
    )


@pytest.mark.parametrize(
    "text", ["mock:", "mock: {}", "mock: ~", "health:\nlog:\nbackends:\nmock:", "# all\n", "---\n"]
)
def test_empty_sections(text: str) -> None:
    """P20: a section whose keys are all commented out is one about which nothing was said."""
    assert (said(text).settings(), mock(text)) == (Settings(), Mock())


@pytest.mark.parametrize("text", ["mock:", "mock: {inner: }", ""])
def test_a_variable_within_an_empty_section(text: str) -> None:
    """P20: a variable sets its key where the file has an empty section, or none."""
    assert mock(text, DEVBAY_MOCK__INNER__DEPTH="3") == Mock(inner=Inner(depth=3))


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("count", "4", 4),
        ("count", "-4", -4),
        ("ratio", "3", 3.0),
        ("ratio", "1e-3", 0.001),
        ("enabled", "true", True),
        ("enabled", "True", True),
        ("enabled", "1", True),
        ("enabled", "false", False),
        ("enabled", "0", False),
        ("mode", "fast", "fast"),
        ("name", "4", "4"),
        ("name", "", ""),
        ("name", "true", "true"),
        ("name", "{a: b", "{a: b"),
        ("label", "4", "4"),
        ("label", "yes", "yes"),
        ("label", "2024-01-01", "2024-01-01"),
        ("label", "a: b: c", "a: b: c"),
        ("label", "null", None),
        ("label", "", None),
        ("limit", "4", 4),
        ("limit", "null", None),
        ("wild", "4", 4),
        ("wild", "four", "four"),
        ("wild", "true", "true"),
        ("names", "[a, b]", ("a", "b")),
        ("labels", "{a: 1}", {"a": 1}),
        ("inner", "{depth: 5}", Inner(depth=5)),
        ("maybe", "{depth: 5}", Inner(depth=5)),
        ("maybe__depth", "5", Inner(depth=5)),
    ],
)
def test_the_type_of_the_key_says_what_a_variable_means(key: str, text: str, value: object) -> None:
    """P20: a variable's text is read as the type of its key; text stays text, whatever YAML would make of it."""
    section = mock(**{f"DEVBAY_MOCK__{key.upper()}": text})

    assert getattr(section, key.partition("__")[0]) == value


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")))
def test_any_text_reaches_a_text_key_as_it_is(text: str) -> None:
    """P20: what is written into a variable for a name is that name."""
    assert mock(DEVBAY_MOCK__NAME=text).name == text


@given(st.text())
def test_any_file_is_understood_or_refused(text: str) -> None:
    """P20: whatever a file holds, it is settings or the operator's error with the file's name, never anything else."""
    refused = ""
    try:
        said(text).settings()
    except ConfigError as error:
        refused = str(error)

    assert refused == "" or refused.startswith("devbay.yaml: ")


def test_dashes_are_underscores_in_variables() -> None:
    """P20: a backend whose name has a dash is reached by a variable with an underscore, and by its name in the file."""
    sources = said("my-widget: {count: 3}", DEVBAY_MY_WIDGET__RATIO="2")

    sources.check_sections(["my-widget"])
    assert sources.section("my-widget", Mock) == Mock(count=3, ratio=2.0)


def test_sections_do_not_leak() -> None:
    """P20: a backend gets its own section and no other's."""
    sources = said("mock: {count: 3}\nother: {count: 5}", DEVBAY_OTHER__RATIO="2")

    assert sources.section("mock", Mock) == Mock(count=3)


def test_merge_keys() -> None:
    """P20: YAML's own way of not saying things twice works, and what stands beside it overrides it."""
    text = "mock: &m {count: 3, name: shared}\nother: {<<: *m, name: own}"

    assert said(text).section("other", Mock) == Mock(count=3, name="own")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("0000:41:00.0", "0000:41:00.0"),
        ("41:00.0", "41:00.0"),
        ("1:10", "1:10"),
        ("0x1f", 31),
        ("010", 8),
        ("-3", -3),
        ("1_000", 1000),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1.0e+3", 1000.0),
    ],
)
def test_numbers_as_they_are_written(written: str, meant: object) -> None:
    """P20: an address of PCI is a text without quotes too, and numbers are what they were."""
    assert yaml.load(written, Loader) == meant  # noqa: S506 - a safe one


# What Kubernetes puts there.


@pytest.mark.parametrize(
    "name",
    [
        "DEVBAY_SERVICE_HOST",
        "DEVBAY_SERVICE_PORT",
        "DEVBAY_SERVICE_PORT_HTTP",
        "DEVBAY_PORT",
        "DEVBAY_PORT_8080_TCP",
        "DEVBAY_PORT_8080_TCP_ADDR",
        "DEVBAY_PORT_8080_TCP_PORT",
        "DEVBAY_PORT_53_UDP_PROTO",
        "DEVBAY_METRICS_SERVICE_HOST",
        "DEVBAY_METRICS_SERVICE_PORT_HTTP",
        "DEVBAY_METRICS_PORT_9400_TCP_ADDR",
    ],
)
def test_service_links_are_not_meant_for_us(name: str) -> None:
    """P20: what Kubernetes sets in every pod for a Service called devbay, or devbay-something, is passed over."""
    assert said(**{name: "tcp://10.0.0.1:8080"}).variables == ()


def test_keys_that_look_like_service_links() -> None:
    """P20: a backend's keys may be called `port` or `service_host`, and their variables are heard."""
    assert mock(DEVBAY_MOCK__PORT="80", DEVBAY_MOCK__SERVICE_HOST="h") == Mock(port=80, service_host="h")


def test_other_peoples_variables() -> None:
    """P20: variables without our prefix, and the reserved ones, set no key."""
    assert said(MOCK__COUNT="1", DEVBAYMOCK__COUNT="1", DEVBAY_CONFIG="/x", DEVBAY_BACKENDS="mock").variables == ()


# The selection of backends.


@pytest.mark.parametrize(
    ("text", "variables", "enabled", "source"),
    [
        pytest.param("", {}, ("a", "b"), "devbay.yaml: backends", id="nothing-said"),
        pytest.param("backends: b", {}, ("b",), "devbay.yaml: backends", id="file"),
        pytest.param("backends: [b]", {}, ("b",), "devbay.yaml: backends", id="file-list"),
        pytest.param("backends: {n*: [b]}", {}, ("b",), "devbay.yaml: backends", id="file-lines"),
        pytest.param("backends: b", {"DEVBAY_BACKENDS": "a"}, ("a",), "DEVBAY_BACKENDS", id="variable-wins"),
        pytest.param("backends: b", {"DEVBAY_BACKENDS": " "}, ("b",), "devbay.yaml: backends", id="empty-variable"),
    ],
)
def test_selection(text: str, variables: Mapping[str, str], enabled: tuple[str, ...], source: str) -> None:
    """P2: the variable beats the file's selection; an empty variable says nothing."""
    selection = said(text, **variables).selection()

    assert (selection.on("node", ["a", "b"]).enabled, selection.source) == (enabled, source)


# What cannot be meant.


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("mock: {coutn: 1}", "mock.coutn: unknown key 'coutn'; did you mean 'count'?", id="key"),
        pytest.param(
            "mock: {inner: {dpth: 1}}", "mock.inner.dpth: unknown key 'dpth'; did you mean 'depth'?", id="deep"
        ),
        pytest.param("mock: {maybe: {dpth: 1}}", "mock.maybe.dpth: unknown key 'dpth'; did you", id="optional"),
        pytest.param("mock: {1: 2}", "mock.1: unknown key 1; known: count, ", id="number-as-key"),
        pytest.param("mock: {null: 2}", "mock.None: unknown key None; known: count, ", id="null-as-key"),
        pytest.param("helth: {}", "unknown section 'helth'; did you mean 'health'?", id="section"),
        pytest.param("12: {}", "unknown section 12; known: backends, ", id="number-as-section"),
        pytest.param(
            "health: {scan_intervl: 1}",
            "health.scan_intervl: unknown key 'scan_intervl'; did you mean 'scan_interval'?",
            id="hosts-key",
        ),
        pytest.param("mock: {count: many}", "mock.count = 'many': expected `int`, got `str`", id="text-for-int"),
        pytest.param("mock: {count: 1.5}", "mock.count = 1.5: expected `int`, got `float`", id="float-for-int"),
        pytest.param("mock: {count: true}", "mock.count = True: expected `int`, got `bool`", id="bool-for-int"),
        pytest.param("mock: {count: }", "mock.count = None: expected `int`, got `null`", id="null-for-int"),
        pytest.param("mock: {name: 4}", "mock.name = 4: expected `str`, got `int`", id="int-for-text"),
        pytest.param("mock: {enabled: 1}", "mock.enabled = 1: expected `bool`, got `int`", id="int-for-bool"),
        pytest.param("mock: {mode: slow}", "mock.mode = 'slow': invalid enum value 'slow'", id="enum"),
        pytest.param("mock: {names: a}", "mock.names = 'a': expected `array`, got `str`", id="text-for-list"),
        pytest.param("mock: {names: [a, 1]}", "mock.names.1 = 1: expected `str`, got `int`", id="in-a-list"),
        pytest.param("mock: {labels: {a: b}}", "mock.labels.a = 'b': expected `int`, got `str`", id="in-a-mapping"),
        pytest.param(
            "mock: {labels: {1: 1}}", "mock.labels = {1: 1}: expected `str`, got `int`", id="key-of-a-mapping"
        ),
        pytest.param("mock: {inner: 4}", "mock.inner = 4: expected `object`, got `int`", id="number-for-section"),
        pytest.param("mock: 4", "mock: expected a mapping, not 4", id="section-number"),
        pytest.param("mock: [count]", "mock: expected a mapping, not ['count']", id="section-list"),
        pytest.param("health: 4", "health = 4: expected `object`, got `int`", id="hosts-section-number"),
        pytest.param("health: {flap_limit: 0}", "health.flap_limit = 0: expected `int` >= 1", id="limit"),
        pytest.param("health: {scan_interval: .nan}", "health.scan_interval = nan: expected `float` > 0.0", id="nan"),
        pytest.param("node: {name: 2024-01-01}", "node.name = datetime.date(2024, 1, 1): expected `str`", id="date"),
        pytest.param("backends: {a: 5}", "backends.a = 5: expected `str | array`, got `int`", id="backends"),
        pytest.param("backends: &b [*b]", "backends.0 = [[...]]: expected `str`, got `array`", id="endless"),
        pytest.param("- mock", "expected a mapping of sections, not list ['mock']", id="list"),
        pytest.param("mock", "expected a mapping of sections, not str 'mock'", id="text"),
        pytest.param("a: 1\nb: 2\na: 3", "line 3, column 1: the key 'a' stands here twice", id="twice"),
        pytest.param("a:\n  b: 1\n  b: 1", "line 3, column 3: the key 'b' stands here twice", id="twice-deep"),
        pytest.param("a:\n\tb: 1", "line 2, column 1: found character '\\t'", id="tab"),
        pytest.param("a: [1", "line 1, column 6: expected ',' or ']'", id="open-bracket"),
        pytest.param("a: 1\n---\nb: 1", "line 2, column 1: but found another document", id="two-documents"),
        pytest.param("[a]: 1", "line 1, column 1: ['a'] cannot be a key", id="list-as-key"),
        pytest.param("a: !!python/object:os.x {}", "line 1, column 4: could not determine a constructor", id="tag"),
        pytest.param("a: \x01", "unacceptable character #x0001", id="control-character"),
        pytest.param("a: 2024-13-45", "month must be in 1..12", id="no-date"),
        pytest.param("[" * 2000, "maximum recursion depth", id="bottomless"),
    ],
)
def test_what_the_file_says_wrongly(text: str, message: str) -> None:
    """P20: an error names the file, the place, the value, and what would be right."""
    assert refusal(text).startswith(f"devbay.yaml: {message}")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("DEVBAY_MOCK__COUNT", "many", "DEVBAY_MOCK__COUNT='many': Expected `int`, got `str`"),
        ("DEVBAY_MOCK__COUNT", "", "DEVBAY_MOCK__COUNT='': Expected `int`, got `str`"),
        ("DEVBAY_MOCK__RATIO", "a", "DEVBAY_MOCK__RATIO='a': Expected `float`, got `str`"),
        ("DEVBAY_MOCK__ENABLED", "on", "DEVBAY_MOCK__ENABLED='on': Expected `bool`, got `str`; write true or false"),
        ("DEVBAY_MOCK__MODE", "slow", "DEVBAY_MOCK__MODE='slow': Invalid enum value 'slow'"),
        ("DEVBAY_MOCK__LIMIT", "many", "DEVBAY_MOCK__LIMIT: mock.limit = 'many': expected `int | null`, got `str`"),
        ("DEVBAY_MOCK__NAMES", "a,b", "DEVBAY_MOCK__NAMES: mock.names = 'a,b': expected `array`, got `str`"),
        ("DEVBAY_MOCK__NAMES", "[1]", "DEVBAY_MOCK__NAMES: mock.names.0 = 1: expected `str`, got `int`"),
        ("DEVBAY_MOCK__NAMES", "[", "DEVBAY_MOCK__NAMES='[': line 1, column 2: expected the node content"),
        ("DEVBAY_HEALTH__FLAP_LIMIT", "0", "DEVBAY_HEALTH__FLAP_LIMIT: health.flap_limit = 0: expected `int` >= 1"),
        ("DEVBAY_HEALTH__SCAN_INTERVAL", "nan", "DEVBAY_HEALTH__SCAN_INTERVAL: health.scan_interval = nan: expected"),
        ("DEVBAY_MOCK__CONT", "1", "DEVBAY_MOCK__CONT: unknown key 'cont'; did you mean 'DEVBAY_MOCK__COUNT'?"),
        (
            "DEVBAY_MOCK__INNER__DPTH",
            "1",
            "DEVBAY_MOCK__INNER__DPTH: unknown key 'dpth'; did you mean 'DEVBAY_MOCK__INN",
        ),
        ("DEVBAY_MOCK__COUNT__X", "1", "DEVBAY_MOCK__COUNT__X: unknown key 'x'; there are none here"),
        ("DEVBAY_MOKC__COUNT", "1", "DEVBAY_MOKC__COUNT: unknown section 'mokc'; did you mean 'mock'?"),
        ("DEVBAY_MOCK_COUNT", "1", "DEVBAY_MOCK_COUNT: unknown variable; did you mean DEVBAY_MOCK__COUNT?"),
        ("DEVBAY_BACKEND", "mock", "DEVBAY_BACKEND: unknown variable; did you mean DEVBAY_BACKENDS?"),
        ("DEVBAY_MOCK__", "1", "DEVBAY_MOCK__: unknown variable; did you mean DEVBAY_MOCK__KEY?"),
        ("DEVBAY_BACKENDS__X", "1", "DEVBAY_BACKENDS__X: unknown key 'x'; there are none here"),
    ],
)
def test_what_a_variable_says_wrongly(name: str, text: str, message: str) -> None:
    """P20: an error about a variable's value, or about its name, names the variable and not the file."""
    assert refusal("mock: {count: 3}", **{name: text}).startswith(message)


def test_the_files_mistake_is_the_files() -> None:
    """P20: beside a good variable, a wrong value in the file is still blamed on the file."""
    assert refusal("mock: {ratio: a}", DEVBAY_MOCK__COUNT="1").startswith("devbay.yaml: mock.ratio = 'a'")


def test_a_variable_does_not_hide_what_is_wrong_around_it() -> None:
    """P20: a variable within what should be a section and is none does not make it one."""
    assert refusal("health: 5", DEVBAY_HEALTH__FLAP_LIMIT="4") == refusal("health: 5")
    assert refusal("mock: {inner: 5}", DEVBAY_MOCK__INNER__DEPTH="4") == refusal("mock: {inner: 5}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mock: {coutn: 1}", "mock.coutn: unknown key 'coutn'; did you mean 'count'?"),
        ("mock: {place: {dpth: 1}}", "mock.place.dpth: unknown key 'dpth'; did you mean 'depth'?"),
        ("mock: {maybe: {dpth: 1}}", "mock.maybe.dpth: unknown key 'dpth'; did you mean 'depth'?"),
        ("mock: {places: [{}, {dpth: 1}]}", "mock.places.1.dpth: unknown key 'dpth'; did you mean 'depth'?"),
        ("mock: {by_name: {a: {dpth: 1}}}", "mock.by_name.a.dpth: unknown key 'dpth'; did you mean 'depth'?"),
        ("mock: {by_name: {a: {depth: b}}}", "mock.by_name.a.depth = 'b': expected `int`, got `str`"),
    ],
)
def test_a_dataclass_is_as_strict(text: str, message: str) -> None:
    """P20: a backend that declares its section as a dataclass has its unknown keys refused too, however deep."""
    assert unmarked(refusal(text, Plain)) == f"devbay.yaml: {message}"


def test_a_dataclass_is_filled() -> None:
    """P20: a dataclass gets the values of file and variables as any section does."""
    text = "mock: {places: [{depth: 2}], by_name: {a: {depth: 3}}}"
    section = said(text, DEVBAY_MOCK__COUNT="4", DEVBAY_MOCK__MAYBE__DEPTH="5").section("mock", Plain)

    assert section == Plain(count=4, maybe=Place(5), places=[Place(2)], by_name={"a": Place(3)})


def test_a_backend_without_settings() -> None:
    """P20: a backend that declares no settings gets none, and a key for it is unknown as any other."""
    assert said().section("mock", dict) == {}
    assert unmarked(refusal("mock: {count: 1}", dict)) == "devbay.yaml: mock: this backend has no settings"
    assert refusal("", dict, DEVBAY_MOCK__COUNT="1").startswith("DEVBAY_MOCK__COUNT: unknown key 'count'")


def test_a_section_that_judges_itself() -> None:
    """P20: what a backend's own type says against a value reaches the operator, with the place."""

    @dataclass
    class Even:
        count: int = 0

        def __post_init__(self) -> None:
            if self.count % 2:
                raise ValueError(f"{self.count} is odd")
            if self.count > 10:
                raise LookupError("too many")

    assert unmarked(refusal("mock: {count: 3}", Even)) == "devbay.yaml: mock = {'count': 3}: 3 is odd"
    assert refusal("", Even, DEVBAY_MOCK__COUNT="3") == "DEVBAY_MOCK__COUNT: mock = {'count': 3}: 3 is odd"
    assert unmarked(refusal("mock: {count: 12}", Even)) == "devbay.yaml: mock: LookupError: too many"
