"""The import graph is the one drawn in docs/contributing.rst, and importing is cheap."""

import ast
import importlib.metadata
import re
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import sklcnn

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "sklcnn"

# Imports point down. The package root is the face above everything; it is lazy.
LAYERS = {
    "patches": 0,
    "theory": 0,
    "datasets": 0,
    "nn": 1,
    "training": 2,
    "estimators": 3,
    "inspection": 4,
    "studies": 5,
    "plotting": 5,
    "cli": 6,
    "__main__": 7,
    "": 7,
}
LOWEST_ONLY = {"plotting"}  # is handed arrays, so it needs nothing of ours above layer 0
# Third-party packages that may be imported in these places only.
HOMES = {
    "cvxpy": ("theory.linear_networks.cones",),
    "matplotlib": ("plotting",),
    "PIL": ("datasets.images",),
    "skorch": ("training",),
    "joblib": ("training", "studies"),
    "joblib.parallel": ("training.backend",),
    "joblib._parallel_backends": ("training.backend",),
    "joblib.register_parallel_backend": ("training.backend",),
    "torch": ("nn", "training", "estimators", "inspection"),
}
# What a room may import besides the standard library and the package itself.
DIETS = {
    "patches": {"numpy"},
    "theory": {"cvxpy", "numpy", "scipy"},
    "datasets": {"PIL", "numpy", "scipy", "sklearn"},
    "nn": {"numpy", "torch"},
}
DRAWERS = {"utils", "helpers", "common", "misc", "core"}


# --- the walker ---------------------------------------------------------------------------------


def read_imports(source):
    """Map each module under the package folder ``source`` to the dotted names that it imports.

    Imports inside functions and under TYPE_CHECKING count; relative ones are made absolute.
    """
    imports = {}
    for path in sorted(source.rglob("*.py")):
        parts = path.relative_to(source.parent).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        package = parts[:-1]
        module = ".".join(package if is_package else parts)
        names = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                above = package[: len(package) - node.level + 1] if node.level else ()
                base = ".".join([*above, *([node.module] if node.module else [])])
                names |= {f"{base}.{alias.name}" for alias in node.names}
        imports[module] = names
    return imports


def find_arrows(imports):
    """Pairs (importer, imported) of modules of the package."""
    root = min(imports, key=len)
    arrows = set()
    for importer, names in imports.items():
        for name in names - {f"{root}.__version__"}:  # a constant that the root itself defines
            if is_inside(name, root):
                while name not in imports:  # a class or a function of that module
                    name = name.rpartition(".")[0]
                arrows.add((importer, name))
    return arrows


def is_inside(name, parent):
    """Whether the dotted ``name`` is ``parent`` or lies below it."""
    return name == parent or name.startswith(f"{parent}.")


def room_of(module):
    """First component of a module's name below the package root."""
    return module.partition(".")[2].partition(".")[0]


def find_upward_arrows(arrows):
    """Arrows from a lower to a higher layer, and those that plotting must not have."""
    upward = set()
    for importer, imported in arrows:
        start, end = room_of(importer), room_of(imported)
        if start != end and (
            LAYERS[end] > LAYERS[start] or (start in LOWEST_ONLY and LAYERS[end] > 0)
        ):
            upward.add((importer, imported))
    return upward


def find_cycle(arrows):
    """Modules of one import cycle, or an empty list."""
    graph = {}
    for importer, imported in arrows:
        graph.setdefault(importer, set()).add(imported)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def find_strays(imports):
    """Pairs (module, name) where a third-party package is imported outside its rooms."""
    return {
        (module, name)
        for module, names in imports.items()
        for name in names
        for package, homes in HOMES.items()
        if is_inside(name, package)
        and not any(is_inside(module.partition(".")[2], home) for home in homes)
    }


def find_rich_diets(imports):
    """Pairs (module, name) where a lean room imports more than it may."""
    allowed = {"sklcnn", *sys.stdlib_module_names}
    return {
        (module, name)
        for module, names in imports.items()
        for name in names
        if room_of(module) in DIETS and name.split(".")[0] not in allowed | DIETS[room_of(module)]
    }


# --- the walker finds what it should -------------------------------------------------------------


@pytest.fixture
def grow(tmp_path):
    """Write a package ``pkg`` from a mapping of file names to sources; return its imports."""

    def write(**files):
        source = tmp_path / "pkg"
        for name, text in {"__init__": "", **files}.items():
            path = source / f"{name.replace('__in__', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return read_imports(source)

    return write


@pytest.mark.parametrize(
    "statement",
    [
        "import pkg.estimators",
        "from pkg.estimators import Thing",
        "from pkg import estimators",
        "from . import estimators",
        "from .estimators import Thing",
        "def f():\n    from pkg.estimators import Thing",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .estimators import Thing",
        "try:\n    import pkg.estimators as e\nexcept ImportError:\n    pass",
    ],
)
def test_walker_finds_upward_arrow(grow, statement):
    arrows = find_arrows(grow(patches=statement, estimators=""))
    assert find_upward_arrows(arrows) == {("pkg.patches", "pkg.estimators")}


def test_walker_allows_downward_arrow(grow):
    arrows = find_arrows(grow(patches="", estimators="from pkg import patches"))
    assert arrows == {("pkg.estimators", "pkg.patches")}
    assert not find_upward_arrows(arrows)


def test_walker_resolves_relative_imports_in_subpackages(grow):
    files = {
        "nn__in____init__": "from .layers import Layer",
        "nn__in__layers": "from ..studies import compare",
        "studies__in____init__": "",
    }
    arrows = find_arrows(grow(**files))
    assert arrows == {("pkg.nn", "pkg.nn.layers"), ("pkg.nn.layers", "pkg.studies")}
    assert find_upward_arrows(arrows) == {("pkg.nn.layers", "pkg.studies")}


def test_walker_counts_import_from_the_root_as_upward(grow):
    arrows = find_arrows(grow(cli="from pkg import compare, __version__"))
    assert find_upward_arrows(arrows) == {("pkg.cli", "pkg")}


def test_walker_keeps_plotting_on_the_ground(grow):
    arrows = find_arrows(grow(plotting="from pkg import nn, patches", nn="", patches=""))
    assert find_upward_arrows(arrows) == {("pkg.plotting", "pkg.nn")}


def test_walker_finds_cycle(grow):
    files = {
        "nn__in__a": "from pkg.nn import b",
        "nn__in__b": "def f():\n    import pkg.nn.c",
        "nn__in__c": "from .a import Thing",
    }
    assert set(find_cycle(find_arrows(grow(**files)))) == {"pkg.nn.a", "pkg.nn.b", "pkg.nn.c"}


def test_walker_finds_strays(grow):
    imports = grow(
        estimators="import torch\nfrom skorch import NeuralNet",
        studies="from joblib import Parallel, register_parallel_backend",
        plotting="def f():\n    import matplotlib.pyplot as plt",
    )
    assert find_strays(imports) == {
        ("pkg.estimators", "skorch.NeuralNet"),
        ("pkg.studies", "joblib.register_parallel_backend"),
    }


def test_walker_finds_rich_diets(grow):
    imports = grow(patches="import math\nimport numpy as np\nimport scipy.linalg")
    assert find_rich_diets(imports) == {("pkg.patches", "scipy.linalg")}


# --- the package ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def imports():
    return read_imports(SOURCE)


@pytest.fixture(scope="module")
def arrows(imports):
    return find_arrows(imports)


def test_every_room_has_a_layer(imports):
    assert {room_of(module) for module in imports} <= LAYERS.keys()


def test_no_arrow_points_up(arrows):
    assert arrows
    assert not find_upward_arrows(arrows)


def test_no_import_cycle(arrows):
    assert not find_cycle(arrows)


def test_third_party_packages_stay_in_their_rooms(imports):
    assert not find_strays(imports)


def test_lean_rooms_stay_lean(imports):
    assert not find_rich_diets(imports)


def test_no_drawers(imports):
    assert not {module for module in imports if DRAWERS & {*module.strip("_").split(".")}}


# --- the public face -----------------------------------------------------------------------------


def test_importing_the_package_is_cheap():
    code = "import sys, sklcnn; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"torch", "matplotlib", "sklearn", "skorch", "pandas", "scipy", "numpy"}
    assert not heavy & set(run.stdout.split())


def test_type_checkers_see_the_public_names():
    tree = ast.parse((SOURCE / "__init__.py").read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {alias.name for node in block.body for alias in node.names}
    assert seen == {*sklcnn.__all__, *sklcnn._ROOMS}
    rooms = {room_of(module) for module in read_imports(SOURCE)}
    assert set(sklcnn._ROOMS) == rooms - {"", "__main__", "cli"}


@pytest.mark.parametrize("name", sklcnn.__all__ + list(sklcnn._ROOMS))
def test_public_name_resolves(name):
    assert name in dir(sklcnn)
    assert getattr(sklcnn, name) is not None


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'CNNClasifier'"):
        _ = sklcnn.CNNClasifier


def test_version_has_one_source():
    assert importlib.metadata.version("sklcnn") == sklcnn.__version__


# --- the sources ---------------------------------------------------------------------------------

FOLDERS = (".ci", ".github", "benchmarks", "docs", "examples", "sklcnn", "tests")
SUFFIXES = {"", ".cff", ".css", ".md", ".py", ".rst", ".svg", ".toml", ".yaml", ".yml"}
GENERATED = {"_build", "auto_examples", "generated", "__pycache__"}
LEFTOVERS = re.compile(r"(?<![\w.~])/(work|tmp|root|farm|home)/|\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")


def test_sources_have_no_leftovers():
    files = [path for path in ROOT.iterdir() if path.is_file()]
    for folder in FOLDERS:
        files += (ROOT / folder).rglob("*")
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in files
        if path.is_file() and path.suffix in SUFFIXES and not GENERATED & {*path.parts}
        for match in LEFTOVERS.finditer(path.read_text(encoding="utf-8"))
    ]
    assert not found
