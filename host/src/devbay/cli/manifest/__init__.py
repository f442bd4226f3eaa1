"""``devbay manifest``: what to apply to a cluster, from options, for those without kustomize."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import yaml

from devbay.cli import Exit
from devbay.cli.manifest import composing
from devbay.cli.manifest.composing import Object

_PLUGINS = "/var/lib/kubelet/device-plugins"
_IMAGE = "devbay:0.1.0"


@click.command(short_help="Print what to apply to a cluster.")
@click.option("--image", default=_IMAGE, show_default=True, help="The container image, in your registry.")
@click.option("--namespace", default="devbay", show_default=True, help="Where it runs.")
@click.option(
    "--backends",
    metavar="LIST",
    help="What runs where: 'nvidia,sriov', or lines of 'node-pattern: list' separated by ';'. Otherwise the "
    "configuration says so.",
)
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A configuration file, to go into the ConfigMap; 'devbay config check FILE' finds its mistakes.",
)
@click.option(
    "--kubelet-dir",
    default=_PLUGINS,
    show_default=True,
    metavar="DIR",
    help="The kubelet's device plugin directory on the nodes.",
)
@click.option("--node-selector", multiple=True, metavar="LABEL=VALUE", help="Only on nodes with this label.")
@click.option("--cdi", is_flag=True, help="Mount /var/run/cdi: for resources with 'delivery: cdi'.")
@click.option("--pod-resources", is_flag=True, help="Mount the kubelet's pod-resources: who holds which device.")
@click.option("--events", is_flag=True, help="Events on the Node when a device's health changes; needs RBAC.")
@click.option("--devinfo", is_flag=True, help="Mount where Multus looks for virtual functions (backend sriov).")
@click.option("--prometheus-operator", is_flag=True, help="A PodMonitor for the Prometheus Operator.")
@click.option("--output", "-o", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True)
def manifest(output: str, **options: Any) -> Exit:
    """Print the objects that run devbay on every node of a cluster.

    \b
    devbay manifest --image registry.example.com/devbay:0.1.0 --pod-resources | kubectl apply -f -

    It is what kustomize makes of deploy/base and the components that the flags name; each flag that needs more of a
    node, or of the cluster, adds just that.
    """  # noqa: D301 - click's mark for a paragraph that stays as it is
    chosen = [name for name in composing.COMPONENTS if options.get(name.replace("-", "_"))]
    objects = composing.compose(chosen, _patches(options))
    objects = [_in_namespace(one, options["namespace"]) for one in objects]
    click.echo(_text(objects, output), nl=False)
    return Exit.OK


def _patches(options: dict[str, Any]) -> Iterator[Object]:
    """Yield what the options change in the base."""
    env = [{"name": "DEVBAY_BACKENDS", "value": options["backends"]}] if options["backends"] else []
    container: Object = {"name": "devbay", "image": options["image"]}
    pod: Object = {"containers": [container]}
    if (directory := options["kubelet_dir"]) != _PLUGINS:
        pod["volumes"] = [{"name": "device-plugins", "hostPath": {"path": directory}}]
    if env:
        container["env"] = env
    if labels := dict(_pair(item) for item in options["node_selector"]):
        pod["nodeSelector"] = labels
    yield {"kind": "DaemonSet", "metadata": _NAMED, "spec": {"template": {"spec": pod}}}
    if (config := options["config"]) is not None:
        text = config.read_text(encoding="utf-8")
        yield {"kind": "ConfigMap", "metadata": _NAMED, "data": {"config.yaml": text}}


_NAMED = {"name": "devbay", "namespace": "devbay"}


def _pair(item: str) -> tuple[str, str]:
    label, equals, value = item.partition("=")
    if not equals or not label:
        raise click.BadParameter(f"{item!r} does not read LABEL=VALUE", param_hint="--node-selector")
    return label, value


def _in_namespace(one: Object, namespace: str) -> Object:
    if one["kind"] == "Namespace":
        return composing.merge(one, {"metadata": {"name": namespace}})  # type: ignore[no-any-return]  # an object again
    if one["metadata"].get("namespace") == _NAMED["namespace"]:
        one = composing.merge(one, {"metadata": {"namespace": namespace}})
    if subjects := one.get("subjects"):
        one = {**one, "subjects": [{**subject, "namespace": namespace} for subject in subjects]}
    return one


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, as people do."""


def _block(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _block)


def _text(objects: list[Object], output: str) -> str:
    if output == "json":
        return json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}, indent=2) + "\n"
    return yaml.dump_all(objects, Dumper=_Dumper, sort_keys=False, width=120)
