"""Every example of every docstring runs, by the installed name, in a folder of its own."""

import doctest
import importlib
import pkgutil

import axonlight
import pytest

OUTSIDE_THE_PACKAGE = {"tests", "docs", "benchmarks", "examples", "build"}
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def is_inside(name: str) -> bool:
    return name.split(".")[1] not in OUTSIDE_THE_PACKAGE


MODULES = [found.name for found in pkgutil.walk_packages(axonlight.__path__, "axonlight.") if is_inside(found.name)]


@pytest.mark.parametrize("name", MODULES)
def test_examples_of(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    results = doctest.testmod(importlib.import_module(name), optionflags=OPTIONS)
    assert results.failed == 0


def test_examples_are_found():
    finder = doctest.DocTestFinder(exclude_empty=True)
    modules = [importlib.import_module(name) for name in MODULES]
    assert sum(len(test.examples) for module in modules for test in finder.find(module)) > 100
