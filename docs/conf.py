"""Configuration of the documentation site; `make docs` builds it."""

import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]  # jsonschema checks notebooks, and would make grammars of URLs for seconds
sys.path[:0] = [str(DOCS.parent), str(DOCS / "_extensions")]

import nbforecast  # noqa: E402

project = "nbforecast"
author = "The nbforecast contributors"
copyright = f"{author}, Apache-2.0"
version = release = nbforecast.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
    "repository_pages",
    "executed_notebooks",
    "generated_reference",
    "score_pictures",
    "speed_history",
]
exclude_patterns = ["_extensions", "**/.ipynb_checkpoints", "[!i]*.md"]  # a page has a kind, and so a folder

# Pages
myst_enable_extensions = ["attrs_block", "attrs_inline", "colon_fence", "deflist", "substitution"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # executed_notebooks has executed them
nb_ipywidgets_js = {}  # widgets are pages of their own; nothing is loaded from elsewhere
nb_mime_priority_overrides = [("html", "text/html", 0)]

# Reference
default_role = "code"  # docstrings write names between single backticks, as Markdown does
add_module_names = False
autodoc_typehints = "none"  # the descriptions of arguments have types, shapes and units
autodoc_member_order = "bysource"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_preprocess_types = False
napoleon_use_ivar = True  # attributes that properties document, too
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88

# Pages as HTML
html_theme = "pydata_sphinx_theme"
html_title = "nbforecast"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = html_logo = "_static/mark.svg"
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "nbforecast"},
    "navbar_align": "left",
    "navbar_persistent": [],
    "navbar_end": ["search-button-field", "theme-switcher"],
    "header_links_before_dropdown": 6,
    "secondary_sidebar_items": {"**": ["page-toc"], "index": []},
    "show_prev_next": True,
    "footer_start": ["copyright"],
    "footer_center": [],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
    "back_to_top_button": False,
}
html_sidebars = {"index": []}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
