"""The rule for resource names."""

import pytest

from devbay.simulator.names import is_extended_resource


@pytest.mark.parametrize(
    "name",
    [
        "example.com/widget",
        "a/b",
        "example.com/Widget_2.x-1",
        f"{'d' * 63}.{'e' * 63}.{'f' * 63}.{'g' * 52}/x",
        f"example.com/{'x' * 63}",
    ],
)
def test_6_legal_names_are_accepted(name: str) -> None:
    """Behaviour 6: a domain of at most 244 characters, a slash, a name of at most 63."""
    assert is_extended_resource(name)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("", id="empty"),
        pytest.param("widget", id="no domain"),
        pytest.param("kubernetes.io/widget", id="native"),
        pytest.param("x.kubernetes.io/widget", id="native subdomain"),
        pytest.param("requests.example.com/widget", id="a quota's name"),
        pytest.param("example.com/a/b", id="two slashes"),
        pytest.param("Example.com/widget", id="upper-case domain"),
        pytest.param("-example.com/widget", id="domain starts with a dash"),
        pytest.param("example..com/widget", id="empty label"),
        pytest.param("/widget", id="empty domain"),
        pytest.param("example.com/", id="empty name"),
        pytest.param("example.com/-widget", id="name starts with a dash"),
        pytest.param("example.com/widget.", id="name ends with a dot"),
        pytest.param("example.com/widget\n", id="trailing newline"),
        pytest.param("exa mple.com/widget", id="space"),
        pytest.param("example.com/wídget", id="not ASCII"),
        pytest.param(f"example.com/{'x' * 64}", id="64 characters"),
        pytest.param(f"{'d' * 63}.{'e' * 63}.{'f' * 63}.{'g' * 53}/x", id="domain of 245 characters"),
    ],
)
def test_6_illegal_names_are_refused(name: str) -> None:
    """Behaviour 6: everything that is not a qualified name outside Kubernetes' own domain."""
    assert not is_extended_resource(name)
