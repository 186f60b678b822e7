"""Expression matrices with labels: joined by name, scaled in the fold, divided by published lists."""

import logging
import re

import numpy as np
import pandas as pd
import pytest
import torch
from axonlight.cli import main
from axonlight.datamodules import ExpressionData
from axonlight.errors import InputError
from axonlight.structures import Hierarchy
from sklearn.preprocessing import StandardScaler

SAMPLES = [f"s{number:02}" for number in range(40)]
GENES = [f"G{number}" for number in range(6)]


@pytest.fixture
def frame():
    values = np.random.default_rng(0).normal(5, 2, (len(SAMPLES), len(GENES))).round(3)
    return pd.DataFrame(values, index=pd.Index(SAMPLES, name="sample"), columns=GENES)


@pytest.fixture
def labels():
    number = np.arange(len(SAMPLES))
    return pd.DataFrame(
        {
            "relapse": np.where(number % 3, "no", "yes"),
            "age": 40.0 + number,
            "stage": np.array(["II", "III", "IV"])[number // 14],
            "site": number % 2,
            "patient": number // 2,
            "months": number * 1.5,
        },
        index=pd.Index(SAMPLES, name="sample"),
    )


@pytest.fixture
def folder(tmp_path, frame, labels):
    frame.to_csv(tmp_path / "expression.csv")
    labels.to_csv(tmp_path / "labels.csv")
    return tmp_path


def made(folder, target="relapse", labels="labels.csv", path="expression.csv", **options):
    return ExpressionData(str(folder / path), target, None if labels is None else str(folder / labels), **options)


def all_rows(data):
    x, y = zip(*data.predict_dataloader(), strict=True)
    return torch.cat(x).numpy(), torch.cat(y).numpy()


def test_values_equal_a_reference(folder, frame, labels):
    options = {"covariates": ["age", "stage", "site"], "categorical": ["site"]}
    data = made(folder, fold=1, num_folds=4, **options)
    levels = [f"stage={level}" for level in ("II", "III", "IV", "unknown")]
    assert data.feature_names == [*GENES, "age", *levels, "site=0", "site=1", "site=unknown"]
    assert data.covariate_names == data.feature_names[6:]
    assert (data.num_features, data.gene_names, data.class_names) == (14, GENES, ["no", "yes"])
    numbers = np.column_stack([frame, labels["age"]])
    x, y = all_rows(data)
    expected = StandardScaler().fit(numbers[data.rows.train]).transform(numbers)
    np.testing.assert_allclose(x[:, :7], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(x[:, 7:10], labels["stage"].to_numpy()[:, None] == ["II", "III", "IV"])
    np.testing.assert_array_equal(x[:, 11:13], labels["site"].to_numpy()[:, None] == [0, 1])
    assert not x[:, [10, 13]].any()
    np.testing.assert_array_equal(y, labels["relapse"] == "yes")


def test_regression_and_several_classes(folder, labels):
    x, y = all_rows(made(folder, "months", task="regression"))
    np.testing.assert_allclose(y, labels["months"], rtol=1e-6)
    assert x.shape == (40, 6)
    data = made(folder, "stage", task="multiclass")
    assert data.class_names == ["II", "III", "IV"]
    assert np.bincount(all_rows(data)[1]).tolist() == [14, 14, 12]
    assert made(folder, "stage", positive=["III", "IV"]).class_names == ["other", "III or IV"]


def test_only_training_rows_are_fitted(folder, frame, labels):
    options = {"fold": 0, "num_folds": 4, "covariates": ["age", "stage"], "missing": "median"}
    data = made(folder, **options)
    before, digest = data.fitted_state(), data.state_dict()["training_rows"]
    held_out = [SAMPLES[row] for row in (*data.rows.validation, *data.rows.test)]
    frame.loc[held_out] = np.random.default_rng(1).normal(-500, 90, (len(held_out), len(GENES)))
    frame.loc[held_out[0], "G1"] = np.nan
    labels.loc[held_out, "age"] = 1e6
    labels.loc[held_out[0], ["age", "stage"]] = None
    frame.to_csv(folder / "expression.csv")
    labels.to_csv(folder / "labels.csv")
    again = made(folder, **options)
    assert again.state_dict() == {"fitted": before, "training_rows": digest}
    labels.loc[SAMPLES[data.rows.train[0]], "age"] = 99.0
    labels.to_csv(folder / "labels.csv")
    assert made(folder, **options).fitted_state() != before


def test_join_is_by_name_and_reported(folder, frame, labels, caplog):
    shuffled = labels.iloc[np.random.default_rng(3).permutation(40)]
    pd.concat([shuffled.drop(SAMPLES[:2]), labels.iloc[[0]].rename({"s00": "x1"})]).to_csv(folder / "labels.csv")
    with caplog.at_level(logging.INFO, "axonlight"):
        data = made(folder, scale="none")
    assert "38 samples have a label and expression; 1 has a label and no expression (x1); 2 have expr" in caplog.text
    assert data.left_out == {"without a label": ("s00", "s01"), "without expression": ("x1",)}
    assert data.sample_names == SAMPLES[2:]
    assert data.join.groups["s03"] == "yes"
    x, y = all_rows(data)
    np.testing.assert_allclose(x, frame.iloc[2:], rtol=1e-6)
    np.testing.assert_array_equal(y, labels["relapse"].iloc[2:] == "yes")


def test_names_that_look_like_numbers_stay_text(folder, frame, labels):
    names = [f"{number:03}" for number in range(40)]
    frame.set_axis(names).to_csv(folder / "expression.csv")
    labels.set_axis(names).rename_axis("id").reset_index().to_csv(folder / "labels.csv")
    data = made(folder, sample="id")
    assert data.sample_names == names
    data = made(folder, sample=1, limit_rows=20)
    assert data.sample_names == names[:20]


def test_labels_in_the_matrix(folder, frame, labels):
    frame.join(labels[["relapse", "age"]]).to_csv(folder / "one.csv")
    data = made(folder, labels=None, path="one.csv", covariates=["age"])
    assert data.feature_names == [*GENES, "age"]
    expected = made(folder, covariates=["age"])
    for ours, theirs in zip(all_rows(data), all_rows(expected), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("name", ["sample", None])
def test_tables_are_read_alike(folder, frame, name):
    expected = all_rows(made(folder))[0]
    frame.to_csv(folder / "e.tsv.gz", sep="\t")
    frame.rename_axis(name).to_parquet(folder / "e.parquet")
    for path in ("e.tsv.gz", "e.parquet"):
        np.testing.assert_allclose(all_rows(made(folder, path=path))[0], expected, rtol=1e-5)


def test_construction_reads_no_values(folder, monkeypatch):
    monkeypatch.setattr("axonlight.datamodules.omics.matrix.SampleMatrix.read", lambda *_: pytest.fail("was read"))
    data = made(folder, covariates=["stage"])
    assert (data.num_features, data.num_classes, data.feature_names[-1]) == (10, 2, "stage=unknown")


def test_log_transform(folder, frame):
    raw = (2**frame - 1).clip(lower=0)
    raw.to_csv(folder / "raw.csv")
    data = made(folder, path="raw.csv", log_transform=True, scale="none")
    np.testing.assert_allclose(all_rows(data)[0], np.log2(raw + 1), rtol=1e-5, atol=1e-6)
    frame.iloc[3, 2] = -0.5
    frame.to_csv(folder / "expression.csv")
    with pytest.raises(InputError, match=re.escape("gene 'G2' of") + ".*is -0.5 in sample 's03'"):
        made(folder, log_transform=True).setup()


def test_missing_values(folder, frame, labels, caplog):
    frame.loc["s03", "G2"] = np.nan
    frame.to_csv(folder / "expression.csv")
    with pytest.raises(InputError, match=r"1 empty cells \(genes G2; samples s03\); fill them in, or set missing"):
        made(folder).setup()
    labels.loc[["s05", "s06"], ["age", "stage"]] = None
    labels.to_csv(folder / "labels.csv")
    with pytest.raises(InputError, match=r"'age' of .* has no value for 2 samples \(s05, s06\); set missing to"):
        made(folder, covariates=["age"])
    data = made(folder, covariates=["age", "stage"], missing="median", scale="none")
    x, _ = all_rows(data)
    train = np.array(SAMPLES)[data.rows.train]
    assert x[3, 2] == pytest.approx(np.nanmedian(frame.loc[train, "G2"]))
    np.testing.assert_allclose(x[[5, 6], 6], np.nanmedian(labels.loc[train, "age"]))
    np.testing.assert_array_equal(x[[5, 6], 7:], [[0, 0, 0, 1]] * 2)
    assert "2 samples of" in caplog.text
    assert "have no 'age', which becomes the median of the training rows: s05, s06" in caplog.text
    assert "have no 'stage', which becomes 'stage=unknown': s05, s06" in caplog.text
    assert "has 1 empty cells (genes G2; samples s03); the medians of the training rows fill them" in caplog.text


def test_groups_stay_together(folder):
    data = made(folder, group="patient", num_folds=4, fold=1, val_fraction=0.2)
    parts = [{row // 2 for row in part} for part in (data.rows.train, data.rows.validation, data.rows.test)]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 20


def test_a_hierarchy_holds_no_covariate(folder):
    edges = [("all", "P1"), ("all", "P2"), *[("P1", gene) for gene in GENES[:3]], ("P2", "G3")]
    pd.DataFrame(edges, columns=["parent", "child"]).to_csv(folder / "edges.csv", index=False)
    knowledge = {"reader": "edges", "path": "edges.csv", "unannotated": "residual"}
    data = made(folder, covariates=["age"], hierarchy=knowledge)
    assert isinstance(data.hierarchy, Hierarchy)
    assert set(data.hierarchy.features) == set(GENES)


def test_prediction_for_another_matrix(folder, frame, labels, caplog):
    data = made(folder, covariates=["age", "stage"])
    x, _ = all_rows(data)
    new = frame.join(labels[["stage", "age"]]).iloc[::-1, ::-1].assign(more=1.0)
    new.to_csv(folder / "new.csv")
    other = made(folder, covariates=["age", "stage"], predict_path=str(folder / "new.csv"))
    np.testing.assert_array_equal(torch.cat(list(other.predict_dataloader())).numpy(), x[::-1])
    new.drop(columns=["G2", "age"]).to_csv(folder / "new.csv")
    with pytest.raises(InputError, match=r"lacks 2 of the 8 genes and covariates \(G2, age\)"):
        other.predict_dataloader()


def test_fitted_numbers_travel(folder):
    first, second = made(folder, split_seed=1), made(folder, split_seed=2)
    assert first.fitted_state() != second.fitted_state()
    with pytest.warns(UserWarning, match="not trained on the training rows"):
        second.load_state_dict(first.state_dict())
    np.testing.assert_array_equal(all_rows(second)[0], all_rows(first)[0])


def rewrite(name, change):
    def apply(folder):
        table = pd.read_csv(folder / name, dtype=str)
        change(table).to_csv(folder / name, index=False)

    return apply


def text(name, old, new):
    def apply(folder):
        content = (folder / name).read_text()
        assert old in content
        (folder / name).write_text(content.replace(old, new, 1))

    return apply


def cell(row, column, value, name="expression.csv"):
    def change(table):
        table.loc[table["sample"] == row, column] = value
        return table

    return rewrite(name, change)


BAD_FILES = {
    "transposed": (
        lambda folder: pd.read_csv(folder / "expression.csv", index_col=0).T.to_csv(folder / "expression.csv"),
        "40 samples of .*labels.csv .s00, s01 and 38 more. are columns of .*; transpose the matrix so that each",
    ),
    "other names": (
        rewrite("labels.csv", lambda table: table.assign(sample="x" + table["sample"])),
        "none of the 40 samples of .*labels.csv .such as xs00, xs01. is a row of .*csv .such as s00, s01.; names must",
    ),
    "gene twice": (text("expression.csv", "G5", "G1"), "names more than one column 'G1'"),
    "sample twice": (text("expression.csv", "s05", "s01"), "names 's01' in rows 2 and 6; each name may stand once"),
    "label twice": (text("labels.csv", "s05", "s01"), "names 's01' in rows 2 and 6; each name may stand once"),
    "text": (cell("s04", "G2", "high"), "the value of gene 'G2' in sample 's04' .row 5. is 'high', which is no number"),
    "infinite": (cell("s04", "G2", "inf"), "the value of gene 'G2' in sample 's04' .row 5. is infinite"),
    "gene without a name": (text("expression.csv", "G4", ""), "column 6 of .* has no name"),
    "no sample names": (rewrite("expression.csv", lambda table: table.iloc[:, 1:]), "holds numbers such as"),
    "only names": (rewrite("expression.csv", lambda table: table.iloc[:, :1]), "has one column; an expression matrix"),
    "empty label": (cell("s04", "relapse", None, "labels.csv"), "is empty for 1 sample .s04.; fill it in or remove"),
    "one class": (
        rewrite("labels.csv", lambda table: table.assign(relapse="no")),
        "target 'relapse' holds only 'no'; a binary task needs at least two classes",
    ),
    "third class": (cell("s04", "relapse", "maybe", "labels.csv"), "holds 3 classes .maybe, no, yes., but task is"),
    "no target": (text("labels.csv", "relapse", "relaps"), "target is 'relapse', which is no column of .*mean relaps"),
    "no matrix": (lambda folder: (folder / "expression.csv").unlink(), "there is no file .*expression.csv"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files(folder, name):
    change, message = BAD_FILES[name]
    change(folder)
    with pytest.raises(InputError, match=message) as caught:
        made(folder).setup()
    assert "\n" not in str(caught.value)


BAD_OPTIONS = {
    "covariate": ({"covariates": ["aeg"]}, "covariates is 'aeg', which is no column of .*did you mean age"),
    "covariate is the target": ({"covariates": ["relapse"]}, "covariates lists 'relapse', which is the target"),
    "covariate is the group": ({"covariates": ["age"], "group": "age"}, "lists 'age', which is the group"),
    "covariate twice": ({"covariates": ["age", "age"]}, "covariates lists 'age' more than once"),
    "categorical": ({"categorical": ["site"]}, "categorical lists 'site', which is not among the covariates"),
    "group is the target": ({"group": "relapse"}, "group is 'relapse', which is the target"),
    "text as a number": ({"target": "stage", "task": "regression"}, "'stage' of .* is 'II' for sample 's00', which"),
    "task": ({"task": "binray"}, "task is 'binray'; did you mean 'binary'?"),
    "layer": ({"layer": "counts"}, "layer is 'counts', but .* is no .h5ad file"),
    "fold alone": ({"fold": 1}, "fold is 1, but num_folds is not given"),
}


@pytest.mark.parametrize("name", BAD_OPTIONS)
def test_bad_options(folder, name):
    options, message = BAD_OPTIONS[name]
    with pytest.raises(InputError, match=message):
        made(folder, **options)


def test_names_that_collide(folder, frame):
    frame.rename(columns={"G3": "age"}).to_csv(folder / "expression.csv")
    with pytest.raises(InputError, match=r"'age' is both a gene of .* and a label, group or covariate"):
        made(folder, covariates=["age"])
    made(folder)


def test_a_target_among_the_rows(folder, frame, labels):
    frame.join(labels["months"]).T.to_csv(folder / "turned.csv")
    with pytest.raises(InputError, match=r"target 'months' is a row of .*, not a column; transpose the matrix"):
        made(folder, "months", labels=None, path="turned.csv", task="regression")


def test_from_the_command_line(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (folder / "splits").mkdir()
    lists = {"train": pd.Series(SAMPLES[:30]), "val": pd.Series(SAMPLES[30:])}
    pd.DataFrame(lists).to_csv(folder / "splits" / "splits_2.csv")
    command = "--model ClassificationTask --model.network DenseNetwork --data ExpressionData --trainer.accelerator cpu"
    files = ["--data.path", "expression.csv", "--data.labels", "labels.csv", "--data.target", "relapse"]
    options = [*command.split(), *files, "--data.splits", "splits", "--data.fold", "2", "--data.covariates", "[stage]"]
    assert main(["fit", *options, "--trainer.max_epochs", "2"]) == 0
    assert "fit finished" in capsys.readouterr().out
    checkpoint = tmp_path / "runs" / "version_0" / "checkpoints" / "last.ckpt"
    stored = torch.load(checkpoint, weights_only=True)["ExpressionData"]["fitted"]
    expected = made(folder, splits=str(folder / "splits"), fold=2, covariates=["stage"])
    assert stored == expected.fitted_state()
    assert main(["test", *options, "--ckpt_path", str(checkpoint)]) == 0
    assert "test finished" in capsys.readouterr().out
