"""Quantity matrices with a design: joined by name, imputed and scaled in the fold, what was missing kept."""

import logging
import re

import numpy as np
import pandas as pd
import pytest
import torch
from axonlight.cli import main
from axonlight.datamodules import Proteomics
from axonlight.errors import InputError
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import StandardScaler

PATIENTS = [f"{'AB'[number % 2]}_{number}" for number in range(40)]
PROTEINS = [f"P{number}" for number in range(6)]


@pytest.fixture
def frame():
    generator = np.random.default_rng(0)
    values = generator.normal(20, 2, (len(PROTEINS), len(PATIENTS)))
    values[generator.random(values.shape) < 0.35] = np.nan
    return pd.DataFrame(values, index=pd.Index(PROTEINS, name="Protein"), columns=PATIENTS)


@pytest.fixture
def folder(tmp_path, frame):
    frame.to_csv(tmp_path / "test_qm.csv")
    write_design(tmp_path, PATIENTS)
    return tmp_path


def write_design(folder, patients):
    rows = [f"{patient}\t{1 + (number % 5 > 1)}" for number, patient in enumerate(patients)]
    (folder / "design_matrix.tsv").write_text("\n".join(["sample\tgroup", *rows]) + "\n")


def all_rows(data):
    x, y = zip(*data.predict_dataloader(), strict=True)
    return torch.cat(x).numpy(), torch.cat(y).numpy()


def test_the_published_set(data_root, caplog):
    with caplog.at_level(logging.INFO, "axonlight"):
        data = Proteomics(str(data_root), fold=1, num_folds=5)
    assert (data.num_features, data.num_classes, data.class_names, data.task) == (1108, 2, ["1", "2"], "binary")
    assert len(data.join.groups) == 197
    assert data.join.complete
    assert list(data.batch_effect_suspects) == ["CK"]
    assert len(data.batch_effect_suspects["CK"]) == 7
    messages = [record.getMessage() for record in caplog.records]
    assert sum("possible batch effect" in message for message in messages) == 1
    assert sum("197 samples have a group and quantities" in message for message in messages) == 1
    x, y = all_rows(data)
    design = pd.read_csv(data_root / "proteomics" / "design_matrix.tsv", sep="\t", index_col="sample")["group"]
    matrix = pd.read_csv(data_root / "proteomics" / "test_qm.csv", index_col="Protein")[design.index].T
    assert data.sample_names == list(design.index)
    assert data.protein_names == list(matrix.columns)
    np.testing.assert_array_equal(y, design.to_numpy() == 2)
    assert np.bincount(y).tolist() == [74, 123]
    present = matrix.notna().to_numpy()
    assert (~present).sum() == 40_437
    used = ~np.isin(data.protein_names, data.dropped_proteins)
    np.testing.assert_array_equal(x[:, 554:], present & used)
    assert set(data.dropped_proteins) == set(matrix.columns[~present[data.rows.train].any(axis=0)])
    for rows in (data.rows.train, data.rows.validation, data.rows.test):
        assert y[rows].mean() == pytest.approx(123 / 197, abs=0.04)
    assert len(Proteomics(str(data_root / "proteomics")).protein_names) == 554


@pytest.mark.parametrize("impute", ["minimum", "median", "zero"])
@pytest.mark.parametrize("scale", ["standard", "none"])
def test_values_equal_a_reference(folder, frame, impute, scale):
    data = Proteomics(str(folder), impute=impute, scale=scale, split_seed=3)
    values, train = frame.T.to_numpy(), data.rows.train
    if impute == "median":
        expected = SimpleImputer(strategy="median").fit(values[train]).transform(values)
    else:
        fill = np.nanmin(values[train], axis=0) if impute == "minimum" else np.zeros(len(PROTEINS))
        expected = np.where(np.isnan(values), fill, values)
    if scale == "standard":
        expected = StandardScaler().fit(expected[train]).transform(expected)
    x, _ = all_rows(data)
    np.testing.assert_allclose(x[:, :6], expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(x[:, 6:], ~np.isnan(values))
    assert data.feature_names == PROTEINS + [f"{name}=present" for name in PROTEINS]
    groups = torch.from_numpy(x).unflatten(1, (-1, len(PROTEINS)))
    assert torch.equal(groups[:, 1, 2], torch.from_numpy(x[:, 8]))


def test_only_training_rows_are_fitted(folder, frame):
    options = {"fold": 0, "num_folds": 4, "impute": "median", "min_present": 0.6}
    data = Proteomics(str(folder), **options)
    before, digest = data.fitted_state(), data.state_dict()["training_rows"]
    held_out = [PATIENTS[row] for row in (*data.rows.validation, *data.rows.test)]
    changed = frame.copy()
    changed[held_out] = np.random.default_rng(1).normal(-500, 90, (len(PROTEINS), len(held_out)))
    changed.to_csv(folder / "test_qm.csv")
    again = Proteomics(str(folder), **options)
    assert again.state_dict() == {"fitted": before, "training_rows": digest}
    changed[PATIENTS[data.rows.train[0]]] = 99.0
    changed.to_csv(folder / "test_qm.csv")
    assert Proteomics(str(folder), **options).fitted_state() != before


def test_rare_proteins_are_zero_and_keep_their_place(folder, frame, caplog):
    data = Proteomics(str(folder))
    frame.loc["P3", [PATIENTS[row] for row in data.rows.train]] = np.nan
    frame.loc["P3", PATIENTS[data.rows.test[0]]] = 25.0
    frame.loc["P4", [PATIENTS[row] for row in data.rows.train[2:]]] = np.nan
    frame.loc["P4", [PATIENTS[row] for row in data.rows.train[:2]]] = 21.0
    frame.to_csv(folder / "test_qm.csv")
    never = Proteomics(str(folder))
    assert never.dropped_proteins == ["P3"]
    assert "as no training rows have them: P3" in caplog.text
    rare = Proteomics(str(folder), min_present=0.2)
    assert rare.num_features == 12
    assert rare.dropped_proteins == ["P3", "P4"]
    assert "fewer than 20% of the training rows have them: P3, P4" in caplog.text
    x, _ = all_rows(rare)
    assert not x[:, [3, 4, 9, 10]].any()
    assert np.isfinite(x).all()
    assert x[:, [0, 1, 2, 5]].any(axis=0).all()


def test_without_mask(folder):
    data = Proteomics(str(folder), missing_mask=False)
    assert data.feature_names == data.protein_names == PROTEINS
    assert all_rows(data)[0].shape == (40, 6)


def test_fitted_numbers_travel_and_arguments_make_it_again(folder):
    first = Proteomics(str(folder), split_seed=1, min_present=0.7)
    second = Proteomics(**{**first.hparams, "split_seed": 2})
    assert first.fitted_state() != second.fitted_state()
    with pytest.warns(UserWarning, match="not trained on the training rows"):
        second.load_state_dict(first.state_dict())
    assert second.fitted_state() == first.fitted_state()
    assert second.dropped_proteins == first.dropped_proteins
    np.testing.assert_array_equal(all_rows(second)[0], all_rows(first)[0])
    with (
        pytest.warns(UserWarning, match="not trained on"),
        pytest.raises(InputError, match="the columns must be the same"),
    ):
        Proteomics(str(folder), missing_mask=False).load_state_dict(first.state_dict())


def test_join_is_by_name_and_reported(folder, caplog):
    patients = [*reversed(PATIENTS[3:]), "gone_1"]
    write_design(folder, patients)
    data = Proteomics(str(folder), scale="none")
    assert data.join.without_quantities == ("gone_1",)
    assert data.join.without_group == tuple(PATIENTS[:3])
    assert "37 samples have a group and quantities; 1 has a group and no quantities (gone_1); 3 have" in caplog.text
    assert data.sample_names == patients[:-1]
    x, y = all_rows(data)
    straight = Proteomics(str(folder), scale="none", limit_rows=10)
    assert straight.sample_names == patients[:10]
    matrix = pd.read_csv(folder / "test_qm.csv", index_col=0)
    seen = x[:, 6:].astype(bool)
    np.testing.assert_allclose(x[:, :6][seen], matrix[patients[:-1]].T.to_numpy()[seen], rtol=1e-6)
    np.testing.assert_array_equal(y, [number % 5 > 1 for number in range(37)])


def test_numbers_as_names_stay_text(folder, frame):
    numbers = [f"{number:03d}" for number in range(40)]
    frame.set_axis(numbers, axis=1).set_axis(["NA", *PROTEINS[1:]]).to_csv(folder / "test_qm.csv", index_label="id")
    write_design(folder, numbers)
    data = Proteomics(str(folder), positive="1")
    assert data.sample_names == numbers
    assert data.protein_names[0] == "NA"
    assert data.class_names == ["2", "1"]


def test_parquet_and_gzip_are_read_alike(folder, frame):
    frame.reset_index().to_parquet(folder / "matrix.parquet")
    frame.to_csv(folder / "matrix.tsv.gz", sep="\t")
    expected = all_rows(Proteomics(str(folder)))[0]
    for name in ("matrix.parquet", "matrix.tsv.gz"):
        data = Proteomics(str(folder), quantities=name)
        assert data.protein_names == PROTEINS
        np.testing.assert_allclose(all_rows(data)[0], expected, rtol=1e-5)


def test_one_sided_prefix_needs_enough_patients(folder):
    lines = (folder / "design_matrix.tsv").read_text().splitlines()[1:]
    assert Proteomics(str(folder)).batch_effect_suspects == {}
    patients = [line.split("\t")[0] for line in lines if line.endswith("\t2")]
    for number, found in ((3, False), (14, True)):
        names = {name: f"X_{name}" for name in patients[:number]}
        frame = pd.read_csv(folder / "test_qm.csv", index_col=0).rename(columns=names)
        other = folder / f"other{number}"
        other.mkdir()
        frame.to_csv(other / "test_qm.csv")
        renamed = [line.replace(name, names.get(name, name)) for line in lines for name in [line.split("\t")[0]]]
        (other / "design_matrix.tsv").write_text("\n".join(["sample\tgroup", *renamed]))
        suspects = Proteomics(str(other)).batch_effect_suspects
        assert suspects == ({"X": tuple(names.values())} if found else {})


def test_prediction_for_another_matrix(folder, frame, caplog):
    other = frame[PATIENTS[:4]].drop(index="P2").iloc[::-1]
    other.loc["Q9"] = 1.0
    other.to_csv(folder / "new.csv", index_label="Protein")
    data = Proteomics(str(folder), predict_path=str(folder / "new.csv"), scale="none", impute="zero")
    (x,) = data.predict_dataloader()
    expected = frame[PATIENTS[:4]].T.fillna(0).to_numpy(copy=True)
    expected[:, 2] = 0
    np.testing.assert_allclose(x[:, :6], expected, rtol=1e-6)
    assert not x[:, 8].any()
    assert "has 5 of 6 proteins; 1 count as missing (P2) and 1 others are not used" in caplog.text
    other.set_axis([f"Q{number}" for number in range(6)]).to_csv(folder / "new.csv")
    with pytest.raises(InputError, match="has none of the 6 proteins"):
        data.predict_dataloader()


def replaced(name, old, new):
    def change(folder):
        path = folder / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    return change


def cell(value):
    def change(folder):
        path = folder / "test_qm.csv"
        frame = pd.read_csv(path, index_col=0, dtype=str)
        frame.loc["P2", "A_4"] = value
        frame.to_csv(path)

    return change


BAD_FILES = {
    "no matrix": (lambda folder: (folder / "test_qm.csv").unlink(), "there is no file test_qm.csv in"),
    "no design": (
        lambda folder: (folder / "design_matrix.tsv").rename(folder / "design_matrx.tsv"),
        "design_matrix.tsv; did you mean design_matrx.tsv?",
    ),
    "text": (cell("high"), "'high' in row 3 ('P2'), column 'A_4' of"),
    "infinite": (cell("-inf"), "'-inf' in row 3 ('P2'), column 'A_4' of"),
    "patient twice in the matrix": (replaced("test_qm.csv", "B_3", "A_2"), "names more than one column 'A_2'"),
    "patient twice in the design": (
        replaced("design_matrix.tsv", "B_3\t", "A_2\t"),
        "design_matrix.tsv names 'A_2' in rows 3 and 4; each name may stand once",
    ),
    "protein twice": (replaced("test_qm.csv", "P5", "P1"), "test_qm.csv names 'P1' in rows 2 and 6"),
    "protein without a name": (replaced("test_qm.csv", "P5", ""), "test_qm.csv is empty in row 6"),
    "patient without a group": (replaced("design_matrix.tsv", "B_3\t2", "B_3\t"), "is empty for sample 'B_3'"),
    "row cut short": (
        lambda folder: (folder / "test_qm.csv").write_text((folder / "test_qm.csv").read_text().rpartition(",")[0]),
        "has 40 cells, but there are 41 columns",
    ),
    "third group": (replaced("design_matrix.tsv", "B_3\t2", "B_3\tx"), "holds 3 groups (1, 2, x), but two"),
    "no group column": (replaced("design_matrix.tsv", "group", "groups"), "target is 'group', which is no column"),
    "no common patient": (lambda folder: write_design(folder, ["x_1", "x_2"]), "none of the 2 samples of"),
    "target is a protein": (replaced("test_qm.csv", "P5", "group"), "which is also a protein of"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files(folder, name):
    change, message = BAD_FILES[name]
    change(folder)
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        Proteomics(str(folder)).setup()
    assert "\n" not in str(caught.value)


def test_names_need_no_quantities_and_nothing_is_read_twice(folder, monkeypatch):
    monkeypatch.setattr("axonlight.datamodules.omics.proteomics.read_quantities", lambda path: pytest.fail("was read"))
    data = Proteomics(str(folder))
    assert (data.num_features, data.num_classes, data.feature_names[-1]) == (12, 2, "P5=present")


def test_from_the_command_line(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    command = "--model ClassificationTask --model.network DenseNetwork --data Proteomics --trainer.accelerator cpu"
    options = [*command.split(), "--data.root", str(folder), "--data.impute", "median"]
    assert main(["fit", *options, "--trainer.max_epochs", "1"]) == 0
    assert "fit finished" in capsys.readouterr().out
    checkpoint = tmp_path / "runs" / "version_0" / "checkpoints" / "last.ckpt"
    stored = torch.load(checkpoint, weights_only=True)["Proteomics"]["fitted"]
    assert stored == Proteomics(str(folder), impute="median").fitted_state()
    assert main(["test", *options, "--ckpt_path", str(checkpoint)]) == 0
    assert "test finished" in capsys.readouterr().out


BAD_OPTIONS = {
    "positive": ({"positive": 3}, "positive is '3', which is no value of target 'group'; its values are 1, 2"),
    "impute": ({"impute": "mean"}, "impute is 'mean'; it must be 'minimum', 'median' or 'zero'"),
    "min_present": ({"min_present": 1.5}, "min_present is 1.5; it must be 0 to 1"),
    "scale": ({"scale": "robust"}, "scale is 'robust'"),
    "same column": ({"sample": 0, "target": 0}, "sample and target are both 'sample'"),
}


@pytest.mark.parametrize("name", BAD_OPTIONS)
def test_bad_options(folder, name):
    options, message = BAD_OPTIONS[name]
    with pytest.raises(InputError, match=re.escape(message)):
        Proteomics(str(folder), **options)
