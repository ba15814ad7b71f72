"""How Sphinx builds this documentation: ``make docs``. It needs no network."""

from __future__ import annotations

import os
import tempfile

from ecr_provider import __version__

# Airflow writes its configuration into its home when autodoc imports it.
os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="airflow-home-"))
os.environ.setdefault("AIRFLOW__LOGGING__LOGGING_LEVEL", "WARNING")

project = "airflow-provider-ecr"
author = "the airflow-provider-ecr authors"
project_copyright = "the airflow-provider-ecr authors, Apache License 2.0"
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
]
exclude_patterns = ["_build", "examples"]

# --- Pages ---------------------------------------------------------------------------------------

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
highlight_language = "python"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_exclude = ".linenos, .gp, .go"

# --- Reference -----------------------------------------------------------------------------------

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_inherit_docstrings = False  # Airflow's own docstrings belong to Airflow's documentation
autodoc_preserve_defaults = True
maximum_signature_line_length = 80
toc_object_entries_show_parents = "hide"

nitpicky = True
nitpick_ignore_regex = [
    # Airflow's, OpenLineage's, pytest's, the standard library's: documented elsewhere, and there is no network to look.
    (r"py:.*", r"(airflow|openlineage)\..*"),
    (r"py:.*", r"(collections\.abc|datetime|enum|hashlib|os|pathlib|pytest|re|typing|urllib|urllib3)\..*"),
    # Imported for type checking only, or named in a docstring: Sphinx sees a bare name.
    (
        r"py:(class|exc)",
        (
            r"AdvanceItem|AirflowFailException|Asset|BaseEventTrigger|Config|Connection|Context|Dataset|ECRClient|"
            r"OperatorLineage|RunFacet|SQSClient|TaskInstanceKey|datetime|\w+TypeDef"
        ),
    ),
    # Of this package, and not for its users.
    (r"py:class", r"ecr_provider\..*\._\w+|ecr_provider\.oci\.strict_json\.JsonObject"),
    # A type alias that Sphinx takes apart at the bracket.
    (r"py:class", r"(dict|tuple)\[(str|~ecr_provider\..*)"),
]

# --- HTML ----------------------------------------------------------------------------------------

html_theme = "furo"
html_title = f"airflow-provider-ecr {release}"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_favicon = "_static/favicon.svg"
html_show_sphinx = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#9a3f06", "color-brand-content": "#1d4ed8"},
    "dark_css_variables": {"color-brand-primary": "#fdba74", "color-brand-content": "#93c5fd"},
    "navigation_with_keys": True,
}
