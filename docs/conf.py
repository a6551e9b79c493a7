"""Sphinx settings: `sphinx-build -W -b html docs docs/_build`."""

from importlib.metadata import version as installed_version

project = "isingeq"
version = release = installed_version("isingeq")
language = "en"

extensions = ["myst_parser"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"isingeq {version}"
