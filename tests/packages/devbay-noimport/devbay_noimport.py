"""Mistake: needs a module that is not installed."""

import no_such_vendor_library

Backend = no_such_vendor_library.Backend
