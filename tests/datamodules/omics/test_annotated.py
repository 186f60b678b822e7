"""Annotated matrices (.h5ad), written here as anndata lays them out in a file."""

import numpy as np
import pandas as pd
import pytest
import torch
from axonlight.datamodules import ExpressionData
from axonlight.errors import InputError
from scipy import sparse

h5py = pytest.importorskip("h5py")

SAMPLES = [f"s{number:02}" for number in range(30)]
GENES = ["TP53", "EGFR", "KRAS", "MYC"]
COUNTS = np.random.default_rng(0).poisson(1.0, (30, 4)).astype(np.float32)
RELAPSE = ["yes" if number % 3 else "no" for number in range(30)]
AGE = np.where(np.arange(30) == 4, np.nan, 40.0 + np.arange(30))


def put(group, name, values, kind="array"):
    values = np.asarray(values)
    if values.dtype.kind == "U":
        values, kind = values.astype(object), "string-array"
    item = group.create_dataset(name, data=values, **({"dtype": h5py.string_dtype()} if values.dtype == object else {}))
    item.attrs.update({"encoding-type": kind, "encoding-version": "0.2.0"})


def put_table(file, name, index, columns=()):
    group = file.create_group(name)
    group.attrs.update({"encoding-type": "dataframe", "encoding-version": "0.2.0", "_index": "_index"})
    group.attrs["column-order"] = np.array(list(columns), dtype=h5py.string_dtype())
    put(group, "_index", index)
    return group


def put_categories(group, name, values, kind="categorical"):
    levels = sorted({value for value in values if value is not None})
    item = group.create_group(name)
    item.attrs.update({"encoding-type": kind, "encoding-version": "0.2.0", "ordered": False})
    put(item, "categories", levels)
    put(item, "codes", np.array([levels.index(value) if value is not None else -1 for value in values], dtype=np.int8))


def put_old_categories(group, name, values):
    """The layout of anndata 0.7: codes that refer to a group of categories."""
    levels = sorted(set(values))
    shared = group.require_group("__categories")
    put(shared, name, levels)
    group.create_dataset(name, data=np.array([levels.index(value) for value in values], dtype=np.int8))
    group[name].attrs["categories"] = shared[name].ref


def put_nullable(group, name, values, kind):
    item = group.create_group(name)
    item.attrs.update({"encoding-type": kind, "encoding-version": "0.1.0"})
    put(item, "values", ["" if value is None else value for value in values])
    put(item, "mask", [value is None for value in values])


def put_matrix(group, name, values, kind):
    if kind == "dense":
        return put(group, name, values)
    matrix = sparse.csr_array(values) if kind == "csr_matrix" else sparse.csc_array(values)
    item = group.create_group(name)
    item.attrs.update({"encoding-type": kind, "encoding-version": "0.1.0", "shape": np.array(values.shape)})
    for part in ("data", "indices", "indptr"):
        item.create_dataset(part, data=getattr(matrix, part))
    return item


@pytest.fixture
def write(tmp_path):
    def written(kind="csr_matrix", genes=GENES, samples=SAMPLES, categories=put_categories, values=COUNTS):
        path = tmp_path / "cells.h5ad"
        with h5py.File(path, "w") as file:
            put_matrix(file, "X", values, kind)
            put_matrix(file.create_group("layers"), "twice", 2 * values, kind)
            put_table(file, "var", genes)
            obs = put_table(file, "obs", samples, ["relapse", "age", "stage"])
            categories(obs, "relapse", RELAPSE)
            put(obs, "age", AGE)
            put_nullable(obs, "stage", [None, *(["II", "III"] * 15)][:30], "nullable-string-array")
        return path

    return written


def all_rows(data):
    x, y = zip(*data.predict_dataloader(), strict=True)
    return torch.cat(x).numpy(), torch.cat(y).numpy()


@pytest.mark.parametrize("kind", ["dense", "csr_matrix", "csc_matrix"])
@pytest.mark.parametrize("categories", [put_categories, put_old_categories])
def test_values_and_labels(write, kind, categories):
    path = str(write(kind, categories=categories))
    data = ExpressionData(path, "relapse", scale="none", covariates=["age", "stage"], missing="median")
    assert data.feature_names == [*GENES, "age", "stage=II", "stage=III", "stage=unknown"]
    assert data.sample_names == SAMPLES
    assert data.covariates.absent == {"age": ("s04",), "stage": ("s00",)}
    x, y = all_rows(data)
    np.testing.assert_array_equal(x[:, :4], COUNTS)
    np.testing.assert_array_equal(y, np.array(RELAPSE) == "yes")
    np.testing.assert_array_equal(np.delete(x[:, 4], 4), np.delete(AGE, 4))
    np.testing.assert_array_equal(x[0, 5:], [0, 0, 1])
    layer = ExpressionData(path, "relapse", layer="twice", log_transform=True, scale="none")
    np.testing.assert_allclose(all_rows(layer)[0], np.log2(2 * COUNTS + 1), rtol=1e-6)


def test_labels_in_a_table(write, tmp_path):
    table = pd.DataFrame({"sample": SAMPLES[:20], "months": np.arange(20.0)})
    table.to_csv(tmp_path / "labels.csv", index=False)
    data = ExpressionData(str(write()), "months", str(tmp_path / "labels.csv"), task="regression", scale="none")
    x, y = all_rows(data)
    np.testing.assert_array_equal(x, COUNTS[:20])
    np.testing.assert_array_equal(y, np.arange(20))
    assert data.left_out == {"without a label": tuple(SAMPLES[20:])}


def test_names_need_no_values(write, monkeypatch):
    monkeypatch.setattr("axonlight.datamodules.omics.matrix.read_annotated_matrix", lambda *_: pytest.fail("was read"))
    assert ExpressionData(str(write()), "relapse").feature_names == GENES


def test_prediction(write, tmp_path):
    path = str(write())
    data = ExpressionData(path, "relapse", covariates=["age"], missing="median", predict_path=path)
    expected = ExpressionData(path, "relapse", covariates=["age"], missing="median")
    np.testing.assert_array_equal(torch.cat(list(data.predict_dataloader())).numpy(), all_rows(expected)[0])


def without(name):
    def change(file):
        del file[name]

    return change


def unknown_column(file):
    file["obs/stage"].attrs["encoding-type"] = "rec-array"


def unknown_matrix(file):
    file["X"].attrs["encoding-type"] = "coo_matrix"


def no_table(file):
    del file["obs"].attrs["column-order"]


def turned(file):
    file.move("obs/_index", "names")
    file.move("var/_index", "obs/_index")
    file.move("names", "var/_index")


def one_gene_less(file):
    del file["var/_index"]
    put(file["var"], "_index", GENES[:3])


BAD = {
    "no X": (without("X"), "has no X; an .h5ad file holds X, obs and var"),
    "no obs": (without("obs"), "has no obs"),
    "obs is no table": (no_table, "obs of .* is not stored as a table"),
    "column": (unknown_column, "column 'stage' of .* is stored as 'rec-array', which cannot be read"),
    "matrix": (unknown_matrix, "the matrix of .* is stored as 'coo_matrix'; it must be dense, CSR or CSC"),
    "part": (without("X/indptr"), "is damaged or incomplete"),
    "length": (turned, "column 'relapse' of .* has 30 values for 4 samples"),
    "shape": (one_gene_less, r"the matrix of .* is \(30, 4\), but its samples and genes are \(30, 3\)"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files(write, name):
    change, message = BAD[name]
    path = write()
    with h5py.File(path, "a") as file:
        change(file)
    with pytest.raises(InputError, match=message) as caught:
        ExpressionData(str(path), "relapse").setup()
    assert "\n" not in str(caught.value)


def test_a_transposed_file(write, tmp_path):
    pd.DataFrame({"sample": SAMPLES, "relapse": RELAPSE}).to_csv(tmp_path / "labels.csv", index=False)
    path = write(genes=SAMPLES, samples=GENES, values=COUNTS.T)
    with pytest.raises(InputError, match=r"30 samples of .* are columns of .*; transpose .*anndata: adata\.T"):
        ExpressionData(str(path), "relapse", str(tmp_path / "labels.csv"))


def test_names_twice(write):
    with pytest.raises(InputError, match=r"names 1 genes more than once \(TP53\)"):
        ExpressionData(str(write(genes=["TP53", "EGFR", "TP53", "MYC"])), "relapse")
    with pytest.raises(InputError, match=r"names 1 samples more than once \(s01\)"):
        ExpressionData(str(write(samples=["s01", *SAMPLES[1:]])), "relapse")


def test_wrong_names_of_files_and_layers(write, tmp_path):
    (tmp_path / "text.h5ad").write_text("sample,TP53\n")
    with pytest.raises(InputError, match=r"is no readable .h5ad file"):
        ExpressionData(str(tmp_path / "text.h5ad"), "relapse")
    with pytest.raises(InputError, match=r"there is no file .*none.h5ad"):
        ExpressionData(str(tmp_path / "none.h5ad"), "relapse")
    with pytest.raises(InputError, match=r"layer is 'raw', but .* has layers twice"):
        ExpressionData(str(write()), "relapse", layer="raw").setup()
    with pytest.raises(InputError, match=r"target is 'relaps', which is no column of .*did you mean relapse"):
        ExpressionData(str(write()), "relaps")
