"""Backends that differ from a right one in one thing each; `CASE` is the case of the kit that finds it."""
