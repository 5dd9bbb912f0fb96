"""Configuration of the documentation; build with ``sphinx-build -W --keep-going -n``."""

import inspect
import re
from importlib.metadata import version as installed_version

project = "sklcnn"
author = "The sklcnn developers"
copyright = f"2026, {author}"
version = release = installed_version("sklcnn")

extensions = [
    "myst_parser",  # for the changelog
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "_templates"]
templates_path = ["_templates"]
default_role = "literal"
# Names of other packages stay plain: the build needs no network.
nitpick_ignore_regex = [(r"py:.*", r"(matplotlib|numpy|pandas|scipy|sklearn|skorch|torch)\..*")]

# Every public name has a page of its own under generated/, from the docstring alone.
autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/plot_",
    "within_subsection_order": "FileNameSortKey",
    "backreferences_dir": "generated/backreferences",
    "doc_module": ("sklcnn",),
    "reference_url": {"sklcnn": None},
    "abort_on_example_error": True,
    "show_memory": False,
    "show_signature": False,
    "plot_gallery": True,
    "parallel": 2,  # pages at a time
}

html_theme = "pydata_sphinx_theme"
html_title = "sklcnn"
html_show_sourcelink = False
html_theme_options = {
    "show_prev_next": False,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "header_links_before_dropdown": 6,
}
html_sidebars = {"index": [], "install": [], "api": [], "contributing": [], "changelog": []}


def skip_foreign_members(app, what, name, member, skip, options):
    """Leave out what a class inherits from scikit-learn, torch or Python."""
    if what == "class" and callable(member):
        home = getattr(inspect.unwrap(member), "__module__", None) or ""
        return skip or not home.startswith("sklcnn")
    return None


def keep_types_plain(app, what, name, thing, options, lines):
    """Escape ``name_`` and ``*name`` in the types of numpydoc's sections: they are no markup."""
    for i, line in enumerate(lines):
        if (entry := re.match(r"( *\w+(?:, \w+)* : )([^`]*)$", line)) is not None:
            lines[i] = entry[1] + re.sub(r"(?<!\\)\*|_(?!\w)", r"\\\g<0>", entry[2])


def setup(app):
    """Connect the handlers above."""
    app.connect("autodoc-process-docstring", keep_types_plain, priority=400)  # before numpydoc
    app.connect("autodoc-skip-member", skip_foreign_members)
