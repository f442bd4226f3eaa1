"""Manifests as people write them: what is read of them, what is said of the rest, and what is refused."""

import pytest

from devbay.errors import ConfigError
from devbay.simulator import Container, Pod, manifest

PODS = """\
{kind: Pod, metadata: {name: a}, spec: {containers: [{name: c, image: x}]}}
---
kind: Pod
metadata: {name: b, namespace: team}
spec:
  initContainers:
    - {name: first, resources: {limits: {example.com/widget: 2}}}
    - {name: beside, restartPolicy: Always}
  containers:
    - name: c
      env: [{name: MODE, value: fast}]
      resources: {limits: {example.com/widget: "1", cpu: 500m}, requests: {example.com/widget: 1}}
---
"""
POD = """
kind: Pod
metadata: {{name: p}}
spec:
  containers:
    - name: c
      {field}
"""
LIMITS = "resources: {{limits: {{example.com/widget: {0}}}, requests: {{example.com/widget: {1}}}}}"


def test_a_manifest_is_read_as_a_cluster_reads_it() -> None:
    """Documents in order, init containers and sidecars, a namespace, quantities; images and such are passed by."""
    read = manifest.read(PODS, "pods.yaml")

    main = Container(name="c", limits={"example.com/widget": 1}, env={"MODE": "fast"})
    first = Container(name="first", limits={"example.com/widget": 2})
    beside = Container(name="beside", restartable=True)
    assert read == manifest.Manifest(
        pods=(
            Pod(name="a", containers=(Container(name="c"),)),
            Pod(name="b", namespace="team", containers=(main,), init_containers=(first, beside)),
        )
    )


def test_a_variable_that_only_a_cluster_knows_is_named() -> None:
    """A value from a secret or a field is not taken for an empty one: the variable is left out, and it is said."""
    read = manifest.read(
        """
        kind: Pod
        metadata: {name: p}
        spec:
          containers:
            - name: c
              envFrom: [{secretRef: {name: all}}]
              env:
                - {name: TOKEN, valueFrom: {secretKeyRef: {name: s, key: k}}}
                - {name: MODE, value: fast}
        """,
        "pod.yaml",
    )

    assert [container.env for container in read.pods[0].containers] == [{"MODE": "fast"}]
    assert read.unread == (
        "pod.yaml: pod p, container c: TOKEN is left out, for its value is from secretKeyRef; write a value to set it",
        "pod.yaml: pod p, container c: envFrom is left out; write the variables that matter into env",
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "pod.yaml holds no pod"),
        ("kind: [", "pod.yaml is not YAML: while parsing"),
        ("just words", "expected a manifest with kind: Pod, found 'just words'"),
        ("metadata: {name: p}", "expected a manifest with kind: Pod, found kind: none"),
        ("{kind: Deployment, metadata: {name: p}}", "expected a manifest with kind: Pod, found kind: Deployment"),
        ("{kind: Pod, metadata: {name: p}}", "Object missing required field `spec`"),
        ("{kind: Pod, metadata: {}, spec: {containers: []}}", "missing required field `name` - at `$.metadata`"),
        ("{kind: Pod, metadata: {name: p}, spec: {containers: []}}", "pod p has no containers"),
        ("{kind: Pod, metadata: {name: P_1}, spec: {containers: [{name: c}]}}", "pod 'P_1': a pod's name is"),
        (POD.format(field="env: {A: b}"), "Expected `array`, got `object` - at `$.spec.containers[0].env`"),
        (POD.format(field=LIMITS.format("half", 1)), "limits, example.com/widget: 'half' is not a whole number"),
        (POD.format(field=LIMITS.format(0.5, 0.5)), "limits, example.com/widget: 0.5 is not a whole number"),
        (
            POD.format(field=LIMITS.format(2, 1)),
            "requests 1 of example.com/widget, and its limit is 2: they must be equal",
        ),
        (
            POD.format(field="resources: {requests: {example.com/widget: 1}}"),
            "container c requests 1 of example.com/widget, and its limit is not set: they must be equal",
        ),
    ],
)
def test_what_a_cluster_would_refuse_is_refused(text: str, said: str) -> None:
    """A manifest that cannot be used is one line with its name, the place in it and what is wrong."""
    with pytest.raises(ConfigError) as failure:
        manifest.read(text, "pod.yaml")

    told = str(failure.value)
    assert told.startswith("pod.yaml")
    assert said in told
    assert "\n" not in told
