"""A backend in another process, and rigs that are made in other ways than by a class and a node."""

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from devbay.testing import BackendConformance, FakeNode, Rig
from devbay.testing.elsewhere import Unreachable, live
from tests.testing import widgets
from tests.testing.test_conformance import run_pytest
from tests.testing.wrong import imports_a_package, leaves_a_file


class Fed(widgets.Backend):
    """Widgets of a backend whose test hands it something."""

    def __init__(self, fake: object) -> None:
        self._fake = fake


def make_backend() -> Fed:
    """Return a backend as a test makes it, with a fake of a library."""
    return Fed(object())


def test_a_function_makes_the_backend_there_too(fake_node: FakeNode) -> None:
    """A backend that is handed a fake is made in the other process by the same function."""
    report = live(widgets.rig(make_backend, fake_node))

    assert report.ids == ("widget0", "widget1", "widget2")
    assert report.written == ()


@pytest.mark.parametrize("backend", [lambda: Fed(object()), widgets.Backend()], ids=["lambda", "object"])
def test_what_has_no_name_cannot_be_made_there(fake_node: FakeNode, backend: object) -> None:
    """What another process cannot find is said so, with what to hand over instead."""
    with pytest.raises(Unreachable, match="give the rig a class, a module, or a function on the top level"):
        live(widgets.rig(backend, fake_node))


def test_a_library_may_be_named(fake_node: FakeNode) -> None:
    """A package that comes with the backend wherever that is installed is named in the rig, and is no vendor's."""
    rig = widgets.rig(imports_a_package.Backend, fake_node)
    report = live(rig)

    assert report.foreign == ("iniconfig",)
    BackendConformance().test_importing_it_imports_only_what_it_says(replace(rig, libraries=["iniconfig"]), report)


def test_a_place_may_be_named(fake_node: FakeNode) -> None:
    """Files in the rig's places are the backend's own; what it writes elsewhere is named."""
    rig = widgets.rig(leaves_a_file.Backend, fake_node)
    place = Path(tempfile.gettempdir())

    assert str(place / "devbay-widgets") in live(rig).written
    assert live(replace(rig, places=[place])).written == ()
    (place / "devbay-widgets").unlink()


def test_hardware_is_taken_away_as_the_rig_says(fake_node: FakeNode, tmp_path: Path) -> None:
    """Where an empty node is not enough, the rig takes the hardware away; and if it does not, the case fails."""
    rig = widgets.rig(widgets.Backend, fake_node)
    case = BackendConformance().test_without_hardware_it_is_unavailable_or_empty

    case(replace(rig, remove_hardware=lambda: fake_node.replace({})), tmp_path)
    widgets.rig(widgets.Backend, fake_node)

    with pytest.raises(pytest.fail.Exception, match="there is no hardware, and discover finds widget0"):
        case(replace(rig, remove_hardware=lambda: None), tmp_path)


def test_a_class_without_a_rig_is_told_what_it_needs(pytestconfig: pytest.Config, tmp_path: Path) -> None:
    """A subclass that gives nothing but its name fails with what to give."""
    (tmp_path / "test_it.py").write_text(
        "from devbay.testing import BackendConformance\n\nclass TestIt(BackendConformance):\n    pass\n"
    )
    done = run_pytest(tmp_path, "-k", "test_it_loads")

    assert "TestIt needs a fixture `rig` that returns a devbay.testing.Rig" in done.stdout
    assert pytestconfig.pluginmanager.has_plugin("devbay")


def test_a_rig_that_gives_little_skips_with_words(fake_node: FakeNode) -> None:
    """A case that needs what the rig cannot give is skipped, and says what that is."""
    rig = Rig(widgets.Backend, fake_node.node)

    with pytest.raises(pytest.skip.Exception, match="the rig has no `set_devices`, which this case needs"):
        BackendConformance().test_any_number_of_devices_will_do(rig, 1)
