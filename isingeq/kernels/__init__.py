"""Numba code over plain arrays: no objects, no random generator of its own."""
