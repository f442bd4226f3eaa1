"""Mistake: the entry point names `Backend`, and there is none."""
