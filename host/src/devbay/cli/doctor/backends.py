"""Checks of the backends and their devices, and of the configuration: what each says by itself."""

from collections.abc import Iterator
from difflib import get_close_matches

from devbay.cli.doctor.findings import Finding, Findings, typed
from devbay.cli.doctor.scene import Scene
from devbay.offers import Offer
from devbay.runner import Report, State

_SHOWN = 8
_SLIP = 0.75
_backends = Findings("backends")
_devices = Findings("devices")
_configuration = Findings("configuration")


def backends(scene: Scene) -> Iterator[Finding]:
    """How each enabled backend does."""
    plan, seen = scene.plan, scene.seen
    if plan is None or seen is None:
        return
    if not plan.installed and not plan.rejected:
        yield _backends.problem(
            "no backend is installed",
            why="there is nothing to offer to Kubernetes",
            where="this Python environment",
            remedy="install one for the hardware of this node",
            command="pip install devbay-mock",
        )
    elif not plan.choice.enabled:
        yield _backends.note(
            f"no backend is enabled on node {plan.node.name}",
            plan.sources.selection().source,
            why="nothing is offered here, which may be meant: no line matches this node, or its line is empty",
            remedy="if it is not, mend DEVBAY_BACKENDS",
            command="devbay backends",
        )
    for warning in plan.choice.warnings:
        yield _backends.note(warning, plan.sources.selection().source, why="no matter on this node")
    for rejected in seen.rejected:
        yield _backends.problem(
            f"it cannot be run: {rejected.reason}",
            f"backend {rejected.name} ({rejected})",
            why="its devices are not offered",
            remedy="install a version that fits, or tell its authors; the others run without it",
            command="devbay backends",
        )
    for name, report in seen.reports.items():
        yield _state(f"backend {name} ({seen.runners[name].backend})", report)
    for refused in seen.refused:
        yield _backends.problem(
            refused,
            "offers",
            why="it gets no pods",
            remedy="do what it says; it is the configuration's or the backend's",
        )


def _state(where: str, report: Report) -> Finding:
    match report.state:
        case State.READY:
            return _backends.ok(f"ready, with {len(report.found or ())} devices", where)
        case State.UNAVAILABLE:
            return _backends.warning(
                f"unavailable: {report.reason}",
                where,
                why="it has nothing to offer here. Normal on a node without such hardware",
                remedy="if the hardware is there, install or load its driver; else leave the backend out here "
                "(DEVBAY_BACKENDS)",
            )
        case State.HUNG:
            return _backends.problem(
                f"hung: {report.reason}",
                where,
                why="its devices are unhealthy, and come back when the call returns",
                remedy="see to the driver: the kernel's log says what it waits for",
                command="dmesg --level=err,warn | tail -50",
            )
    return _backends.problem(
        f"failing: {report.reason}",
        where,
        why="its devices are unhealthy until it answers",
        remedy="do what it says, or tell its authors",
        command="dmesg --level=err,warn | tail -50",
    )


def devices(scene: Scene) -> Iterator[Finding]:
    """Which devices must get no containers, and why."""
    for offer in scene.offers.values():
        sick = [share.status for share in offer.shares if not share.status.health]
        for status in sick[:_SHOWN]:
            yield _devices.problem(
                f"unhealthy: {status.health.reason}",
                f"device {status.device.id} of {offer.resource}",
                why="no new container gets it; those that have it keep it",
                remedy="see to the device",
                command=typed("devbay", "explain", "device", status.device.id),
            )
        if len(sick) > _SHOWN:
            yield _devices.problem(
                f"{len(sick) - _SHOWN} more are unhealthy",
                offer.resource,
                why="no new container gets them",
                remedy="see to the devices",
                command="devbay devices",
            )
        if not sick:
            yield _devices.ok(_amount(offer), offer.resource)


def _amount(offer: Offer) -> str:
    ids = sum(len(share.ids) for share in offer.shares)
    whole = f"{len(offer.shares)} devices, all healthy"
    return whole if ids == len(offer.shares) else f"{whole}, in {ids} shares"


def configuration(scene: Scene) -> Iterator[Finding]:
    """Whether what was configured is here. That it can be read at all is seen before there is a plan."""
    if scene.plan is None or scene.seen is None:
        return
    rules = scene.settings.rules()
    known = {*scene.offers, *(offer.source for offer in scene.offers.values())}
    found = [_unmatched(scene, pattern, sorted(known)) for pattern in rules.unmatched(known)]
    for offer in {offer.source: offer for offer in scene.offers.values()}.values():
        here = [
            share.status.device
            for each in scene.offers.values()
            if each.source == offer.source
            for share in each.shares
        ]
        found += [
            _configuration.warning(
                f"sharing as far as possible: {problem}",
                f"{scene.plan.sources.file}: {offer.source}",
                why="fewer devices are shared than was meant",
                remedy="mend its sharing section",
                command="devbay devices",
            )
            for problem in rules.sharing(offer.source).shortfalls(here)
        ]
    yield from found or [_configuration.ok("all that was configured is here", scene.plan.sources.file)]


def _unmatched(scene: Scene, pattern: str, known: list[str]) -> Finding:
    where = scene.plan.sources.file if scene.plan else ""
    if near := get_close_matches(pattern, known, n=1, cutoff=_SLIP):
        return _configuration.warning(
            f"{pattern} is configured and not on this node; did you mean {near[0]}?",
            where,
            why="what was configured for it has no effect",
            remedy="mend the name, if it is a slip",
        )
    return _configuration.note(
        f"{pattern} is configured and not on this node",
        where,
        why="normal where one configuration serves a mixed fleet",
    )
