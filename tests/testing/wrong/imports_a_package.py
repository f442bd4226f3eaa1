"""Imports a package while it is imported that it brings along nowhere."""

import iniconfig

from tests.testing import widgets

CASE = "test_importing_it_imports_only_what_it_says"


class Backend(widgets.Backend):
    """Widgets that are read with a package of somebody's."""

    parser = iniconfig.IniConfig
