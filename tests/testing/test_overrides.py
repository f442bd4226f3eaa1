"""No case of the kit goes away unseen."""

import pytest

from devbay.testing import BackendConformance
from devbay.testing.overrides import cases_left_out

CASE = "test_edit_is_pure"


def case(self: object) -> None:
    """Stand in for a case."""


def marked(mark: pytest.MarkDecorator) -> object:
    """Return what stands in for a case, marked."""

    def stand_in(self: object) -> None:
        """Stand in for a case."""

    return mark(stand_in)


def complaints(**attributes: object) -> list[str]:
    """Return what is said of a subclass with these attributes."""
    subclass = type("TestIt", (BackendConformance,), attributes)
    return list(cases_left_out(BackendConformance, subclass))


@pytest.mark.parametrize(
    ("attributes", "complaint"),
    [
        pytest.param({CASE: case}, "is overridden without a reason", id="overridden"),
        pytest.param({CASE: None}, "is deleted", id="deleted"),
        pytest.param({CASE: marked(pytest.mark.xfail())}, "without a reason", id="xfail-without-reason"),
        pytest.param({CASE: marked(pytest.mark.skip(reason=" "))}, "without a reason", id="skip-with-empty-reason"),
        pytest.param({CASE: marked(pytest.mark.timeout(60))}, "without a reason", id="another-mark"),
    ],
)
def test_a_case_that_goes_unseen_is_named(attributes: dict[str, object], complaint: str) -> None:
    """A subclass that overrides or deletes a case without a written reason fails, naming the case."""
    (said,) = complaints(**attributes)

    assert said.startswith(CASE)
    assert complaint in said


@pytest.mark.parametrize("mark", [pytest.mark.xfail(reason="a time"), pytest.mark.skip(reason="a time")])
def test_a_written_reason_is_enough(mark: pytest.MarkDecorator) -> None:
    """A case that cannot hold is left out with the reason beside it; a test and a rig of its own are no override."""
    assert complaints(**{CASE: marked(mark), "test_of_its_own": case, "rig": case}) == []


def test_a_mixin_hides_no_case() -> None:
    """It does not matter from where a subclass has what stands in for a case."""
    mixin = type("Mixin", (), {CASE: case})
    subclass = type("TestIt", (mixin, BackendConformance), {})

    assert len(list(cases_left_out(BackendConformance, subclass))) == 1


def test_the_guard_cannot_be_overridden() -> None:
    """The case that looks for these is there to stay: a class without it cannot even be made."""
    with pytest.raises(TypeError, match="guards the other cases"):
        complaints(test_no_case_is_left_out=case)


def test_the_guard_fails_where_a_case_is_left_out() -> None:
    """The guard is a case itself: a run of the subclass has a failure with the complaint."""
    subclass = type("TestIt", (BackendConformance,), {CASE: None})

    with pytest.raises(pytest.fail.Exception, match="test_edit_is_pure is deleted"):
        subclass().test_no_case_is_left_out()
