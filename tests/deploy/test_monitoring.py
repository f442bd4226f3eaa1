"""The monitoring's files say only what is so: metrics and pages that exist, objects that their owners accept."""

import re
import shutil
import subprocess
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from devbay.cli.manifest import composing
from devbay.simulator.metrics import Metrics
from tests.deploy import monitoring
from tests.house.workspace import ROOT

ROW = re.compile(r"^\| `(\w+)` \| (\w+) \|", re.MULTILINE)
POINTER = re.compile(r'"([\w-]+)"\s+in\s+docs/troubleshooting\.md')
EVERY_EXPRESSION = [
    *monitoring.panels(),
    *(monitoring.Query(alert["alert"], alert["expr"]) for alert in monitoring.alerts()),
]
OF_EVERY_CLIENT = frozenset({"up", "process_resident_memory_bytes", "process_cpu_seconds_total"})
"""What Prometheus makes itself for a target, and what its client library tells of a process."""


def documented() -> set[str]:
    """Return the names of our series, as docs/metrics.md has them."""
    rows = ROW.findall((ROOT / "docs/metrics.md").read_text(encoding="utf-8"))
    return {
        f"{name}{ending}"
        for name, kind in rows
        for ending in (("_bucket", "_sum", "_count") if kind == "histogram" else ("",))
    }


def of_the_kubelet() -> set[str]:
    """Return the names of the kubelet's series, which the simulator has from its sources (KL/metrics/metrics.go)."""
    plain = {f"kubelet_{field.name}" for field in fields(Metrics)}
    return plain | {f"{name}{ending}" for name in plain for ending in ("_bucket", "_sum", "_count")}


@pytest.mark.parametrize("query", EVERY_EXPRESSION, ids=lambda query: query.where)
def test_every_metric_exists(query: monitoring.Query) -> None:
    """P21: alerts and panels name metrics of ours that are documented, and the kubelet's by their real names."""
    named = monitoring.names(query.expression)

    assert named - documented() - of_the_kubelet() - OF_EVERY_CLIENT == set()


def test_names_are_found_in_an_expression() -> None:
    """The check above can fail: whatever else is in an expression, its metrics are found."""
    text = (
        'sum by (le, x) (rate(a_total{b="c"}[5m])) / on (d) group_left (e) (f:g{h=~"$i"} > 1e3) or k unless vector(0)'
    )

    assert monitoring.names(text) == {"a_total", "f:g", "k"}


@pytest.mark.parametrize("alert", monitoring.alerts(), ids=lambda alert: alert["alert"])
def test_every_alert_says_what_to_do(alert: dict[str, Any]) -> None:
    """An alert has a severity, a sentence, a remedy, and a section of the documentation that exists."""
    sections = re.findall(r"^### `(.+)`$", (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8"), re.MULTILINE)

    assert set(alert["annotations"]) == {"summary", "description"}
    assert alert["labels"].keys() == {"severity"}
    assert alert["labels"]["severity"] in {"critical", "warning", "info"}
    assert set(POINTER.findall(alert["annotations"]["description"])) <= set(sections)
    assert POINTER.search(alert["annotations"]["description"])


def test_panels_stand_beside_each_other() -> None:
    """The dashboard can be imported: panels have ids of their own, places that do not overlap, and one data source."""
    board = monitoring.dashboard()
    panels = board["panels"]
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]

    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len({panel["title"] for panel in panels}) == len(panels)
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24  # the columns of Grafana's grid
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    assert all(panel["datasource"] == chosen for panel in panels if panel["type"] != "row")
    assert all(target["datasource"] == chosen for panel in panels for target in panel.get("targets", ()))


def test_the_dashboards_variables_are_those_it_uses() -> None:
    """Every variable in an expression is one that the dashboard offers, or Grafana's own."""
    offered = {variable["name"] for variable in monitoring.dashboard()["templating"]["list"]}
    used = {name for query in monitoring.panels() for name in re.findall(r"\$(\w+)", query.expression)}

    assert offered == {"datasource", "node", "resource"}
    assert used == {"node", "resource", "__rate_interval"}


def test_the_operator_accepts_the_pod_monitor() -> None:
    """The PodMonitor selects the DaemonSet's pods and a port that they have, and gives each series its node.

    Its fields are those of monitoring.coreos.com/v1, whose schema Kubernetes' own do not hold.
    """
    objects = {one["kind"]: one for one in composing.compose(["prometheus-operator"])}
    monitor, template = objects["PodMonitor"], objects["DaemonSet"]["spec"]["template"]
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    (container,) = template["spec"]["containers"]

    assert monitor.keys() == {"apiVersion", "kind", "metadata", "spec"}
    assert monitor["apiVersion"] == "monitoring.coreos.com/v1"
    assert monitor["spec"].keys() == {"selector", "podMetricsEndpoints"}
    assert monitor["spec"]["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    assert endpoint.keys() == {"port", "path", "interval", "relabelings"}
    assert endpoint["port"] in {port["name"] for port in container["ports"]}
    assert endpoint["path"] == "/metrics"
    assert endpoint["relabelings"] == [
        {"sourceLabels": ["__meta_kubernetes_pod_node_name"], "targetLabel": "node"},
    ]


def test_the_operator_accepts_the_rules() -> None:
    """The PrometheusRule has the fields of monitoring.coreos.com/v1 and no other, and names that are its own."""
    rule = {one["kind"]: one for one in composing.compose(["prometheus-operator"])}["PrometheusRule"]
    groups = rule["spec"]["groups"]
    alerts = [alert for group in groups for alert in group["rules"]]

    assert rule.keys() == {"apiVersion", "kind", "metadata", "spec"}
    assert rule["apiVersion"] == "monitoring.coreos.com/v1"
    assert rule["metadata"]["namespace"] == "devbay"
    assert rule["spec"].keys() == {"groups"}
    assert all(group.keys() == {"name", "rules"} for group in groups)
    assert len({group["name"] for group in groups}) == len(groups)
    assert all(alert.keys() - {"for"} == {"alert", "expr", "labels", "annotations"} for alert in alerts)
    assert all(isinstance(alert["expr"], str) for alert in alerts)
    assert len({alert["alert"] for alert in alerts}) == len(alerts)


def test_argo_applies_a_folder_that_exists() -> None:
    """The Application names a folder of this repository that kustomize can build, and keeps trying."""
    application = monitoring.document(monitoring.FOLDER / "application.yaml")
    spec = application["spec"]

    assert (application["apiVersion"], application["kind"]) == ("argoproj.io/v1alpha1", "Application")
    assert (ROOT / spec["source"]["path"] / "kustomization.yaml").is_file()
    assert spec["destination"]["namespace"] == "devbay"
    assert spec["syncPolicy"]["automated"] == {"prune": True, "selfHeal": True}
    assert spec["syncPolicy"]["retry"]["limit"] > 0


def test_a_prometheus_without_the_operator_accepts_its_configuration(tmp_path: Path) -> None:
    """``promtool check config`` accepts the example, with the rules beside it as the README makes them."""
    if (promtool := shutil.which("promtool")) is None:
        pytest.skip("promtool is not here; it is in the Debian package prometheus")
    configuration = monitoring.document(monitoring.FOLDER / "prometheus.yml")
    # Debian's is built without the discovery in Kubernetes, and the files of a service account are those of a pod.
    found = [job.pop("kubernetes_sd_configs") for job in configuration["scrape_configs"]]
    for name in ("token", "ca.crt"):
        (tmp_path / name).touch()
    text = yaml.safe_dump(configuration).replace("/var/run/secrets/kubernetes.io/serviceaccount", str(tmp_path))
    (tmp_path / "prometheus.yml").write_text(text, encoding="utf-8")
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": monitoring.groups()}), encoding="utf-8")

    command = [promtool, "check", "config", str(tmp_path / "prometheus.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"SUCCESS: {len(monitoring.alerts())} rules found" in done.stdout
    assert found == [[{"role": "pod", "namespaces": {"names": ["devbay"]}}], [{"role": "node"}]]


def test_both_ways_of_scraping_give_the_same_labels() -> None:
    """Alerts and panels speak of a job that ends in devbay, and of nodes: the example has both, for kubelets too."""
    jobs = {job["job_name"]: job for job in monitoring.document(monitoring.FOLDER / "prometheus.yml")["scrape_configs"]}

    assert jobs.keys() == {"devbay", "kubelet"}
    for job in jobs.values():
        assert "node" in {rule.get("target_label") for rule in job["relabel_configs"]}
    (kept,) = jobs["kubelet"]["metric_relabel_configs"]
    asked = {name for query in monitoring.panels() for name in monitoring.names(query.expression)}
    assert all(re.fullmatch(kept["regex"], name) for name in asked if name.startswith("kubelet_"))
