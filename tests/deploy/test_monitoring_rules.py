"""Every alert on made series, by promtool: each fires when it should, and only then."""

import json
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml

from tests.deploy import monitoring
from tests.deploy.cases import CASES, Case


@pytest.fixture(scope="module")
def promtool() -> str:
    """Return Prometheus's own tool."""
    if (found := shutil.which("promtool")) is None:
        pytest.skip("promtool is not here; it is in the Debian package prometheus")
    return found


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """Write the rules as Prometheus reads them: what the operator makes of a PrometheusRule."""
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": monitoring.groups()}), encoding="utf-8")
    return file


def run(*command: str | Path) -> tuple[int, str]:
    """Return how a command ended, and what it said."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_prometheus_accepts_the_rules(promtool: str, rules: Path) -> None:
    """``promtool check rules`` finds nothing wrong, names and templates included."""
    code, said = run(promtool, "check", "rules", "--lint=all", "--lint-fatal", rules)

    assert code == 0, said
    assert f"SUCCESS: {len(monitoring.alerts())} rules found" in said


def test_every_alert_has_a_case() -> None:
    """Each alert is shown to fire, and is shown not to."""
    firing = {case.alert for case in CASES if any(labels is not None for labels in case.at.values())}
    silent = {case.alert for case in CASES if any(labels is None for labels in case.at.values())}

    assert firing == silent == {alert["alert"] for alert in monitoring.alerts()}


def judged(promtool: str, rules: Path, cases: Iterable[Case]) -> tuple[int, str]:
    """Return what promtool says of cases."""
    content = {
        "rule_files": [str(rules)],
        "evaluation_interval": "1m",
        "tests": [case.test() for case in cases],
    }
    file = rules.with_name("test.json")
    file.write_text(json.dumps(content), encoding="utf-8")
    return run(promtool, "test", "rules", file)


def test_alerts_fire_when_they_should(promtool: str, rules: Path) -> None:
    """P21: what is wrong for long is told, by node and resource, and what is not wrong is not."""
    code, said = judged(promtool, rules, CASES)

    assert code == 0, said


def test_a_rule_that_never_fires_is_noticed(promtool: str, rules: Path) -> None:
    """The cases above can fail, and the alert is named."""
    rules.write_text(rules.read_text(encoding="utf-8").replace("== 0", "== 7"), encoding="utf-8")

    code, said = judged(promtool, rules, CASES[:1])

    assert code != 0
    assert f'alertname="{CASES[0].alert}"' in said
