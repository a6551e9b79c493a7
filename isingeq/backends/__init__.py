"""Backends that come with the package, one file per kind; `isingeq.registry` opens them by name."""
