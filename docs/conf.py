"""Sphinx configuration: Markdown pages, no generated API."""

project = "axonlight"
author = "the axonlight authors"
extensions = ["myst_parser"]
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
html_theme = "furo"
exclude_patterns = ["_build"]
# Links to files outside docs/ work in the repository's own viewer.
suppress_warnings = ["myst.xref_missing"]
