"""The small packages that other tests install are what those tests take them for."""

import ast
import json
import subprocess
import sys
from importlib import metadata

import pytest

from tests import packages

GOOD = {"devbay-widget", "devbay-gadget"}
SHOW = """
import json
from importlib import metadata

print(json.dumps(sorted(each.name for each in metadata.distributions() if each.version == "0.0.1")))
"""


@pytest.mark.parametrize("name", packages.NAMES)
def test_a_package_declares_a_backend(broken_site: packages.Site, name: str) -> None:
    """Each is an installed distribution with an entry point in a group of ours."""
    (distribution,) = metadata.distributions(path=broken_site.paths(name))

    assert distribution.name == name
    assert all(entry.group.startswith("devbay.backends.v") for entry in distribution.entry_points)
    assert distribution.entry_points


@pytest.mark.parametrize("name", packages.NAMES)
def test_a_package_says_what_is_wrong_with_it(name: str) -> None:
    """Whoever opens one reads first whether it is as it should be, and if not, why."""
    (module,) = (packages.SOURCES / name).glob("*.py")
    charter = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or ""

    assert charter.startswith("A backend as it should be") == (name in GOOD)


def test_a_process_sees_the_chosen_packages_alone(broken_site: packages.Site) -> None:
    """A test says which packages its process has; the others might as well not exist."""
    environment = broken_site.environ("devbay-widget", "devbay-odd")

    done = subprocess.run([sys.executable, "-c", SHOW], env=environment, capture_output=True, text=True, check=True)

    assert json.loads(done.stdout) == ["devbay-odd", "devbay-widget"]


def test_a_package_that_does_not_exist_is_no_silent_choice(broken_site: packages.Site) -> None:
    """A misspelt name in a test fails that test, and does not test the absence of a backend."""
    with pytest.raises(LookupError, match="devbay-wigdet"):
        broken_site.paths("devbay-wigdet")
