"""SurvivalReport: the figures that are printed are those of the test patients; floors see training rows alone."""

import numpy as np
import pandas as pd
import pytest
import torch
from axonlight.baselines import survival_floors
from axonlight.callbacks import SurvivalReport
from axonlight.cli import main
from axonlight.errors import InputError
from axonlight.metrics.survival import concordance_index
from axonlight.models import ClassificationTask, DenseNetwork

PATIENTS = [f"TCGA-{number:02}" for number in range(90)]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    generator = np.random.default_rng(0)
    rna = generator.normal(3, 2, (90, 6)).round(4)
    months = np.ceil(30 * generator.exponential(np.exp(-0.5 * (rna[:, 0] - 3)))) + 1
    pd.DataFrame(rna, index=PATIENTS, columns=[f"G{i}" for i in range(6)]).to_csv(tmp_path / "blca_rna.csv")
    metadata = {"case_id": PATIENTS, "slide_id": PATIENTS, "age": generator.integers(40, 80, 90), "is_female": 0}
    outcome = {"survival_months": months, "censorship": (generator.random(90) < 0.3).astype(int)}
    pd.DataFrame({**metadata, **outcome}).to_csv(tmp_path / "blca_metadata.csv")
    (tmp_path / "sets.csv").write_text("first,second\nG0,G2\nG1,G3\n,G4\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fit(folder, *more):
    command = (
        "fit --model SurvivalTask --model.network DenseNetwork --data TCGA --data.task survival --data.fold 1 "
        "--data.num_folds 3 --data.val_fraction 0 --data.stratify true --trainer.max_epochs 6 "
        "--trainer.callbacks SurvivalReport --trainer.accelerator cpu"
    )
    return main([*command.split(), "--data.root", str(folder), "--model.optimizer", "Adam",
                 "--model.optimizer.lr", "0.02", *more])  # fmt: skip


@pytest.mark.parametrize("loss", ["discrete", "cox"])
def test_what_a_fit_ends_with(folder, capsys, loss):
    hierarchy = "{reader: signatures, path: sets.csv}"
    assert fit(folder, "--model.loss", loss, "--data.hierarchy", hierarchy) == 0
    text = capsys.readouterr().out
    run = folder / "runs" / "version_0"
    patients, scores = pd.read_csv(run / "survival.csv"), pd.read_csv(run / "survival_scores.csv", index_col=0)
    assert (run / "survival.png").stat().st_size > 5_000
    assert scores.index.tolist() == ["model", "rna", "pathway_means", "clinical", "rank_average"]
    assert len(patients) == 30
    target = torch.tensor(patients[["time", "event"]].to_numpy())
    for name, row in scores.iterrows():
        risk = patients["risk" if name == "model" else f"risk_of_{name}"]
        assert row["c_index"] == pytest.approx(float(concordance_index(torch.tensor(risk), *target.T)))
        assert row["low"] < row["c_index"] < row["high"]
        if name != "model":
            assert row["model_lead"] == pytest.approx(scores.loc["model", "c_index"] - row["c_index"])
            assert f"floor {name:<13}  {row['c_index']:.3f}" in text
    assert f"survival: C-index {scores.loc['model', 'c_index']:.3f} (" in text
    assert f"on 30 test patients with {int(target[:, 1].sum())} events (last weights" in text
    assert scores.loc["rna", "c_index"] > 0.6  # a planted effect is found by the floor
    assert 0 < scores.loc["model", "integrated_brier_score"] < 0.4
    assert set(patients["group"]) == {"low risk", "high risk"}
    assert patients.groupby("group")["risk"].max()["low risk"] <= patients.groupby("group")["risk"].min()["high risk"]
    curves = patients.filter(like="survival_at_").to_numpy()
    assert curves.shape == (30, 4)
    assert (np.diff(curves, axis=1) <= 0).all()


def test_the_test_verb_says_the_same(folder, capsys):
    assert fit(folder) == 0
    first = pd.read_csv(folder / "runs" / "version_0" / "survival_scores.csv")
    capsys.readouterr()
    options = ["--trainer.callbacks", "SurvivalReport", "--trainer.accelerator", "cpu"]
    assert main(["test", "--ckpt_path", "last", *options]) == 0
    text = capsys.readouterr().out
    second = pd.read_csv(folder / "runs" / "version_1" / "survival_scores.csv")
    pd.testing.assert_frame_equal(first, second, rtol=1e-5)
    assert "(these weights; 95 % intervals over patients)" in text
    logged = next(line for line in text.splitlines() if "test/c_index" in line)
    assert float(logged.split()[-1]) == pytest.approx(first.loc[0, "c_index"], abs=1e-4)


def test_predictions_have_names(folder):
    assert fit(folder) == 0
    assert main(["predict", "--ckpt_path", "last", "--trainer.accelerator", "cpu"]) == 0
    table = pd.read_csv(folder / "runs" / "version_1" / "predictions.csv", index_col=0)
    assert table.columns[0] == "risk"
    assert all(name.startswith("survival_at_") for name in table.columns[1:])
    assert len(table) == 90


def test_floors_are_those_of_the_training_rows(folder):
    from axonlight.datamodules import TCGA

    assert fit(folder) == 0
    data = TCGA(str(folder), task="survival", fold=1, num_folds=3, val_fraction=0)
    expected = survival_floors(data.floor_views(), *(data.survival_targets(part).numpy() for part in ("train", "test")))
    scores = pd.read_csv(folder / "runs" / "version_0" / "survival_scores.csv", index_col=0)
    for name in ("rna", "clinical", "rank_average"):
        assert scores.loc[name, "c_index"] == pytest.approx(expected[name]["c_index"])
        assert scores.loc[name, "uno_c_index"] == pytest.approx(expected[name]["uno_c_index"])


def test_without_floors_and_without_test_rows(folder, capsys):
    assert fit(folder, "--trainer.callbacks.floors", "false") == 0
    assert "floor" not in capsys.readouterr().out
    none = ["--data.fold", "null", "--data.num_folds", "null", "--data.test_fraction", "0"]
    assert fit(folder, *none) == 0
    assert "no patient tests, so there is neither a C-index nor a floor" in capsys.readouterr().out


def test_test_patients_without_an_event_have_no_figures(folder, capsys, caplog):
    metadata = pd.read_csv(folder / "blca_metadata.csv", index_col=0)
    held_out = PATIENTS[::3]
    (folder / "blca_splits").mkdir()
    split = {"train": pd.Series([name for name in PATIENTS if name not in held_out]), "val": pd.Series(held_out)}
    pd.DataFrame(split).to_csv(folder / "blca_splits" / "splits_0.csv")
    metadata.loc[metadata["case_id"].isin(held_out), "censorship"] = 1
    metadata.to_csv(folder / "blca_metadata.csv")
    published = ["--data.num_folds", "null", "--data.fold", "0", "--data.stratify", "false"]
    assert fit(folder, *published, "--trainer.callbacks+", "InputAudit", "--trainer.callbacks.draws", "2") == 0
    text = capsys.readouterr().out
    assert "survival: the C-index is undefined on 30 test patients with 0 events: no two of them can" in text
    assert "audit: none, since the C-index of these 30 rows is undefined" in text
    assert "floor" not in text
    assert "nan" not in text.partition("survival:")[2].partition("fit finished")[0]
    assert caplog.text.count("is undefined (NaN)") == 1
    assert not (folder / "runs" / "version_0" / "audit.csv").exists()


def test_another_task_is_refused():
    task = ClassificationTask(DenseNetwork, in_features=3)
    with pytest.raises(InputError, match="SurvivalReport needs a SurvivalTask, not ClassificationTask"):
        SurvivalReport().setup(None, task, "fit")


@pytest.mark.parametrize("config", ["survival/blca_rna.yaml"])
def test_the_shipped_config(data_root, tmp_path, monkeypatch, capsys, config):
    monkeypatch.chdir(tmp_path)
    options = ["--data.root", str(data_root / "tcga"), "--trainer.max_epochs", "1", "--trainer.accelerator", "cpu"]
    assert main(["fit", "--config", config, *options]) == 0
    text = capsys.readouterr().out
    assert "on 70 test patients with 25 events" in text
    for floor in ("rna", "pathway_means", "clinical", "rank_average"):
        assert f"floor {floor}" in text
    assert "audit: C-index" in text


def test_the_shipped_config_of_simulated_slides(data_root, tmp_path, monkeypatch, capsys):
    """Few small slides and one step: it ends with C-index, floors and audit all the same."""
    monkeypatch.chdir(tmp_path)
    options = ["--data.root", str(data_root / "tcga"), "--data.slides", str(tmp_path / "slides")]
    small = ["--data.simulate.patches", "[3, 6]", "--data.simulate.num_features", "8", "--trainer.callbacks.draws", "1"]
    once = ["--trainer.max_epochs", "1", "--trainer.limit_train_batches", "1", "--trainer.accelerator", "cpu"]
    assert main(["fit", "--config", "survival/blca_simulated_slides.yaml", *options, *small, *once]) == 0
    text = capsys.readouterr().out
    assert "on 70 test patients with 25 events" in text
    for line in (
        "floor rank_average",
        "  slides permuted",
        "  clinical dropped",
        "  of 16 knock-outs at prototypes.kept",
    ):
        assert line in text
