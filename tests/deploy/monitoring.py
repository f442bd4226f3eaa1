"""What the monitoring's files say: alerts, panels, and the metrics that their expressions name."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.house.workspace import ROOT

COMPONENT = ROOT / "host/src/devbay/manifests/components/prometheus-operator"
FOLDER = ROOT / "deploy/monitoring"
RANGE = re.compile(r"\[(\d+)([smh])\]")
SECONDS = {"s": 1, "m": 60, "h": 3600}

_NO_NAMES = re.compile(
    r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]|\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)|\$\w+'
)
_IDENTIFIER = re.compile(r"(?<![\w.])([a-zA-Z_:][\w:]*)\b(?!\s*\()")
_WORDS = frozenset({"and", "or", "unless", "bool", "offset"})


@dataclass(frozen=True, slots=True)
class Query:
    """One question to Prometheus, and where it stands."""

    where: str
    expression: str


def document(path: Path) -> dict[str, Any]:
    """Return the one object in a YAML file."""
    loaded: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return loaded


def groups() -> list[dict[str, Any]]:
    """Return the groups of the PrometheusRule: what a rule file of Prometheus has under ``groups``."""
    found: list[dict[str, Any]] = document(COMPONENT / "rules.yaml")["spec"]["groups"]
    return found


def alerts() -> list[dict[str, Any]]:
    """Return every alert."""
    return [rule for group in groups() for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    """Return the dashboard."""
    loaded: dict[str, Any] = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))
    return loaded


def panels() -> list[Query]:
    """Return what the panels ask."""
    return [
        Query(f"{panel['title']} {target['refId']}", target["expr"])
        for panel in dashboard()["panels"]
        for target in panel.get("targets", ())
    ]


def names(expression: str) -> frozenset[str]:
    """Return the metrics that an expression names."""
    return frozenset(_IDENTIFIER.findall(_NO_NAMES.sub(" ", expression))) - _WORDS


def seconds(duration: str) -> float:
    """Return a duration such as ``5m`` in seconds."""
    return float(duration[:-1]) * SECONDS[duration[-1]]


def hastened(factor: int) -> Iterator[Mapping[str, Any]]:
    """Yield the groups with every time in them divided: the same rules for a day that is over in a minute."""

    def shorter(duration: str) -> str:
        return f"{round(seconds(duration) * 1000 / factor)}ms"

    for group in groups():
        rules = []
        for rule in group["rules"]:
            quick = rule | {"expr": RANGE.sub(lambda found: f"[{shorter(found[1] + found[2])}]", rule["expr"])}
            rules.append(quick | ({"for": shorter(rule["for"])} if "for" in rule else {}))
        yield group | {"rules": rules}
