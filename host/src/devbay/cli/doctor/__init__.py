"""``devbay doctor``: finds what is wrong on a node, and says what to do."""

import json
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from devbay.cli import Exit, configuration, log
from devbay.cli.doctor.checks import examine
from devbay.cli.doctor.findings import Finding, Findings, Severity
from devbay.cli.doctor.scene import Place, Scene, gather
from devbay.cli.doctor.sight import is_there
from devbay.errors import ConfigError
from devbay.plan import Plan
from devbay.settings import LogSection, Settings

_MARKS = {Severity.OK: "✓", Severity.NOTE: "·", Severity.WARNING: "!", Severity.PROBLEM: "✗"}
_COLORS = {Severity.OK: "green", Severity.NOTE: "blue", Severity.WARNING: "yellow", Severity.PROBLEM: "red"}
_WIDTH = 100
_INDENT = " " * 14


@click.command(short_help="Find what is wrong on this node, and say what to do.")
@configuration.options
@click.option(
    "--kubelet-dir", metavar="DIR", help="The kubelet's device plugin directory; otherwise what is configured."
)
@click.option(
    "--root",
    metavar="DIR",
    default=Path("/"),
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Where the node's own file system is found, for what is not configured: /host, say, in a pod that mounts it.",
)
@click.option("--all", "everything", is_flag=True, help="Show what is as it should be, too.")
@click.option("--output", "-o", type=click.Choice(["text", "json"]), default="text", show_default=True)
def doctor(root: Path, output: str, *, everything: bool, kubelet_dir: str | None, **options: str | None) -> Exit:
    """Find what is wrong on this node, and say what to do.

    Looks at the configuration, the backends and their devices, the kubelet's directory with its sockets and its
    checkpoint, other device plugins, the CDI directory and the container runtime's switch for it, the pod-resources
    socket, the Node object, and the node's limits. Changes nothing and offers nothing: safe beside a running devbay.
    Best run as root; otherwise it says what it could not see. The Node object is looked at with KUBECONFIG, or with the
    service account of a pod that may get nodes.

    Exits with 1 if there is a problem. Each finding's name, in brackets, is a section of docs/troubleshooting.md.
    """
    log.configure(LogSection(level="error"))
    scene = _scene(root, kubelet_dir, options)
    findings = examine(scene)
    if output == "json":
        document = {"node": scene.node_name, "findings": [finding.plain() for finding in findings]}
        click.echo(json.dumps(document, indent=2))
    else:
        for line in _report(findings, everything=everything):
            click.echo(line)
    return Exit.FAILED if any(one.severity is Severity.PROBLEM for one in findings) else Exit.OK


def _scene(root: Path, kubelet_dir: str | None, options: dict[str, str | None]) -> Scene:
    gaps: tuple[Finding, ...] = ()
    plan: Plan | None = None
    try:
        plan = configuration.load(**{"config": None, "backends": None} | options | {"kubelet_dir": kubelet_dir})
    except ConfigError as error:
        gaps = (
            Findings("configuration").problem(
                str(error),
                options.get("config") or "configuration",
                why="devbay run does not start with it; the checks go on with defaults, and ask no backend",
                remedy="mend what it names",
            ),
        )
    settings = plan.settings if plan else Settings()
    kubelet = kubelet_dir or settings.kubelet.directory
    socket = settings.kubelet.pod_resources
    place = Place(
        root=root,
        kubelet=Path(kubelet) if kubelet_dir else _on(root, kubelet),
        pod_resources=_on(root, socket) if socket else None,
        cdi=_on(root, settings.cdi.directory),
    )
    return gather(place, settings, plan, gaps)


def _on(root: Path, path: str) -> Path:
    """Return where a path is found: as it is, or below the node's root if it is only there."""
    below = root / path.lstrip("/")
    return below if is_there(below) and not is_there(Path(path)) else Path(path)


def _report(findings: Sequence[Finding], *, everything: bool) -> Iterator[str]:
    shown = [one for one in findings if everything or one.severity is not Severity.OK]
    for finding in sorted(shown, key=lambda one: -one.severity):
        yield from _lines(finding)
        yield ""
    counts = [(severity, sum(one.severity is severity for one in findings)) for severity in reversed(Severity)]
    said = [f"{count} {severity.word}{'s' if count != 1 else ''}" for severity, count in counts[:-1] if count]
    fine = f"{counts[-1][1]} checks found nothing wrong"
    yield f"{', '.join(said)}; {fine}." if said else f"All is well: {fine}."


def _lines(finding: Finding) -> Iterator[str]:
    what = _printable(finding.what)
    mark = click.style(f"{_MARKS[finding.severity]} {finding.severity.word:<8}", fg=_COLORS[finding.severity])
    yield f"{mark}  [{finding.check}] {what}"
    for name, text in (("where", finding.where), ("why", finding.why), ("do", finding.remedy)):
        if text:
            # Paths are never broken: they are copied.
            wrapped = textwrap.wrap(
                _printable(text), _WIDTH - len(_INDENT), break_long_words=False, break_on_hyphens=False
            )
            yield f"    {name:<10}{wrapped[0]}"
            yield from (f"{_INDENT}{line}" for line in wrapped[1:])
    yield from (f"{_INDENT}$ {_printable(line)}" for line in finding.command.splitlines())


def _printable(text: str) -> str:
    """Return text that a terminal takes as letters: a file's name may be chosen by anybody."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
