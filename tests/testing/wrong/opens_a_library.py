"""Opens a shared library while it is imported: where the vendor's is missing, nothing loads."""

import ctypes

from tests.testing import widgets

CASE = "test_importing_it_imports_no_vendor_library"


LIBRARY = ctypes.CDLL("libc.so.6")


class Backend(widgets.Backend):
    """Widgets that talk to a library."""
