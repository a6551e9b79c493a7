"""Experiments: a TOML file becomes a network, a backend and a run folder with all that came of it."""
