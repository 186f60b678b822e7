"""Every mistake a user can make with a table: one sentence that names file, column, row or key."""

import gzip

import numpy as np
import pandas as pd
import pytest
from axonlight.datamodules import BreastCancer, Covertype, Higgs, TabularData
from axonlight.errors import InputError

ROWS = 40


def _table(tmp_path, drop=(), **columns):
    frame = pd.DataFrame({"size": np.arange(ROWS) * 1.5, "dose": np.arange(ROWS)[::-1], "y": np.arange(ROWS) % 2})
    path = tmp_path / "cells.csv"
    frame.assign(**columns).drop(columns=list(drop)).to_csv(path, index=False)
    return str(path)


def _cells(value, *rows):
    cells = list(map(float, range(ROWS)))
    for row in rows:
        cells[row] = value
    return pd.Series(cells, dtype=object)


def _set_up(build):
    data = build()
    assert data.num_features
    data.setup()


def _refused(message, build):
    with pytest.raises(InputError, match=message) as caught:
        _set_up(build)
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 400
    return text


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        ({}, {"target": "Y2"}, r"target is 'Y2', which is no column of .*cells\.csv"),
        ({}, {"target": "sise"}, r"target is 'sise', .*did you mean size\?"),
        ({}, {"target": 3}, "target is 3, but .* has 3 columns"),
        ({"y": 1}, {}, "target 'y' holds only '1'; a binary task needs at least two"),
        ({"y": _cells(np.nan, *range(ROWS))}, {}, "target 'y' holds no value"),
        ({"y": np.arange(ROWS) % 3}, {}, r"holds 3 classes \(0, 1, 2\), but task is 'binary'"),
        (
            {"y": _cells(np.nan, 4)},
            {"task": "regression"},
            r"column 'y' of .* holds 1 missing cell \(row 5\)",
        ),
        ({}, {"task": "binry"}, r"task is 'binry'; did you mean 'binary'\?"),
        ({}, {"positive": 2}, "positive is '2', which is no value of target 'y'; its values are 0, 1"),
        ({}, {"positive": [0, 1]}, "positive holds every value"),
        ({}, {"positive": 1, "task": "multiclass"}, "positive is given, but task is 'multiclass'"),
        ({}, {"positive": 1, "task": "regression"}, "positive is given, but task is 'regression'"),
        ({"size": _cells(np.nan, 3, 7)}, {}, r"column 'size' of .*cells\.csv holds 2 missing cells \(rows 4, 8\)"),
        ({"size": _cells(np.nan, *range(5))}, {}, r"holds 5 missing cells \(rows 1, 2, 3, \.\.\.\)"),
        ({"size": _cells("inf", 3)}, {}, r"column 'size' of .*holds 1 infinite cell \(row 4\)"),
        ({"size": _cells("-inf", 3)}, {"missing": "median"}, "holds 1 infinite cell"),
        ({"size": _cells("big", 6)}, {}, r"text 'big' in row 7 of column 'size' of .*cells\.csv"),
        ({"size": _cells(np.nan, *range(ROWS))}, {"missing": "median"}, "'size' of .* has no value in the training"),
        ({"kind": _cells(np.nan, 2)}, {"target": "y", "categorical": ["kind"]}, "'kind' of .* holds 1 missing cell"),
        ({"site": _cells(np.nan, 2)}, {"target": "y", "group": "site"}, "group column 'site' .* missing cell in row 3"),
        ({}, {"numeric": ["y"]}, "numeric lists 'y', which is the target"),
        ({}, {"categorical": ["y"]}, "categorical lists 'y', which is the target"),
        ({}, {"numeric": ["size", "size"]}, "numeric lists 'size' more than once"),
        ({}, {"numeric": ["sizes"]}, r"numeric is 'sizes', .* did you mean size\?"),
        ({}, {"numeric": ["size"], "categorical": ["size"]}, "'size' is listed in both numeric and categorical"),
        ({}, {"numeric": ["dose"], "group": "dose"}, "numeric lists 'dose', which is the group column"),
        ({}, {"group": "y"}, "group is 'y', which is the target"),
        ({}, {"fold": 0}, "fold is 0, but num_folds is not given"),
        ({}, {"fold": 5, "num_folds": 5}, "fold is 5; with num_folds 5 it must be 0 to 4"),
        ({}, {"fold": 0, "num_folds": 41, "stratify": False}, "num_folds is 41, but there are only 40 rows"),
        ({}, {"fold": 0, "num_folds": 21}, "num_folds is 21, but class 0 has only 20"),
        ({"site": np.arange(ROWS) // 20}, {"target": "y", "group": "site", "fold": 0, "num_folds": 3}, "only 2 groups"),
        ({}, {"test_fraction": 1.5}, "test_fraction is 1.5"),
        ({}, {"val_fraction": 1}, "val_fraction is 1"),
        ({}, {"batch_size": 0}, "batch_size is 0; it must be a positive integer"),
        ({}, {"limit_rows": 0}, "limit_rows is 0"),
        ({}, {"limit_seed": 3}, "limit_seed is 3, but limit_rows is not given"),
        ({}, {"missing": "mean"}, "missing is 'mean'; it must be 'error' or 'median'"),
        ({}, {"scale": "minmax"}, "scale is 'minmax'; it must be 'standard' or 'none'"),
        (
            {"site": np.arange(ROWS) % 4, "y": np.arange(ROWS) % 4 // 2},
            {"target": "y", "group": "site", "fold": 0, "num_folds": 4, "val_fraction": 0},
            "all 10 test rows of .* are of one class",
        ),
        ({"y": [0] * 39 + [1]}, {"stratify": False}, "all .* rows of .* are of one class"),
        ({"y": [0] * 39 + [1]}, {}, "stratified split, but class 1 has only 1"),
    ],
)
def test_mistakes_in_table_and_options(tmp_path, columns, options, message):
    path = _table(tmp_path, **columns)
    if "target" not in options and "y" in columns:
        options = {"target": "y", **options}
    _refused(message, lambda: TabularData(path, **options))
    assert [entry.name for entry in tmp_path.iterdir()] == ["cells.csv"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.csv", b"", r"empty\.csv is empty"),
        ("header.csv", b"a,y\n", r"header\.csv has no rows"),
        ("twice.csv", b"a,a,y\n1,2,0\n", "more than one column 'a'"),
        (
            "cut.csv.gz",
            gzip.compress(b"a,y\n" + b"1,0\n" * 9999, mtime=0)[:-12],
            r"cut\.csv\.gz is a truncated or damaged gzip",
        ),
        ("index.csv", b",a,y\n1,2,0\n", "column 1 of .* has no name"),
        ("target.csv", b"y\n1\n0\n", "has no feature column beside target 'y'"),
        ("table.xls", b"a", "known endings"),
    ],
)
def test_mistaken_files(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    _refused(message, lambda: TabularData(str(tmp_path / name), task="multiclass"))


def test_missing_files(tmp_path):
    _table(tmp_path)
    _refused(r"there is no file .*; did you mean cells\.csv\?", lambda: TabularData(str(tmp_path / "cell.csv")))
    _refused(r"data\.root is '/nowhere'", lambda: Covertype("/nowhere"))
    _refused("no file of higgs", lambda: Higgs(str(tmp_path)))


def test_row_numbers_are_those_of_the_file(tmp_path):
    path = _table(tmp_path, size=_cells("big", 33))
    drawn = next(seed for seed in range(20) if 33 in np.random.default_rng(seed).permutation(ROWS)[:30])
    text = _refused("text 'big'", lambda: TabularData(path, limit_rows=30, limit_seed=drawn))
    assert "in row 34 " in text


def test_unknown_label(data_root, tmp_path):
    with gzip.open(data_root / "tabular" / "forest_cover.csv.gz", "rt") as stream:
        lines = [next(stream).strip() for _ in range(5)]
    (tmp_path / "forest_cover.csv").write_text("\n".join([*lines[:-1], lines[-1][:-1] + "8"]))
    _refused("target 'Cover_Type' of .* holds '8' in row 4", lambda: Covertype(str(tmp_path)))
    _refused("classes is 'seven'; it must be 'binary' or 'all'", lambda: Covertype(classes="seven"))


def test_no_test_rows():
    with pytest.raises(InputError, match="test_fraction is 0: there are no test rows"):
        BreastCancer(test_fraction=0).test_dataloader()


def test_predict_table_without_a_feature(tmp_path):
    path = _table(tmp_path)
    (tmp_path / "new.csv").write_text("size,other\n1,2\n")
    data = TabularData(path, predict_path=str(tmp_path / "new.csv"))
    with pytest.raises(InputError, match=r"predict_path .*new\.csv lacks 1 of the 2 feature columns, first 'dose'"):
        data.predict_dataloader()
