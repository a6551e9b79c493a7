"""Experiments: a TOML file becomes a network, a backend, and a folder with all that came of it."""
