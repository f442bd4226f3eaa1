"""What is said of a run: a table for people, a document for programs."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from bench.budgets import Budget
from bench.figures import Figure

_HEAD = f"{'budget':<42} {'figure':>12} {'limit':>8}         {'p50':>9} {'p95':>9} {'p99':>9} {'IQR':>8} {'n':>5}"


def heading(machine: Mapping[str, object]) -> str:
    """Return what stands above the table: the machine, and whether its figures can be trusted."""
    lines = [
        f"{machine['at']}  {machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}",
        f"devbay {machine['devbay']}, Python {machine['python']}, grpcio {machine['grpcio']}, load {machine['load']}",
        f"sockets are made in {machine['place']}, in {machine['socket_us']} µs each",
    ]
    if machine["busy"]:
        lines.append("WARNING: this machine is busy; times are too long, and ratios less certain")
    return "\n".join([*lines, "", _HEAD])


def row(budget: Budget, figure: Figure) -> str:
    """Return the line of one budget, and under it what explains it."""
    verdict = {True: "kept", False: "MISSED", None: "unknown"}[figure.kept]
    spread = figure.spread
    numbers = " ".join(f"{spread[name]:>9.3g}" for name in ("p50", "p95", "p99")) if spread else " " * 29
    value = "-" if figure.value is None else f"{figure.value:.3g} {figure.judged}"
    iqr = f"{spread.get('iqr', 0):>8.2g}"
    unit = figure.unit.replace("% of a core", "%")
    limit = f"{figure.limit:>5g} {unit:<3} {verdict:<6}"
    first = f"{budget.title:<42} {value:>12} {limit} {numbers} {iqr} {len(figure.samples):>5}"
    beside = [f"{name} {number:.3g}" for name, number in figure.beside.items()]
    beside += [figure.remark] if figure.remark else []
    return first + (f"\n    {'; '.join(beside)}" if beside else "")


def write(path: Path, machine: Mapping[str, object], results: Iterable[tuple[Budget, Figure]], *, quick: bool) -> None:
    """Write the document: the machine, and each budget with its figure."""
    budgets = [
        {
            "name": budget.name,
            "title": budget.title,
            "how": budget.how,
            "unit": figure.unit,
            "limit": figure.limit,
            "judged": figure.judged,
            "value": figure.value,
            "kept": figure.kept,
            **figure.spread,
            "samples": len(figure.samples),
            "beside": dict(figure.beside),
            "remark": figure.remark,
        }
        for budget, figure in results
    ]
    document = {"machine": dict(machine), "quick": quick, "budgets": budgets}
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
