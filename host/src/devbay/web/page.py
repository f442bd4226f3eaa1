"""A status as people read it: the whole page, by the template ``page.html``, which holds its style and its script.

Works without its script, which only fetches the page anew and puts what changed in the old one's place.
"""

import base64
import hashlib
import re
from importlib.resources import files
from string import Template

from devbay.chronicle import Entry
from devbay.session import State
from devbay.status import BackendStatus, ResourceStatus, Status
from devbay.web import tiles
from devbay.web.markup import mark, seconds, soft, text, time

_SOURCE = files("devbay.web").joinpath("page.html").read_text(encoding="utf-8")
_TEMPLATE = Template(_SOURCE)

_ALL_TILES = 600
"""Tiles on the page, of all resources together: a browser shows them at once, and nobody reads more."""

_SHOWN_EVENTS = 40
_SHOWN_MISSING = 12


def _hash(tag: str) -> str:
    content = re.search(f"<{tag}>(.*?)</{tag}>", _SOURCE, re.DOTALL)
    digest = hashlib.sha256((content[1] if content else "").encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


POLICY = (
    f"default-src 'none'; style-src {_hash('style')}; script-src {_hash('script')}; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What a browser may load for this page: its own style and script, by their hashes, and itself again."""

_BACKEND_MARKS = {
    "ready": ("good", "●"),
    "unavailable": ("soft", "○"),
    "starting": ("wait", "◌"),
    "loading": ("wait", "◌"),
}
_LEVEL_MARKS = {"info": ("soft", "·"), "warning": ("wait", "▲"), "error": ("bad", "▲"), "critical": ("bad", "▲")}
_FAULT = ("bad", "▲")


def render(status: Status, *, late: bool) -> str:
    """Return the page; `late` tells that a newer status could not be had."""
    body = "\n".join([_head(status, late=late), _backends(status), _resources(status), _events(status), _foot(status)])
    ill = sum(len(resource.offer.shares) - resource.healthy for resource in status.resources)
    news = f"{ill} unhealthy · " if ill else ""
    return _TEMPLATE.substitute(title=text(f"{news}{status.node} · devbay"), body=body)


def _head(status: Status, *, late: bool) -> str:
    resources = status.resources
    devices = sum(len(resource.offer.shares) for resource in resources)
    healthy = sum(resource.healthy for resource in resources)
    held = "?" if status.holders is None else sum(status.held(resource) or 0 for resource in resources)
    ill = devices - healthy
    sums = [
        (devices, "device" if devices == 1 else "devices"),
        (healthy, "healthy"),
        (f'<span class="bad">{ill}</span>' if ill else 0, "unhealthy"),
        (held, "in use"),
        (sum(resource.advertised for resource in resources), "advertised"),
    ]
    numbers = "".join(f"<li><b>{number}</b><small>{what}</small></li>" for number, what in sums)
    return (
        f'<header id="now"><h1>{text(status.node)}</h1><p class="soft">devbay {text(status.version)}, '
        f"as of {time(status.at, status.at)} UTC, up since {time(status.started_at, status.at)}</p></header>\n"
        f'<section id="verdict">{_verdict(status, late=late)}</section>\n'
        f'<ul id="sums" class="sums">{numbers}</ul>'
    )


def _verdict(status: Status, *, late: bool) -> str:
    missing = [*(["the event loop does not answer; this is what it last said"] if late else []), *status.missing()]
    if not missing:
        notes = "".join(f"<li>{text(line)}</li>" for line in status.notes())
        return f'<p class="good state">{mark("●")}Ready</p>' + (f"<ul>{notes}</ul>" if notes else "")
    shown = missing[:_SHOWN_MISSING]
    if more := len(missing) - len(shown):
        shown.append(f"and {more} more")
    lines = "".join(f"<li>{text(line)}</li>" for line in (*shown, *status.notes()))
    return f'<p class="bad state">{mark("▲")}Not ready</p><ul>{lines}</ul>'


def _backends(status: Status) -> str:
    rows = [_backend(backend, status.at) for backend in status.backends]
    rows += [_row(name, "loading") for name in status.loading]
    return _section("backends", "Backends", _list("ul", rows) or soft("No backend is enabled on this node."))


def _backend(backend: BackendStatus, now: float) -> str:
    took = {hook: did.seconds.last for hook, did in backend.calls.items() if hook in ("discover", "check")}
    facts = [f"looked at {time(backend.looked_at, now)}"] if backend.looked_at else []
    facts += [f"{hook} {seconds(last)}" for hook, last in sorted(took.items(), reverse=True) if last is not None]
    kind, _ = _BACKEND_MARKS.get(backend.state, _FAULT)
    reasons = dict.fromkeys(reason for reason in (backend.reason, *backend.stuck) if reason)
    why = "".join(f'<p class="{kind}">{text(reason)}</p>' for reason in reasons)
    whose = soft(f"{backend.distribution} {backend.version}")
    return _row(backend.name, backend.state, f'{whose}<span class="soft">{" · ".join(facts)}</span>{why}')


def _row(name: str, state: str, content: str = "") -> str:
    kind, sign = _BACKEND_MARKS.get(state, _FAULT)
    named = f'<b>{text(name)}</b><span class="{kind} state">{mark(sign)}{text(state)}</span>'
    return f'<li class="backend">{named}{content}</li>'


def _resources(status: Status) -> str:
    room = _ALL_TILES
    shown = []
    for resource in status.resources:
        limit = max(0, min(tiles.LIMIT, room))
        shown.append(_resource(status, resource, limit))
        room -= min(limit, len(resource.offer.shares))
    return _section("resources", "Resources", "".join(shown) or soft("Nothing is offered."))


def _resource(status: Status, resource: ResourceStatus, limit: int) -> str:
    domain, _, kind = resource.name.rpartition("/")
    count, held = len(resource.offer.shares), status.held(resource)
    streaming = resource.state is State.STREAMING
    tone, sign = ("good", "●") if streaming else ("wait", "▲")
    facts = [
        f'<span class="{tone} state">{mark(sign)}{text(resource.state.value)}</span>',
        f"<span>{resource.healthy} of {count} healthy</span>",
        f"<span>{held} in use</span>" if held is not None else "",
        f"<span>{resource.advertised} shares</span>" if resource.advertised != count else "",
        f"<span>backend {text(resource.offer.backend)}</span>",
        f"<span>from {text(resource.offer.source)}</span>" if resource.offer.source != resource.name else "",
        f"<span>{text(resource.offer.delivery)}</span>" if resource.offer.delivery != "direct" else "",
        f"<span>{resource.counts.containers} given so far</span>" if resource.counts.containers else "",
    ]
    reason = f'<p class="{tone}">{text(resource.reason)}</p>' if resource.reason and not streaming else ""
    return (
        f'<article class="resource"><h3><span>{text(domain)}/</span>{text(kind)}</h3>'
        f'<p class="facts">{"".join(facts)}</p>{reason}{tiles.grid(status, resource, limit)}</article>'
    )


def _events(status: Status) -> str:
    rows = [_event(event, status.at) for event in status.events[:_SHOWN_EVENTS]]
    return _section("events", "Last events", _list("ol", rows) or soft("Nothing has happened yet."))


def _event(event: Entry, now: float) -> str:
    kind, sign = _LEVEL_MARKS.get(event.level, _FAULT)
    about = " ".join(filter(None, [event.resource, event.device])) or event.backend
    details = " · ".join(f"{name} {value}" for name, value in event.details.items())
    below = f"<p>{text(details)}</p>" if details else ""
    level = f'<span class="{kind}">{text(event.level)}</span> ' if event.level != "info" else ""
    return (
        f'<li class="event"><span class="soft">{time(event.at, now)}</span>'
        f"<p>{mark(sign, kind)}{level}{text(event.text)} {soft(about)}</p>{below}</li>"
    )


def _foot(status: Status) -> str:
    links = " ".join(f'<a href="{path}">{path}</a>' for path in ("status.json", "metrics", "readyz", "healthz"))
    unknown = f"Who holds what is not known: {status.holders_reason}." if status.holders_reason else ""
    parts = [
        "<span>Times are UTC.</span>",
        f"<span>Nothing waited longer than {seconds(status.loop_lag)} in the last minute.</span>",
        f"<span>{text(unknown)}</span>" if unknown else "",
        f"<span>{links}</span>",
    ]
    return f'<footer id="foot">{"".join(parts)}</footer>'


def _section(key: str, title: str, content: str) -> str:
    return f'<section id="{key}"><h2>{title}</h2>{content}</section>'


def _list(tag: str, rows: list[str]) -> str:
    return f'<{tag} class="rows">{"".join(rows)}</{tag}>' if rows else ""
