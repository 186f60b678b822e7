"""TCGA cohorts with times and events: every trap of the published files, and who is refused by name."""

import gzip

import numpy as np
import pandas as pd
import pytest
import torch
from axonlight.datamodules import TCGA
from axonlight.errors import InputError
from axonlight.models import DenseNetwork, SurvivalTask

PATIENTS = [f"TCGA-{number:02}" for number in range(48)]


@pytest.fixture
def folder(tmp_path):
    generator = np.random.default_rng(0)
    number = np.arange(48)
    rna = pd.DataFrame(generator.normal(3, 2, (48, 6)).round(4), index=PATIENTS, columns=[f"G{i}" for i in range(6)])
    rna.iloc[::5, 2] = -9.9658
    metadata = pd.DataFrame(
        {
            "case_id": PATIENTS,
            "slide_id": [f"{name}-1.svs" for name in PATIENTS],
            "age": 50.0 + number,
            "survival_months": number + 0.5,
            "censorship": (number % 3 == 0).astype(int),
            "is_female": number % 2,
        }
    )
    metadata.loc[5, "age"] = np.nan
    stage = ["0", None, *["II", "III"] * 23]
    rna.to_csv(tmp_path / "blca_rna.csv.gz")
    pd.concat([metadata, metadata.iloc[[3, 3]].assign(slide_id="other.svs")]).to_csv(tmp_path / "blca_metadata.csv.gz")
    pd.DataFrame({"case_id": PATIENTS, "stage": stage, "grade": "GX"}).to_csv(tmp_path / "blca_clinical.csv")
    (tmp_path / "blca_splits").mkdir()
    for fold in range(4):
        val = PATIENTS[fold::4]
        train = [name for name in PATIENTS if name not in val] + ["TCGA-none"] * (fold == 0)
        table = pd.DataFrame({"train": pd.Series(train), "val": pd.Series(val)})
        table.to_csv(tmp_path / "blca_splits" / f"splits_{fold}.csv")
    (tmp_path / "sets.csv").write_text("first,second,again\nG0,G2,G0\nG1,G3,G1\n,G4,\n")
    return tmp_path


def edit(folder, what, change):
    path = next(folder.glob(f"blca_{what}.csv*"))
    table = pd.read_csv(path, index_col=0, dtype={"stage": str})
    change(table).to_csv(path)


def survival(folder, **options):
    return TCGA(str(folder), task="survival", **options)


# Counted from the files with plain Python: patients with RNA and outcome, their events.
GOLDEN = {
    ("blca", "os"): (359, 156),
    ("blca", "dss"): (359, 113),
    ("blca", "pfi"): (359, 158),
    ("stad", "os"): (318, 120),
    ("stad", "dss"): (318, 84),
    ("stad", "pfi"): (318, 114),
}


@pytest.mark.parametrize(("cohort", "endpoint"), GOLDEN)
def test_published_cohorts(data_root, cohort, endpoint):
    """Censored early or late, everybody counts; 1 in the file is censored, 1 in the target has happened."""
    data = TCGA(str(data_root), cohort, endpoint, task="survival")
    assert (len(data.labels), data.labels["event"].sum()) == GOLDEN[cohort, endpoint]
    suffix = "" if endpoint == "os" else f"_{endpoint}"
    table = pd.read_csv(data_root / "tcga" / f"{cohort}_metadata.csv.gz").drop_duplicates("case_id")
    table = table.set_index("case_id").loc[data.labels.index]
    np.testing.assert_array_equal(data.labels["event"], 1 - table[f"censorship{suffix}"])
    np.testing.assert_array_equal(data.labels["months"], table[f"survival_months{suffix}"])
    assert data.labels.index.is_unique  # one row per patient, however many slides
    assert (data.task, data.num_classes, data.class_names) == ("survival", 0, [])
    assert not [reason for reason in data.left_out if "censored" in reason]


def test_traps_of_the_published_files(data_root):
    stad = TCGA(str(data_root), "stad", task="survival", fold=0, val_fraction=0)
    listed = pd.read_csv(data_root / "tcga" / "stad_splits" / "splits_0.csv")
    assert "TCGA-CD-A487" in set(listed["train"]) | set(listed["val"])
    used = {*stad.patient_names("train"), *stad.patient_names("test")}
    assert stad.left_out["without expression"] == ("TCGA-CD-A487",)
    assert "TCGA-CD-A487" not in used
    assert len(stad.left_out["without metadata"]) == 18
    assert len(used) == 318
    # stages that are NaN or 0 and the three ages that are missing are filled; nobody is left out for them
    train, test = stad.floor_views()["clinical"]
    assert (len(train), len(test)) == (len(stad.rows.train), len(stad.rows.test))
    assert np.isfinite(train).all()
    assert np.isfinite(test).all()
    blca = TCGA(str(data_root), "blca", task="survival")
    assert blca.patients.index.is_unique  # the clinical table repeats TCGA-DK-A1A6, who has no expression
    assert blca.left_out["without metadata"] == ("TCGA-C4-A0F6",)


@pytest.mark.parametrize(("cohort", "share"), [("blca", 0.072), ("stad", 0.048)])
def test_the_rna_floor(data_root, cohort, share):
    """log2 0.001 stands for "not measured": it is a value like any other, and scaled with the others."""
    with gzip.open(data_root / "tcga" / f"{cohort}_rna.csv.gz") as file:
        raw = pd.read_csv(file, index_col=0).to_numpy()
    is_floor = np.isclose(raw, np.log2(0.001), atol=1e-3)
    assert is_floor.mean() == pytest.approx(share, abs=0.0005)
    assert raw.min() == pytest.approx(np.log2(0.001), abs=1e-3)
    data = TCGA(str(data_root), cohort, task="survival", fold=0)
    x = data.train_dataloader().tensors[0]
    assert torch.isfinite(x).all()
    assert x.mean(dim=0).abs().max() < 1e-3


def test_targets_of_the_parts(folder):
    data = survival(folder, fold=1, val_fraction=0.2)
    table = dict(zip(PATIENTS, zip(np.arange(48) + 0.5, np.arange(48) % 3 != 0, strict=True), strict=True))
    seen = []
    for part in ("train", "validation", "test"):
        names, target = data.patient_names(part), data.survival_targets(part)
        assert target.dtype == torch.float32
        assert [tuple(row) for row in target.tolist()] == [table[name] for name in names]
        seen += names
    assert sorted(seen) == PATIENTS
    assert data.patient_names("test") == PATIENTS[1::4]
    _, batch = next(iter(data.test_dataloader()))
    assert torch.equal(batch, data.survival_targets("test"))


def test_validation_has_its_share_of_events(folder):
    data = survival(folder, fold=0, val_fraction=0.25)
    assert data.survival_targets("validation")[:, 1].mean() == pytest.approx(2 / 3, abs=0.05)


def test_published_splits_in_a_cross_validation(folder):
    """A study gives num_folds; `splits: published` takes the files all the same."""
    alone = survival(folder, fold=2)
    study = survival(folder, fold=2, num_folds=4, splits="published")
    own = survival(folder, fold=2, num_folds=4)
    assert study.patient_names("test") == alone.patient_names("test") == PATIENTS[2::4]
    assert own.patient_names("test") != PATIENTS[2::4]
    assert TCGA(**study.hparams).patient_names("test") == PATIENTS[2::4]
    with pytest.raises(InputError, match=r"num_folds is 5, but .* holds 4 published splits"):
        survival(folder, fold=2, num_folds=5, splits="published")
    with pytest.raises(InputError, match="splits is 'publishd'"):
        survival(folder, splits="publishd")
    with pytest.raises(InputError, match="fold is not given"):
        survival(folder, splits="published")


def test_views_of_the_floors(folder):
    data = survival(folder, fold=0, val_fraction=0, hierarchy={"reader": "signatures", "path": "sets.csv"})
    views = data.floor_views()
    rna = pd.read_csv(folder / "blca_rna.csv.gz", index_col=0)
    for place, part in enumerate(("train", "test")):
        names = data.patient_names(part)
        means = views["pathway_means"][place]
        expected = [rna.loc[names, genes].mean(axis=1) for genes in (["G0", "G1"], ["G0", "G1"], ["G2", "G3", "G4"])]
        # measured values, not scaled ones; in the hierarchy's order
        np.testing.assert_allclose(np.sort(means, axis=1), np.sort(np.stack(expected, axis=1), axis=1), atol=1e-4)
        assert views["rna"][place].shape == (len(names), 6)
    clinical = np.concatenate(views["clinical"])
    assert clinical.shape == (48, 5)  # age, is_female, stage II, III, unknown
    assert np.isfinite(clinical).all()
    assert clinical[:, 2:].sum(axis=1).tolist() == [1] * 48
    assert clinical[:, 4].sum() == 2  # stage 0 and no stage
    assert set(survival(folder, floor_covariates=[], fold=0).floor_views()) == {"rna"}
    with pytest.raises(InputError, match="covariates lists 'months', which is the outcome"):
        survival(folder, floor_covariates=["months"])


def test_held_out_patients_change_nothing_that_is_fitted(folder):
    options = {"fold": 1, "val_fraction": 0.2, "hierarchy": {"reader": "signatures", "path": "sets.csv"}}

    def found():
        data = survival(folder, **options)
        task = SurvivalTask(DenseNetwork, data.num_features)
        task.use_data(data)
        views = {name: view[0].tolist() for name, view in data.floor_views().items()}
        return data.fitted_state(), task.bin_ends.tolist(), views, [*data.patient_names("validation"), *PATIENTS[1::4]]

    before = found()

    def later(table):
        rows = table["case_id"].isin(before[3])
        table.loc[rows, "survival_months"] *= 40
        table.loc[rows, "age"] = 1e6
        return table

    def wild(table):
        table.loc[before[3]] = 500.0
        return table

    edit(folder, "metadata", later)
    edit(folder, "rna", wild)
    assert found() == before


def set_months(row, value):
    def change(table):
        name = table["case_id"].iloc[row]
        table.loc[table["case_id"] == name, "survival_months"] = value
        return table

    return change


def test_bad_outcomes_are_refused_by_name(folder):
    edit(folder, "metadata", set_months(7, 0.0))
    with pytest.raises(InputError, match=r"1 patient of .*metadata.* has a time that is not positive \(TCGA-07\)"):
        survival(folder)
    TCGA(str(folder))  # no class depends on it
    edit(folder, "metadata", set_months(7, -2.0))
    with pytest.raises(InputError, match=r"'TCGA-07' in .* is -2.*, which is negative"):
        survival(folder)
    edit(folder, "metadata", lambda table: set_months(7, 3.0)(table).assign(censorship=1))
    with pytest.raises(InputError, match=r"all 48 patients of .* are censored \(TCGA-00, .*and 43 more\)"):
        survival(folder)


def test_slides_that_disagree_are_refused_by_name(folder):
    def disagree(table):
        table.iloc[-1, table.columns.get_loc("censorship")] = 1 - table["censorship"].iloc[3]
        return table

    edit(folder, "metadata", disagree)
    with pytest.raises(InputError, match=r"gives patient 'TCGA-03' 2 values of 'censorship'"):
        survival(folder)


def test_training_rows_without_an_event(folder):
    edit(
        folder, "metadata", lambda table: table.assign(censorship=(~table["case_id"].isin(PATIENTS[1::4])).astype(int))
    )
    with pytest.raises(InputError, match=r"all 36 training rows of .* are censored"):
        survival(folder, fold=1, val_fraction=0).setup()
    survival(folder, fold=0, val_fraction=0).setup()  # here those who test are censored: undefined, not refused


def test_other_refusals(folder):
    with pytest.raises(InputError, match=r"task is 'regression'; it must be 'binary' or 'survival'"):
        TCGA(str(folder), task="regression")
    with pytest.raises(InputError, match=r"task is 'binary'; set data.task to 'survival'"):
        TCGA(str(folder)).survival_targets("train")
    with pytest.raises(InputError, match=r"task is 'binary'; set data.task to 'survival'"):
        TCGA(str(folder)).floor_views()
