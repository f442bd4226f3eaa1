"""One look at what is here and what would be offered of it, for commands that answer and end.

The backends are loaded and asked as the host does it, and the answers go the same way: through the inventory and the
configuration's rules to offers. Nothing is offered to anybody.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import click

from devbay import inventory, offers
from devbay.cli import Exit
from devbay.inventory import DeviceStatus
from devbay.offers import Offer, Rules
from devbay.plan import Plan, load
from devbay.plugins import Rejected
from devbay.runner import Report, Runner


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """What was seen.

    Attributes:
        reports: what each backend that could be loaded found, by its name.
        runners: the same backends, to be asked more while the glance lasts.
        rejected: the enabled backends that could not be loaded.
        offers: what would be offered, by resource.
        refused: devices and resources that would not be, in sentences.
        unmet: what the configuration says of resources and devices that are not here, in sentences.
    """

    reports: Mapping[str, Report]
    runners: Mapping[str, Runner]
    rejected: tuple[Rejected, ...]
    offers: Mapping[str, Offer]
    refused: tuple[str, ...]
    unmet: tuple[str, ...]

    def trouble(self) -> Iterator[tuple[str, Exit]]:
        """Yield what a person should hear of, as sentences, and what the command exits with for it."""
        for rejected in self.rejected:
            yield f"backend {rejected.name} ({rejected}) rejected: {rejected.reason}", Exit.FAILED
        for report in self.reports.values():
            if report.reason:
                said = f"backend {report.backend} is {report.state.value}: {report.reason}"
                yield said, Exit.OK if report.state.is_normal else Exit.FAILED
        for refused in self.refused:
            yield refused, Exit.OK

    def complain(self) -> Exit:
        """Print the trouble to standard error; return the worst of what to exit with."""
        worst = Exit.OK
        for sentence, code in self.trouble():
            click.echo(f"devbay: {sentence}", err=True)
            worst = max(worst, code)
        return worst


@asynccontextmanager
async def glance(plan: Plan) -> AsyncIterator[Glance]:
    """Load the enabled backends and look once; they are stopped at the end."""
    loaded = await asyncio.gather(*(load(plan, installed, lambda _: None) for installed in plan.enabled))
    runners = {one.backend.name: one for one in loaded if isinstance(one, Runner)}
    failed = tuple(one for one in loaded if isinstance(one, Rejected))
    beforehand = tuple(one for one in plan.rejected if one.name in plan.choice.enabled)
    try:
        reports = dict(zip(runners, await asyncio.gather(*(one.look() for one in runners.values())), strict=True))
        made, refused, unmet = _offered(plan, reports)
        yield Glance(
            reports=reports,
            runners=runners,
            rejected=beforehand + failed,
            offers=made,
            refused=refused,
            unmet=unmet,
        )
    finally:
        await asyncio.gather(*(runner.stop() for runner in runners.values()))


def _offered(plan: Plan, reports: Mapping[str, Report]) -> tuple[dict[str, Offer], tuple[str, ...], tuple[str, ...]]:
    known = inventory.Inventory(policy=plan.settings.health.policy())
    said = []
    for name, report in reports.items():
        known, late = inventory.observe(known, name, report.found or (), now=0.0)
        said += [f"backend {name}: device rejected: {one.item}: {one.reason}" for one in (*report.rejected, *late)]
    found, rules = known.snapshot.resources, plan.settings.rules()
    made, refused = offers.offers(found, rules)
    said += [f"{refusal.resource} is not offered: {refusal.reason}" for refusal in refused]
    return made, tuple(said), tuple(_unmet(found, made, rules))


def _unmet(found: Mapping[str, Sequence[DeviceStatus]], made: Mapping[str, Offer], rules: Rules) -> Iterator[str]:
    for pattern in rules.unmatched({*found, *made}):
        yield f"configured resource {pattern} is not on this node"
    for source, devices in found.items():
        for problem in rules.sharing(source).shortfalls([each.device for each in devices]):
            yield f"{source} is shared as far as possible: {problem}"
