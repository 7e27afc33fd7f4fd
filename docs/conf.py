"""How Sphinx builds this documentation: `make docs`."""

from __future__ import annotations

import sys
from importlib.metadata import version as installed_version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "realtime-actors"
author = "the realtime-actors authors"
project_copyright = author
release = version = installed_version("realtime-actors")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "plain_docstrings",
]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_default_options = {"members": True, "undoc-members": True}
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
maximum_signature_line_length = 88

# A short name in an annotation can be that of several classes: then it is no link.
suppress_warnings = ["ref.python"]

html_theme = "furo"
html_title = "realtime-actors"
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0f7a60", "color-brand-content": "#0f7a60"},
    "dark_css_variables": {"color-brand-primary": "#3fc39d", "color-brand-content": "#3fc39d"},
}
