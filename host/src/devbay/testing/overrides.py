"""Whether a class still has every case of the kit: one that it changes, it changes with a written reason."""

from collections.abc import Iterator


def cases(kit: type) -> list[str]:
    """Return the names of the kit's cases."""
    return [name for name in dir(kit) if name.startswith("test_")]


def cases_left_out(kit: type, subclass: type) -> Iterator[str]:
    """Yield a complaint for each case of `kit` that `subclass` overrides or deletes without a reason.

    A reason is that of ``@pytest.mark.xfail(reason="…")`` or ``@pytest.mark.skip(reason="…")`` on what overrides it.
    """
    for name in cases(kit):
        found = getattr(subclass, name, None)
        if found is None:
            yield f"{name} is deleted; override it with a function marked xfail, with the reason, if it cannot hold"
        elif found is not getattr(kit, name) and not _has_reason(found):
            yield f"{name} is overridden without a reason; mark it: @pytest.mark.xfail(reason=...)"


def _has_reason(function: object) -> bool:
    marks = getattr(function, "pytestmark", ())
    return any(mark.name in {"xfail", "skip"} and str(mark.kwargs.get("reason", "")).strip() for mark in marks)
