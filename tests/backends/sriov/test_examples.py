"""The configurations in ``deploy/examples/sriov``, and their pods."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from devbay_sriov import Settings, source
from devbay_sriov.pooling import Pools

EXAMPLES = Path(__file__).parents[3] / "deploy/examples/sriov"
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/config.yaml"))


def document(path: Path) -> Any:
    """Return a YAML file."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def pools(name: str) -> Pools:
    """Return the pools of an example: its settings', or its ConfigMap's."""
    settings = msgspec.convert(document(EXAMPLES / name / "config.yaml")["sriov"], Settings)
    given = settings.pools()
    if given is not None:
        return given
    data = document(EXAMPLES / name / "configmap/configmap.yaml")["data"]["config.json"]
    return source.read(data, settings.resource_prefix, settings.config_file)


@pytest.mark.parametrize("name", NAMES)
def test_pods_ask_for_what_is_offered(name: str) -> None:
    """Every pod of an example asks for resources that its configuration has, and nothing is left out of that."""
    found = pools(name)
    pod = document(EXAMPLES / name / "pod.yaml")

    (container,) = pod["spec"]["containers"]
    assert container["resources"]["limits"].keys() <= {each.full_name for each in found.resources}
    assert not found.remarks


def test_the_plugins_configmap_is_read_as_it_is() -> None:
    """Three resources under two prefixes, selectors as an object and as a list."""
    names = [each.full_name for each in pools("drop-in").resources]

    assert names == ["intel.com/intel_sriov_netdevice", "intel.com/intel_sriov_dpdk", "mellanox.com/mlnx_sriov_rdma"]
