"""Mistake: never finishes importing."""

import threading

threading.Event().wait()


class Backend:
    """Never reached."""
