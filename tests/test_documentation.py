"""Every public name is on the API page, has a complete docstring, and examples that run."""

import dataclasses
import doctest
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest
from numpydoc.validate import validate

import sklcnn

ROOT = Path(__file__).parents[1]
API_PAGE = ROOT / "docs" / "api.rst"
README = ROOT / "README.md"

# numpydoc's checks that we do not follow.
IGNORED = {
    "SS03",  # a summary may be a question
    "GL01",  # text starts on the line of the quotes
    "GL02",  # quotes close on the last line of a short docstring
    "ES01",  # an extended summary is written where it says something
    "SA01",  # so is a See Also section
    "SA04",
    "RT02",  # a returned value has a name
}
IGNORED_IN_METHODS = {"EX01"}  # the example stands in the class
# What training passes between the rooms is not for users; its solvers are, and stand on the page.
INNER_ROOMS = {"training"}
# The methods of solvers and modules are called by the training loop and torch: one line does.
LOOSE_ROOMS = ("sklcnn.training.", "sklcnn.nn.")
IGNORED_IN_LOOSE_METHODS = {"PR01", "RT01"}


def api_names():
    """Full names of the autosummary entries of the API page, in their order."""
    names, module, inside = [], "", False
    for line in API_PAGE.read_text(encoding="utf-8").splitlines():
        if match := re.match(r"\.\. currentmodule:: (\S+)", line):
            module = match[1]
        elif line and not line.startswith(" "):
            inside = line.startswith(".. autosummary::")
        elif inside and (match := re.match(r" {3}([\w.]+)$", line)):
            names.append(f"{module}.{match[1]}")
    return names


def resolve(name):
    """The object behind a dotted name."""
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def public_objects():
    """Classes and functions in the ``__all__`` of the package and its rooms, by full name."""
    rooms = [room for room in sklcnn._ROOMS if room not in INNER_ROOMS]
    modules = [sklcnn, *(getattr(sklcnn, room) for room in rooms)]
    names = [f"{module.__name__}.{name}" for module in modules for name in module.__all__]
    return {name: thing for name in names if callable(thing := resolve(name))}


def own_methods(name):
    """Full names of the public methods of a class that this package writes."""
    cls = resolve(name)
    if not inspect.isclass(cls):
        return []
    return [
        f"{name}.{method}"
        for method, function in inspect.getmembers(cls, inspect.isfunction)
        if not method.startswith("_") and function.__module__.split(".")[0] == "sklcnn"
    ]


def complaints(name, ignored):
    """What numpydoc has to say about the docstring of ``name``."""
    errors = validate(name)["errors"]
    return [f"{name}: {code} {text}" for code, text in errors if code not in ignored]


def test_api_page_lists_every_public_name_once():
    listed = [id(resolve(name)) for name in api_names()]
    assert len(listed) == len(set(listed))
    missing = [name for name, thing in public_objects().items() if id(thing) not in listed]
    assert not missing


@pytest.mark.parametrize("name", api_names())
def test_docstring_is_complete(name):
    is_record = dataclasses.is_dataclass(resolve(name))  # its fields are documented as attributes
    found = complaints(name, IGNORED | {"PR01"} if is_record else IGNORED)
    ignored = IGNORED | IGNORED_IN_METHODS
    if name.startswith(LOOSE_ROOMS):
        ignored |= IGNORED_IN_LOOSE_METHODS
    for method in own_methods(name):
        found += complaints(method, ignored)
    assert not found


@pytest.mark.parametrize("name", sklcnn.__all__)
def test_html_repr_links_to_the_documentation(name):
    thing = resolve(f"sklcnn.{name}")
    if inspect.isclass(thing):
        assert thing()._get_doc_link().endswith(f"/generated/sklcnn.{name}.html")


MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(sklcnn.__path__, "sklcnn.")
    if not module.name.endswith("__main__")
)


@pytest.mark.parametrize("name", MODULES)
def test_doctests(name):
    options = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    result = doctest.testmod(importlib.import_module(name), optionflags=options)
    assert not result.failed


def test_doctests_are_found():
    finder = doctest.DocTestFinder(exclude_empty=True)
    tested = {
        test.name
        for name in MODULES
        for test in finder.find(importlib.import_module(name))
        if test.examples
    }
    for thing in map(resolve, api_names()):
        assert f"{thing.__module__}.{thing.__qualname__}" in tested


def test_readme_example_prints_what_it_says(capsys):
    code, output = re.search(
        r"## In Python\n\n```python\n(.*?)```\n\n```text\n(.*?)```", README.read_text("utf-8"), re.S
    ).groups()
    exec(compile(code, "README.md", "exec"), {})
    number = re.compile(r"\d\.\d+")
    printed = capsys.readouterr().out
    assert number.sub("", printed) == number.sub("", output)
    # Rounding differs between processors, and training amplifies it.
    expected = [float(value) for value in number.findall(output)]
    assert [float(value) for value in number.findall(printed)] == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("job", ["sklcnn compare", "pytest"])
def test_readme_has_its_lines(job):
    found = re.findall(rf"^.*venv.*pip install.*{job}.*$", README.read_text("utf-8"), re.M)
    assert len(found) == 1
    assert found[0].startswith("python3 -m venv .venv && ")
