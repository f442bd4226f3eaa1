"""What ``explain device`` and ``explain resource`` look at: a glance, and the kubelet's word of who holds what."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from devbay.cli.glance import Glance, glance
from devbay.holders import Holders, Look
from devbay.offers import Offer, Rule, Rules, Share
from devbay.plan import Plan
from devbay.podresources import PodResources, Silent
from devbay.preference import usual
from devbay.sharing import Rule as ShareRule


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What was seen, with the rules that it was judged by.

    Attributes:
        plan: what is to run here.
        seen: what the backends say, and what would be offered of it.
        rules: what was configured for resources.
        answer: who holds what; None where nobody is asked, `Silent` where the kubelet does not say.
    """

    plan: Plan
    seen: Glance
    rules: Rules
    answer: Look | Silent | None

    @property
    def holders(self) -> Holders:
        """Who holds what, as far as it is known."""
        return self.answer.holders if isinstance(self.answer, Look) else Holders()

    @property
    def silence(self) -> str:
        """Why it is not known who holds what; empty if it is."""
        if isinstance(self.answer, Silent):
            return self.answer.reason
        return "" if self.answer else "not asked: kubelet.pod_resources is empty"

    def holds(self, offer: Offer, share: Share) -> dict[str, str]:
        """Return the container that holds each id of a device's that is held."""
        found = {one: self.holders.holder(offer.resource, one) for one in share.ids}
        return {one: f"{who.namespace}/{who.pod} ({who.name})" for one, who in found.items() if who}

    def entry(self, rule: Rule, setting: str) -> str:
        """Return where a rule stands in the configuration."""
        if setting == "sharing" and getattr(self.plan.settings.resources.get(rule.pattern), setting, None) is None:
            return f"sharing.timeSlicing ({rule.pattern})"
        return f"resources.{rule.pattern}.{setting}"

    def deciding(self, setting: str, *names: str) -> str:
        """Return where a setting of a resource stands in the configuration; empty where it does not."""
        rules = (rule for name in names for rule in self.rules.of(name))
        found = next((rule for rule in rules if getattr(rule, setting) is not None), None)
        return self.entry(found, setting) if found else ""

    def sharing(self, offer: Offer, share: Share) -> str:
        """Return how a device is shared, and by which entry of the configuration."""
        if (decided := self.deciding("sharing", offer.source)) == "":
            return "whole: nothing is configured"
        devices = [each.status.device for each in self._siblings(offer)]
        rules = self.rules.sharing(offer.source)
        rule = rules.shared(devices).get(share.status.device.id)
        if rule is None:
            return f"whole: no entry of {decided} means it"
        name = f", as {offer.resource}" if offer.resource != offer.source else ""
        return f"in {rule.replicas} shares{name}, by {decided}{_place(rules.rules, rule)}"

    def _siblings(self, offer: Offer) -> list[Share]:
        """Return the devices of a backend's resource, whatever they are offered as: entries count over all of them."""
        return [share for each in self.seen.offers.values() if each.source == offer.source for share in each.shares]

    def delivery(self, offer: Offer) -> str:
        """Return how edits reach a container, and by which entry of the configuration."""
        return self._setting("delivery", offer.delivery, offer, "the default")

    def policy(self, offer: Offer) -> str:
        """Return which devices a pod had best get, and by which entry of the configuration."""
        if offer.policy is None:
            return f"{usual(offer.shares[0].ids).value}, the default for what it has"
        return self._setting("policy", offer.policy, offer, "")

    def _setting(self, setting: str, value: str, offer: Offer, default: str) -> str:
        decided = self.deciding(setting, offer.resource, offer.source)
        return f"{value}, by {decided}" if decided else f"{value}, {default}"


def _place(rules: Sequence[ShareRule], rule: ShareRule) -> str:
    """Return which entry of several a rule is, and what it selects."""
    selectors = " or ".join(selector.text for selector in rule.selectors if selector.text)
    entry = f", entry {rules.index(rule) + 1}" if len(rules) > 1 and selectors else ""
    return f"{entry}{f' ({selectors})' if selectors else ''}"


@asynccontextmanager
async def view(plan: Plan) -> AsyncIterator[View]:
    """Look once; backends can be asked more while the view lasts."""
    async with glance(plan) as seen:
        socket = plan.settings.kubelet.pod_resources
        answer = await PodResources(Path(socket)).list() if socket else None
        yield View(plan=plan, seen=seen, rules=plan.settings.rules(), answer=answer)


def show(title: str, facts: Mapping[str, object], output: str) -> None:
    """Print facts: a line each for people, whole for programs."""
    if output == "json":
        click.echo(json.dumps(facts, indent=2))
        return
    click.echo(title)
    for name, value in facts.items():
        lines = _lines(value)
        for at, line in enumerate(lines or ["-"]):
            label = name.replace("_", " ").capitalize().replace("Numa", "NUMA")
            click.echo(f"  {label if at == 0 else '':<14}{line}")


def _lines(value: object) -> list[str]:
    match value:
        case None | "":
            return []
        case Mapping():
            return [f"{key}: {item}" for key, item in value.items()]
        case list() | tuple():
            return [str(item) for item in value]
    return [str(value)]
