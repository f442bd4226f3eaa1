"""The host's own settings: what holds where nothing is said."""

from dataclasses import fields

import msgspec
import pytest

from devbay import settings
from devbay.inventory import HealthPolicy
from devbay.settings import DeadlineSection, HealthSection, Settings, WebSection

STRUCTS = [kind for kind in vars(settings).values() if isinstance(kind, type) and issubclass(kind, msgspec.Struct)]


def test_nothing_has_to_be_said() -> None:
    """P20: every setting has a default, and the defaults are legal values of their own types."""
    plain = Settings()

    assert msgspec.convert(msgspec.to_builtins(plain), Settings) == plain


@pytest.mark.parametrize("kind", STRUCTS)
def test_no_section_takes_unknown_keys(kind: type[msgspec.Struct]) -> None:
    """P20: an unknown key is an error in every section."""
    with pytest.raises(msgspec.ValidationError, match="unknown field `colour`"):
        msgspec.convert({"colour": "red"}, kind)


def test_every_section_is_named() -> None:
    """P1, P20: no backend can have the name of one of the host's own sections."""
    assert settings.SECTIONS == (
        "backends",
        "node",
        "kubelet",
        "health",
        "deadlines",
        "resources",
        "sharing",
        "cdi",
        "web",
        "log",
        "events",
    )


def test_the_policy_is_the_sections() -> None:
    """P10, P12: the rules of time are the operator's settings, and their defaults are the policy's own."""
    changed = HealthSection(flap_limit=1, flap_window=2, recovery_hold=3, keep_lost=4, keep_allocated=5)

    assert HealthSection().policy() == HealthPolicy()
    assert changed.policy() == HealthPolicy(
        flap_limit=1, flap_window=2, recovery_hold=3, keep_lost=4, keep_allocated=5, looks=2
    )


def test_every_rule_of_time_can_be_set() -> None:
    """P10: what the policy decides by is a setting, but for the number of looks, which is a promise."""
    settable = {field.encode_name for field in msgspec.structs.fields(HealthSection)}

    assert {field.name for field in fields(HealthPolicy)} - settable == {"looks"}


def test_deadlines_fit_the_kubelets() -> None:
    """P14, P22: a slow backend is cut off before the kubelet gives up, and before a stop takes a second."""
    deadlines = DeadlineSection()

    assert deadlines.prepare < 30
    assert deadlines.edit <= 2
    assert deadlines.close < 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"health": {"scan_interval": 0}},
        {"health": {"flap_limit": 0}},
        {"health": {"recovery_hold": -1}},
        {"health": {"keep_lost": -0.1}},
        {"deadlines": {"edit": 0}},
        {"deadlines": {"close": -1}},
        {"log": {"level": "loud"}},
        {"log": {"format": "xml"}},
        {"node": {"sys": None}},
        {"web": {"listen": "8080"}},
        {"web": {"listen": "0.0.0.0:http"}},
        {"web": {"listen": "0.0.0.0:65536"}},
        {"web": {"listen": "::1:8080"}},
        {"web": {"page": "perhaps"}},
    ],
)
def test_senseless_values_are_refused(wrong: dict[str, object]) -> None:
    """P20: a value with which the host could not work is no value."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, Settings)


@pytest.mark.parametrize(
    ("listen", "in_pod", "address"),
    [
        ("auto", True, ("0.0.0.0", 8080)),  # noqa: S104 - what is listened on is the point
        ("auto", False, ("127.0.0.1", 8080)),
        ("", True, None),
        (":9000", False, ("0.0.0.0", 9000)),  # noqa: S104 - as above
        ("localhost:9000", True, ("localhost", 9000)),
        ("[::]:9000", False, ("::", 9000)),
        ("10.0.0.1:0", False, ("10.0.0.1", 0)),
    ],
)
def test_the_web_listens_where_it_is_told(listen: str, *, in_pod: bool, address: tuple[str, int] | None) -> None:
    """P21: probes reach the pod's address by default; outside a pod nobody else does; empty is nowhere."""
    assert WebSection(listen=listen).address(in_pod=in_pod) == address
