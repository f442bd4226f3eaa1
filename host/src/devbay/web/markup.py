"""Text and small marks of the page. Whatever is shown of a backend, the kubelet or a pod goes through `text`."""

from datetime import UTC, datetime
from html import escape


def text(value: object) -> str:
    """Return what may stand in the page as text: nothing in it is markup, and all of it can be encoded."""
    return escape(str(value).encode("utf-8", "replace").decode())


def mark(sign: str, kind: str = "") -> str:
    """Return a sign that stands beside words which say the same."""
    return f'<i class="mark {kind}" aria-hidden="true">{sign}</i>'


def soft(value: object) -> str:
    """Return text that stands back."""
    return f'<span class="soft">{text(value)}</span>'


def time(at: float, now: float) -> str:
    """Return a moment as people read it: with the day where that is not today's."""
    moment, today = (datetime.fromtimestamp(each, UTC) for each in (at, now))
    shown = moment.strftime("%H:%M:%S" if moment.date() == today.date() else "%d %b %H:%M")
    return f'<time datetime="{moment.strftime("%Y-%m-%dT%H:%M:%SZ")}">{shown}</time>'


def seconds(taken: float) -> str:
    """Return a duration as people read it."""
    if taken >= 1:
        return f"{taken:.1f} s"
    return f"{taken * 1e3:.0f} ms" if taken >= 0.001 else "under 1 ms"  # noqa: PLR2004 - a millisecond
