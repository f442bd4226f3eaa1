"""Cases about how a backend comes in: its form, and what its import brings along."""

from devbay.errors import ConfigError
from devbay.plugins import Rejected
from devbay.testing.elsewhere import Elsewhere
from devbay.testing.rig import Rig
from devbay.testing.trial import loaded, section, violation


class Loading:
    """Loading a backend."""

    def test_it_loads(self, rig: Rig) -> None:
        """The host accepts the backend: hooks and their arguments are spelled right, its settings have defaults."""
        backend = loaded(rig)
        if isinstance(backend, Rejected):
            violation(f"the host rejects the backend: {backend.reason}")
        else:
            try:
                section(rig, backend.settings_type)
            except ConfigError as error:
                violation(f"the rig's settings are not what the backend's settings hook names: {error}")

    def test_importing_it_imports_no_vendor_library(self, elsewhere: Elsewhere) -> None:
        """A node without the vendor's software costs a reason and no traceback: libraries are imported where needed."""
        if elsewhere.libraries:
            violation(f"importing the backend opens {', '.join(elsewhere.libraries)}; open it in discover")

    def test_importing_it_imports_only_what_it_says(self, rig: Rig, elsewhere: Elsewhere) -> None:
        """As the case before, for Python modules; `Rig.libraries` names those that are no vendor's."""
        if foreign := sorted(set(elsewhere.foreign) - set(rig.libraries)):
            violation(
                f"importing the backend imports {', '.join(foreign)}; import it in discover, or say in Rig.libraries "
                "that it comes with the backend wherever that is installed"
            )
