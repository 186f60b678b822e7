"""Patients with several modalities: the traps of the published files, who has what, and batches of it."""

import logging

import numpy as np
import pandas as pd
import pytest
import torch
from axonlight.datamodules import TCGA, MultimodalSurvival
from axonlight.datamodules.slides.writing import write_slide
from multimodal_files import GENES, PATIENTS, edit

COVARIATES = ["age", "is_female", "stage", "grade"]


def everybody(data):
    """Return what `predict` sees of each patient: encoded expression, patches, covariates, presence and target."""
    found = {}
    names = iter(data.sample_names)
    for inputs, target in data.predict_dataloader():
        bags = inputs.bags.tensor_split(inputs.pointers[1:-1].tolist())
        rows = zip(inputs.rna, bags, inputs.clinical, inputs.present, target, strict=True)
        found.update({next(names): tuple(part.numpy() for part in row) for row in rows})
    return found


# Counted from the files with plain Python: patients with RNA and outcome, and their events.
GOLDEN = {
    ("blca", "os"): (359, 156),
    ("blca", "dss"): (359, 113),
    ("blca", "pfi"): (359, 158),
    ("stad", "os"): (318, 120),
    ("stad", "dss"): (318, 84),
    ("stad", "pfi"): (318, 114),
}


@pytest.mark.parametrize(("cohort", "endpoint"), GOLDEN)
def test_published_cohorts_and_their_polarity(data_root, cohort, endpoint):
    """Censorship 1 is censored: the event column counts what happened."""
    data = MultimodalSurvival(str(data_root), cohort, endpoint)
    assert (len(data.members.table), int(data.members.table["event"].sum())) == GOLDEN[cohort, endpoint]
    assert data.num_features == 1577


def test_traps_of_the_published_files(data_root, caplog):
    with caplog.at_level(logging.INFO, "axonlight"):
        blca = MultimodalSurvival(str(data_root / "tcga"), "blca", covariates=COVARIATES)
        stad = MultimodalSurvival(str(data_root), "stad", covariates=COVARIATES, fold=0)
        stad.setup()
    # One row per slide: patients, not slides, are rows.
    assert len(set(blca.sample_names)) == len(blca.sample_names) == 359
    assert "blca: 25 patients have several slides (up to 9)" in caplog.text
    assert "stad: 24 patients have several slides (up to 2)" in caplog.text
    assert blca.members.left_out == {"without metadata": ("TCGA-C4-A0F6",)}
    assert stad.members.left_out["without rna"] == ("TCGA-CD-A487",)
    assert len(stad.members.left_out["without metadata"]) == 18
    assert "of its 319 samples are not in use: 1 without rna (TCGA-CD-A487)" in caplog.text
    assert "blca: the clinical table repeats TCGA-DK-A1A6 in equal rows" in caplog.text
    assert "blca: stage '0' means unknown; it is that of 2 (TCGA-FJ-A3Z9, TCGA-ZF-A9RM)" in caplog.text
    assert "stad: grade 'GX' means unknown; it is that of 9" in caplog.text
    assert set(stad.covariates.absent["age"]) == {"TCGA-HF-7132", "TCGA-HF-7133", "TCGA-HF-7134"}
    assert len(blca.covariates.absent["stage"]) == 27
    assert {"stage=unknown", "grade=unknown"} <= set(blca.clinical_names)
    assert not {"stage=0", "grade=GX"} & {*blca.clinical_names, *stad.clinical_names}
    train = [stad.sample_names[row] for row in stad.rows.train]
    ages = stad.members.table.loc[train, "age"].astype(float)
    mean, deviation = ages.fillna(ages.median()).mean(), ages.fillna(ages.median()).std(ddof=0)
    column = stad.clinical_names.index("age")
    for name in ("TCGA-HF-7132", "TCGA-HF-7133", "TCGA-HF-7134"):
        assert everybody(stad)[name][2][column] == pytest.approx((ages.median() - mean) / deviation, abs=1e-5)


@pytest.mark.parametrize(("cohort", "share"), [("blca", 0.072), ("stad", 0.048)])
def test_the_floor_of_expression(data_root, cohort, share):
    """log2 0.001, the value of what was not found, fills many entries; scaling leaves it finite and lowest."""
    data = MultimodalSurvival(str(data_root), cohort, fold=0)
    raw = pd.read_csv(data_root / "tcga" / f"{cohort}_rna.csv.gz", index_col=0)
    at_floor = np.isclose(raw.to_numpy(), np.log2(0.001), atol=1e-3)
    assert at_floor.mean() == pytest.approx(share, abs=0.0005)
    rna = np.stack([row[0] for row in everybody(data).values()])
    assert np.isfinite(rna).all()
    raw, at_floor = raw.loc[data.sample_names], pd.DataFrame(at_floor, raw.index, raw.columns).loc[data.sample_names]
    gene = int(at_floor.to_numpy().sum(axis=0).argmax())
    np.testing.assert_allclose(rna[at_floor.to_numpy()[:, gene], gene], rna[:, gene].min(), atol=1e-5)


def test_published_folds_are_those_of_the_survival_table(data_root):
    """The same patients train and test as in `TCGA`, with the same encoded numbers and targets."""
    table = TCGA(str(data_root), "stad", task="survival", fold=2, covariates=["age", "stage"])
    data = MultimodalSurvival(str(data_root), "stad", fold=2, covariates=["age", "stage"])
    for part in ("train", "validation", "test"):
        assert data.patient_names(part) == table.patient_names(part)
        assert torch.equal(data.survival_targets(part), table.survival_targets(part))
    inputs, target = next(iter(data.test_dataloader()))
    x, y = next(iter(table.test_dataloader()))
    torch.testing.assert_close(torch.cat([inputs.rna, inputs.clinical], dim=1), x[: len(target)])
    assert torch.equal(target, y[: len(target)])
    for name, (train, test) in data.floor_views().items():
        for mine, other in zip((train, test), table.floor_views()[name], strict=True):
            np.testing.assert_allclose(mine, other, atol=1e-6)


def test_values(folder):
    data = MultimodalSurvival(
        str(folder), slides=str(folder / "slides"), covariates=["age", "stage"], require=[], scale="none"
    )
    rna = pd.read_csv(folder / "blca_rna.csv", index_col=0)
    found = everybody(data)
    assert set(found) == set(PATIENTS)
    assert (data.num_features, data.feature_names) == (6, GENES)
    assert (data.num_patch_features, data.num_clinical) == (3, 4)
    assert data.clinical_names == ["age", "stage=II", "stage=III", "stage=unknown"]
    for number, name in enumerate(PATIENTS):
        values, bag, clinical, present, target = found[name]
        has_rna, slides = number % 7 != 3, [0, 1, 2, 1][number % 4]
        assert present.tolist() == [has_rna, slides > 0, True]
        np.testing.assert_allclose(values, rna.loc[name] if has_rna else 0, rtol=1e-6)
        expected = [[number, slide, patch] for slide in range(slides) for patch in range(4 + number % 3)]
        np.testing.assert_array_equal(bag, np.array(expected, dtype=np.float32).reshape(-1, 3))
        assert clinical.tolist() == [50 + number, number % 2 == 0, number % 2 == 1, 0]
        assert target.tolist() == [number + 1.5, number % 3 != 0]


def test_who_is_required(folder, caplog):
    slides = {"slides": str(folder / "slides")}
    some = MultimodalSurvival(str(folder), **slides)
    assert some.members.left_out == {"without rna": tuple(PATIENTS[3::7])}
    assert "blca: 11 patients lack slides (TCGA-00, TCGA-04" in caplog.text
    both = MultimodalSurvival(str(folder), **slides, require=["rna", "slides"])
    assert both.members.present[:, :2].all()
    assert both.members.left_out["without slides"] == tuple(PATIENTS[0::4])
    neither = MultimodalSurvival(str(folder), **slides, require=[])
    assert neither.members.left_out == {"without any modality": ("TCGA-24",)}  # no slides, no RNA, no covariates
    assert neither.sample_names[-1] == PATIENTS[45]  # those without expression come last
    assert len(neither.sample_names) == 47


def test_a_patient_without_any_covariate_lacks_the_clinical_modality(folder):
    def change(table):
        table.loc[5, ["age", "stage"]] = None
        table.loc[6, "age"] = None
        return table

    edit(folder, "clinical", change)
    data = MultimodalSurvival(str(folder), covariates=["age", "stage"])
    found = everybody(data)
    assert found["TCGA-05"][3].tolist() == [True, False, False]
    assert found["TCGA-05"][2].tolist() == [0] * 4
    assert found["TCGA-06"][3].tolist() == [True, False, True]
    assert found["TCGA-06"][2][1:].tolist() == [1, 0, 0]


def test_only_training_patients_are_fitted(folder):
    options = {"fold": 1, "covariates": ["age", "stage"], "require": [], "slides": str(folder / "slides")}
    data = MultimodalSurvival(str(folder), **options)
    before = data.state_dict()
    held_out = [*data.patient_names("validation"), *data.patient_names("test")]

    def rna(table):
        table.loc[table.index.isin(held_out)] = -500.0
        return table

    def age(table):
        table.loc[table["case_id"].isin(held_out), "age"] = 1e6
        return table

    edit(folder, "rna", rna)
    edit(folder, "clinical", age)
    again = MultimodalSurvival(str(folder), **options)
    assert again.state_dict() == before
    assert MultimodalSurvival(str(folder), **{**options, "fold": 2}).state_dict() != before
    assert MultimodalSurvival(**data.hparams).state_dict() == before


def test_patients_without_expression_do_not_move_the_scaler(folder):
    data = MultimodalSurvival(str(folder), fold=1, require=[], covariates=["age"])
    rna = pd.read_csv(folder / "blca_rna.csv", index_col=0)
    train = [name for name in data.patient_names("train") if name in rna.index]
    assert len(train) < len(data.rows.train)
    fitted = data.fitted_state()
    np.testing.assert_allclose(fitted["mean"][:6], rna.loc[train].mean(), rtol=1e-12)
    np.testing.assert_allclose(fitted["scale"][:6], rna.loc[train].std(ddof=0), rtol=1e-12)
    ages = [50.0 + PATIENTS.index(name) for name in data.patient_names("train")]
    assert fitted["mean"][6] == pytest.approx(np.mean(ages))


def test_folds_of_your_own_share_the_events(folder):
    tested, events = [], []
    for fold in range(4):
        data = MultimodalSurvival(str(folder), fold=fold, num_folds=4, val_fraction=0)
        tested += data.patient_names("test")
        events.append(int(data.survival_targets("test")[:, 1].sum()))
    assert sorted(tested) == sorted(data.sample_names)
    assert max(events) - min(events) <= 1
    data = MultimodalSurvival(str(folder), group="site", fold=0, num_folds=3, val_fraction=0)
    table = data.members.table
    assert not set(table.loc[data.patient_names("train"), "site"]) & set(table.loc[data.patient_names("test"), "site"])


@pytest.mark.parametrize("suffix", ["parquet", "tsv", "h5ad"])
def test_expression_in_other_formats(folder, suffix):
    rna, path = pd.read_csv(folder / "blca_rna.csv", index_col=0), folder / f"other.{suffix}"
    if suffix == "parquet":
        rna.to_parquet(path)
    elif suffix == "tsv":
        rna.to_csv(path, sep="\t")
    else:
        write_h5ad(path, rna)
    files = {"rna": path.name, "metadata": "blca_metadata.csv", "clinical": "blca_clinical.csv"}
    data = MultimodalSurvival(str(folder), **files, covariates=["stage"], splits="blca_splits", fold=0)
    expected = MultimodalSurvival(str(folder), covariates=["stage"], fold=0)
    assert data.patient_names("test") == expected.patient_names("test")
    for mine, other in zip(data.floor_views().values(), expected.floor_views().values(), strict=True):
        np.testing.assert_allclose(mine[0], other[0], rtol=1e-6)


def write_h5ad(path, frame):
    import h5py

    with h5py.File(path, "w") as file:
        file["X"] = frame.to_numpy()
        for group, names in (("obs", frame.index), ("var", frame.columns)):
            table = file.create_group(group)
            table.attrs.update({"_index": "_index", "column-order": np.array([], dtype="S1")})
            table["_index"] = np.array(list(names), dtype="S")


def test_patches_drawn_and_kept(folder):
    options = {"slides": str(folder / "slides"), "shuffle_seed": 1, "val_fraction": 0}
    data = MultimodalSurvival(str(folder), **options, max_patches=3, eval_max_patches=2, memory=0)
    loader = data.train_dataloader()
    first = torch.cat([inputs.bags for inputs, _ in loader])
    again = torch.cat([inputs.bags for inputs, _ in loader])
    loader.set_epoch(1)
    other = torch.cat([inputs.bags for inputs, _ in loader])
    assert torch.equal(first, again)
    assert first.shape == other.shape
    assert not torch.equal(first.sort(dim=0).values, other.sort(dim=0).values)
    sizes = torch.cat([inputs.pointers.diff() for inputs, _ in data.test_dataloader()])
    assert set(sizes.tolist()) <= {0, 2}
    assert sizes.max() == 2


@pytest.mark.parametrize("precision", ["float32", "float16", "stored"])
def test_cache_and_precision(folder, tmp_path, precision):
    options = {"slides": str(folder / "slides"), "precision": precision}
    plain = everybody(MultimodalSurvival(str(folder), **options))
    cached = everybody(MultimodalSurvival(str(folder), **options, cache=str(tmp_path / "cache")))
    for name, (_, bag, *_) in plain.items():
        np.testing.assert_array_equal(bag, cached[name][1])  # small whole numbers are exact in half precision
    stored = cached["TCGA-01"][1].dtype
    assert stored == {"float32": np.float32, "float16": np.float16, "stored": np.float16}[precision]


def test_slides_that_cannot_be_used_are_skipped_when_asked(folder, caplog):
    write_slide(folder / "slides" / "TCGA-01-DX0.h5", np.zeros((0, 3), np.float32))
    write_slide(folder / "slides" / "TCGA-02-DX0.h5", np.zeros((2, 9), np.float32))
    write_slide(folder / "slides" / "stranger.h5", np.zeros((2, 3), np.float32))
    options = {"bad_slides": "skip", "unknown_slides": "ignore"}
    data = MultimodalSurvival(str(folder), slides=str(folder / "slides"), **options)
    found = everybody(data)
    assert found["TCGA-01"][3].tolist() == [True, False, False]  # its only slide
    assert found["TCGA-02"][1][:, 1].tolist() == [1] * 6  # the other of two
    for patient in ("TCGA-01", "TCGA-02"):
        assert f"left out is slide '{patient}-DX0' of patient '{patient}'" in caplog.text
    assert "1 files are of no known patient (stranger.h5)" in caplog.text
