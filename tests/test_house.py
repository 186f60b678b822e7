"""The rules of the house: which package may know which, what is public, how large a file may grow."""

import ast
import importlib
import inspect
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
import torch_geometric.nn
from torch import nn

CHECKOUT = Path(__file__).resolve().parents[1]
OUTSIDE_THE_PACKAGE = ("tests", "docs", "benchmarks", "examples")
PACKAGES = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"][1:]
TOP_LEVEL = sorted({name.split(".")[1] for name in PACKAGES})
PUBLIC_CLASSES_OF = ("activations", "models", "datamodules", "callbacks", "metrics", "structures", "baselines")
MAXIMUM_LINES = 400

# What each part of the package may import, beside itself. Arrows go down: a part knows only parts above it here.
GROUND = {"__version__", "batches", "errors", "randomness"}
MAY_IMPORT = {
    "batches": set(),
    "errors": set(),
    "randomness": set(),
    "configs": {"__version__"},
    "datasets": GROUND,
    "activations": GROUND,
    "metrics": GROUND,
    "plots": GROUND | {"metrics"},
    "structures": GROUND,
    "baselines": GROUND | {"metrics"},
    "models": GROUND | {"activations", "metrics", "structures"},
    "datamodules": GROUND | {"datasets", "structures"},
    "attribution": GROUND | {"activations", "metrics", "models", "plots", "structures"},
    "stimulation": GROUND | {"activations", "metrics", "models", "plots", "structures"},
    "callbacks": GROUND | {"activations", "attribution", "baselines", "metrics", "models", "plots", "stimulation"},
    "training": GROUND
    | {
        "activations",
        "callbacks",
        "configs",
        "datamodules",
        "datasets",
        "metrics",
        "models",
        "plots",
        "stimulation",
        "structures",
    },
    "comparison": GROUND
    | {
        "activations",
        "attribution",
        "baselines",
        "callbacks",
        "configs",
        "datamodules",
        "datasets",
        "metrics",
        "models",
        "plots",
        "stimulation",
        "structures",
        "training",
    },
    "discovery": GROUND
    | {
        "activations",
        "baselines",
        "callbacks",
        "comparison",
        "configs",
        "datamodules",
        "datasets",
        "metrics",
        "models",
        "plots",
        "training",
    },
    "commands": GROUND
    | {"activations", "comparison", "configs", "datasets", "discovery", "plots", "structures", "training"},
    "cli": {"__version__", "commands", "errors", "training"},
    "__main__": {"cli"},
    "__init__": set(),
}


def text_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"], cwd=CHECKOUT, capture_output=True
    )
    if listed.returncode:
        pytest.skip("the list of files comes from git, and this is no checkout of it")
    files = [CHECKOUT / name for name in listed.stdout.decode().split("\0") if name]
    return [path for path in files if path.is_file() and b"\0" not in path.read_bytes()]


def package_files() -> list[Path]:
    folders = [CHECKOUT, *(CHECKOUT.joinpath(*name.split(".")[1:]) for name in PACKAGES)]
    return sorted(path for folder in folders for path in folder.glob("*.py"))


def module_parts(path: Path) -> tuple[str, ...]:
    return path.relative_to(CHECKOUT).with_suffix("").parts


@cache
def syntax_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def relative_imports(path: Path) -> Iterator[tuple[str, ...]]:
    """Yield what a file imports from the package, as parts below the root, with the imported name last."""
    package = module_parts(path)[:-1]
    for node in ast.walk(syntax_of(path)):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = (*package[: len(package) + 1 - node.level], *(node.module.split(".") if node.module else ()))
            yield from ((*base, alias.name) for alias in node.names)


def public_objects() -> dict[str, object]:
    """Every class and function that a package, or a module of the root, lists in `__all__`."""
    modules = [
        importlib.import_module(name)
        for name in (*PACKAGES, "axonlight.batches", "axonlight.errors", "axonlight.randomness")
    ]
    listed = {f"{module.__name__}.{name}": getattr(module, name) for module in modules for name in module_names(module)}
    return {name: item for name, item in listed.items() if inspect.isclass(item) or inspect.isfunction(item)}


def module_names(module: ModuleType) -> list[str]:
    return list(getattr(module, "__all__", ()))


def test_no_package_loads_a_second_time_by_its_bare_name():
    # The checkout is the working directory of the child, as for somebody who starts Python there.
    attempt = f"""
for name in {[*TOP_LEVEL, "cli"]}:
    try:
        __import__(name)
    except ImportError as error:
        print(name, str(error).startswith("attempted relative import"))
    else:
        print(name, "was imported")
"""
    child = subprocess.run([sys.executable, "-c", attempt], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    expected = [f"{name} True" for name in (*TOP_LEVEL, "cli")]
    assert child.stdout.splitlines() == expected


@pytest.mark.parametrize("code", ["import axonlight", "import axonlight.cli", "import axonlight.datasets"])
def test_light_parts_import_nothing_heavy(code, tmp_path):
    heavy = ("torch", "lightning", "pandas", "numpy", "sklearn", "scipy", "matplotlib", "jsonargparse")
    check = f"{code}, sys; print(*[name for name in {heavy} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", check], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert found.stdout.split() == []


def test_the_root_imports_nothing():
    tree = syntax_of(CHECKOUT / "__init__.py")
    assert not [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]


def test_every_part_has_a_place_in_the_order():
    parts = {module_parts(path)[0] for path in package_files()}
    assert parts <= set(MAY_IMPORT)


def test_the_order_has_no_circles():
    seen = {"__version__"}
    for part, known in MAY_IMPORT.items():
        assert known <= seen, f"{part} may import {known - seen}, which stand below it"
        seen.add(part)


def test_arrows_go_down():
    wrong = [
        f"{path.relative_to(CHECKOUT)} imports {'.'.join(target)}"
        for path in package_files()
        for target in relative_imports(path)
        if target[0] not in {module_parts(path)[0], *MAY_IMPORT[module_parts(path)[0]]}
    ]
    assert wrong == []


def test_modules_import_one_another_without_circles():
    files = {module_parts(path): path for path in package_files()}
    graph = {}
    for parts, path in files.items():
        targets = set()
        for target in relative_imports(path):
            # `from .package import name`: the module `package.name` if there is one, else the package itself
            candidates = [target, target[:-1], (*target, "__init__"), (*target[:-1], "__init__")]
            targets.update(candidate for candidate in candidates[:2] if candidate in files)
            if not targets & set(candidates[:2]):
                targets.update(candidate for candidate in candidates[2:] if candidate in files)
        graph[parts] = targets - {parts}
    assert find_circle(graph) is None


def find_circle(graph: dict[tuple[str, ...], set[tuple[str, ...]]]) -> list[str] | None:
    finished: set[tuple[str, ...]] = set()

    def visit(node: tuple[str, ...], trail: tuple[tuple[str, ...], ...]) -> list[str] | None:
        if node in trail:
            return [".".join(parts) for parts in (*trail[trail.index(node) :], node)]
        if node in finished:
            return None
        for target in sorted(graph[node]):
            if circle := visit(target, (*trail, node)):
                return circle
        finished.add(node)
        return None

    return next((circle for node in graph if (circle := visit(node, ()))), None)


def test_circles_are_found():
    graph = {("a",): {("b",)}, ("b",): {("c",)}, ("c",): {("b",)}}
    assert find_circle(graph) == ["b", "c", "b"]


def test_the_package_names_itself_by_relative_imports_alone():
    wrong = []
    for path in package_files():
        for node in ast.walk(syntax_of(path)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            wrong += [f"{path.name}:{node.lineno}" for name in names if name.split(".")[0] == "axonlight"]
    assert wrong == []


def test_files_are_small():
    lengths = {path: len(path.read_text().splitlines()) for path in text_files() if path.suffix == ".py"}
    too_long = {str(path.relative_to(CHECKOUT)): lines for path, lines in lengths.items() if lines > MAXIMUM_LINES}
    assert too_long == {}


@pytest.mark.parametrize("name", PACKAGES)
def test_public_names_are_the_imports_of_the_package(name):
    path = CHECKOUT.joinpath(*name.split(".")[1:], "__init__.py")
    imports = [node for node in syntax_of(path).body if isinstance(node, ast.ImportFrom)]
    imported = {alias.asname or alias.name for node in imports for alias in node.names}
    public = module_names(importlib.import_module(name))
    # Upper-case constants, classes, functions: the order of the linter's own sorting.
    assert public == sorted(public, key=lambda word: (not word.isupper(), not word[0].isupper(), word))
    assert len(public) == len(set(public))
    assert set(public) <= imported
    # A package may import a helper that it runs once at the start; all else that it imports is public.
    called = {node.func.id for node in ast.walk(syntax_of(path)) if isinstance(node, ast.Call)}
    assert {word for word in imported if not word.startswith("_")} - called == set(public)


def test_every_public_class_has_a_short_name_of_its_own():
    known = {
        word for module in (nn, torch_geometric.nn) for word in dir(module) if isinstance(getattr(module, word), type)
    }
    owners: dict[str, type] = {}
    for package in PUBLIC_CLASSES_OF:
        module = importlib.import_module(f"axonlight.{package}")
        for word in module.__all__:
            item = getattr(module, word)
            if inspect.isclass(item):
                assert word not in known, f"axonlight.{package}.{word} repeats a name of torch.nn or torch_geometric.nn"
                assert owners.setdefault(word, item) is item, f"{word} names two classes"
    assert len(owners) > 20


def test_public_objects_are_documented_with_an_example():
    # `__doc__`, not `getdoc`: an inherited docstring documents something else.
    without = [name for name, item in public_objects().items() if ">>> " not in (item.__doc__ or "")]
    assert without == []


def test_no_file_names_a_machine_or_a_registry():
    # Home folders, temporary folders, local registries: the words are put together here so that this file passes.
    words = ["/" + "root/", "/" + "home/", "/" + "Users/", "/" + "work/", "/" + "opt/", "file:" + "//", "/" + "tmp/"]
    patterns = [re.escape(word) for word in words] + [r"https?://(localhost|127\.|10\.|192\.168\.)", "index" + "-url"]
    found = []
    for path in text_files():
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if re.search("|".join(patterns), line):
                found.append(f"{path.relative_to(CHECKOUT)}:{number}: {line.strip()[:80]}")
    assert found == []
