"""Looks for a vendor's package while it is imported, and goes on without it for good."""

from tests.testing import widgets

try:
    import acme_widgets  # type: ignore[import-not-found]  # that is the point
except ImportError:
    acme_widgets = None

CASE = "test_importing_it_imports_only_what_it_says"


class Backend(widgets.Backend):
    """Widgets of a vendor whose package may come later, when nobody looks any more."""

    library = acme_widgets
