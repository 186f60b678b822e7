"""A small table, and searches on it that take a few seconds in one process."""

import numpy as np
import pandas as pd
import pytest
from axonlight.discovery import Search

ENGINE = {"kind": "enumerate", "max_nodes": 4, "operators": ["mul", "sin", "cos"]}
STAGES = {
    "proxies": {"keep": 8, "rows": 64},
    "few_steps": {"steps": 4, "keep": 6},
    "halving": {"epochs": [1, 2], "keep": [4, 2], "seeds": [1, 2]},
}


def table(rows=200, seed=0):
    """A table whose classes are no linear function of its columns."""
    generator = np.random.default_rng(seed)
    frame = pd.DataFrame(generator.normal(size=(rows, 4)), columns=list("abcd"))
    frame["label"] = np.where(np.sin(2 * frame["a"]) * frame["b"] + 0.3 * frame["c"] > 0, "yes", "no")
    return frame


def config(path, **data):
    """The base of a search."""
    network = {"class_path": "DenseNetwork", "init_args": {"hidden": [8, 4], "dropout": 0.1}}
    options = {"path": str(path), "target": "label", "batch_size": 32, "stratify": False, **data}
    return {
        "model": {"class_path": "ClassificationTask", "init_args": {"network": network}},
        "data": {"class_path": "TabularData", "init_args": options},
        "trainer": {"max_epochs": 2},
    }


def settings(path, **changes):
    """The settings of a small search, in this process."""
    given = {
        "base": config(path),
        "engine": ENGINE,
        "stages": STAGES,
        "finalists": {"count": 2, "seeds": 2},
        "controls": {"known": ["relu", "Snake"], "random": 1},
        "workers": 0,
    }
    return {**given, **changes}


def figures(result):
    """All of a result that may not depend on how often it was interrupted: everything but times."""
    return {
        "candidates": [
            (one.candidate.formula, dict(one.candidate.scores), one.reached, one.failure) for one in result.candidates
        ],
        "stages": [(one.name, one.entered, one.failed, one.kept, one.score) for one in result.stages],
        "contenders": [(one.name, one.kind, one.scores) for one in (*result.finalists, *result.controls)],
        "tested": [(one.name, one.test_scores, one.validation_scores) for one in result.tested],
        "inflation": result.inflation,
    }


@pytest.fixture(scope="session")
def csv(tmp_path_factory):
    """The table in a file."""
    path = tmp_path_factory.mktemp("table") / "table.csv"
    table().to_csv(path, index=False)
    return path


@pytest.fixture(scope="session")
def found(csv, tmp_path_factory):
    """A finished search."""
    return Search(settings(csv), tmp_path_factory.mktemp("found")).run()
