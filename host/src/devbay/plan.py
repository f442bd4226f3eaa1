"""What is to run on a node: from sources to a `Plan`, and from an installed backend to one that can run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from devbay import plugins
from devbay.custody import CustodyPolicy
from devbay.errors import ConfigError
from devbay.model import Node
from devbay.plugins import Installed, Rejected
from devbay.reload import Intent
from devbay.runner import Report, Runner, Timing
from devbay.selection import Choice
from devbay.settings import Settings
from devbay.sources import HOST, Sources


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to run here, before anything of it is imported.

    Attributes:
        settings: the host's own.
        sources: where the backends' settings come from.
        node: where we run.
        installed: the backends that can be had, by name.
        rejected: those that cannot be run whatever is configured.
        choice: which are enabled on this node.
        warnings: what is wrong in overlays that are for other nodes; sentences.
    """

    settings: Settings
    sources: Sources
    node: Node
    installed: Mapping[str, Installed]
    rejected: tuple[Rejected, ...]
    choice: Choice
    warnings: tuple[str, ...] = ()

    @property
    def intent(self) -> Intent:
        """What of this can change while a host runs."""
        return Intent(settings=self.settings, sources=self.sources, enabled=self.choice.enabled)

    @property
    def custody(self) -> CustodyPolicy:
        """When the kubelet's word on who holds what is believed."""
        return CustodyPolicy(
            node=self.node.name,
            settle=self.settings.kubelet.pod_resources_settle,
            keep_unseen=self.settings.health.keep_lost,
        )

    @property
    def timing(self) -> Timing:
        """How long backends may take, and how often they are asked."""
        return Timing(deadlines=self.settings.deadlines, scan_interval=self.settings.health.scan_interval)

    @property
    def enabled(self) -> list[Installed]:
        """The backends to load; one that is enabled and rejected costs the others nothing."""
        return [self.installed[name] for name in self.choice.enabled if name in self.installed]


def plan(sources: Sources, node_name: str) -> Plan:
    """Return what the configuration means on this node; `node_name` counts where the configuration has none.

    Raises:
        ConfigError: it cannot be used; the text says where and why.
    """
    name = sources.settings().node.name or node_name
    sources = sources.on(name)
    settings = sources.settings()
    if not (directory := settings.kubelet.directory) or not directory.isprintable():
        raise ConfigError(f"kubelet.directory = {directory!r}: this names no directory")
    installed, rejected = plugins.find()
    known = {*installed, *(r.name for r in rejected)}
    sources.check_sections(known)
    return Plan(
        settings=settings,
        sources=sources,
        node=Node(
            name=name,
            sys=Path(settings.node.sys),
            dev=Path(settings.node.dev),
            proc=Path(settings.node.proc),
        ),
        installed=installed,
        rejected=rejected,
        choice=sources.selection().on(name, known),
        warnings=tuple(sources.elsewhere(HOST, known)),
    )


async def load(plan: Plan, installed: Installed, report: Callable[[Report], None]) -> Runner | Rejected:
    """Load one backend and make what runs it; a rejection where it, or its part of the configuration, does not fit."""
    loaded = await plugins.load(installed, plan.settings.deadlines.load)
    if isinstance(loaded, Rejected):
        return loaded
    try:
        settings: object = plan.sources.section(loaded.name, loaded.settings_type)
    except ConfigError as error:
        return plugins.reject(installed, f"its configuration does not fit: {error}")
    return Runner(loaded, plan.node, settings, plan.timing, report)


def node_name(environment: Mapping[str, str], host_name: str) -> str:
    """Return the node's name where the configuration has none.

    Raises:
        ConfigError: neither ``NODE_NAME`` nor the machine has one.
    """
    if name := environment.get("NODE_NAME", "").strip() or host_name:
        return name
    raise ConfigError("the node has no name; set NODE_NAME")
