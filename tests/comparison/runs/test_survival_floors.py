"""Studies of survival: floors of the data's views, the usual metric, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from axonlight.baselines import survival_floors
from axonlight.comparison import Study
from axonlight.comparison.runs import execute
from axonlight.datamodules import TCGA
from axonlight.errors import InputError

PATIENTS = [f"TCGA-{number:02}" for number in range(80)]


@pytest.fixture
def base(tmp_path, monkeypatch):
    """Return a config of a cohort with a planted effect."""
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(1)
    rna = generator.normal(3, 2, (80, 4)).round(4)
    months = np.ceil(30 * generator.exponential(np.exp(-0.5 * (rna[:, 0] - 3)))) + 1
    pd.DataFrame(rna, index=PATIENTS, columns=list("ABCD")).to_csv(tmp_path / "blca_rna.csv")
    outcome = {"survival_months": months, "censorship": (generator.random(80) < 0.3).astype(int)}
    table = {"case_id": PATIENTS, "slide_id": PATIENTS, "age": generator.integers(40, 80, 80), **outcome}
    pd.DataFrame(table).to_csv(tmp_path / "blca_metadata.csv")
    network = {"class_path": "DenseNetwork", "init_args": {"hidden": [4]}}
    options = {"root": str(tmp_path), "task": "survival", "batch_size": 32, "val_fraction": 0.0}
    return {
        "model": {"class_path": "SurvivalTask", "init_args": {"network": network}},
        "data": {"class_path": "TCGA", "init_args": options},
        "trainer": {"max_epochs": 1, "accelerator": "cpu", "callbacks": [{"class_path": "SurvivalReport"}]},
    }


def study(base, **options):
    arms = {"discrete": {}, "cox": {"overrides": {"model.loss": "cox"}}}
    given = {"base": base, "arms": arms, "name": "survival", "folds": 3, "repeats": 1, **options}
    return Study(**given)


def test_floors_are_those_of_the_views(base):
    options = {**base["data"]["init_args"], "fold": 1, "num_folds": 3}
    config = {**base, "seed_everything": 4, "data": {"class_path": "TCGA", "init_args": options}}
    data = TCGA(**options)
    targets = [data.survival_targets(part).numpy() for part in ("train", "test")]
    expected = survival_floors(data.floor_views(), *targets, seed=4)
    for floor in ("constant", "rna", "clinical", "rank_average"):
        result = execute({"kind": "floor", "floor": floor, "config": config})
        assert result.metrics == pytest.approx(expected[floor], nan_ok=True)
        assert result.details == {"train_rows": len(data.rows.train), "test_rows": len(data.rows.test)}
    ridge = execute({"kind": "floor", "floor": "ridge", "config": config})
    assert ridge.metrics["c_index"] == pytest.approx(expected["rna"]["c_index"])  # the network sees expression alone


def test_a_study_of_losses(base, tmp_path):
    found = study(base, output=tmp_path / "study")
    assert tuple(found.fields.metrics) == ("c_index",)
    assert list(found.fields.floors) == ["constant", "ridge", "clinical", "rank_average"]
    with found.run(workers=0, progress=False) as ledger:
        assert set(ledger.states().values()) == {"done"}
        assert ledger.frame().set_index("arm").loc["constant", "c_index"].tolist() == [0.5] * 3
    text = found.report().markdown.read_text()
    assert "C-index" in text
    assert "rank average" in text


@pytest.mark.parametrize(
    ("floors", "message"),
    [
        (["random_forest"], "floors names 'random_forest', which SurvivalTask on these data does not have"),
        (["pathway_means"], "floors names 'pathway_means', which SurvivalTask on these data does not have"),
        (["clinicl"], "unknown floor 'clinicl'; did you mean 'clinical'"),
    ],
)
def test_floors_that_there_are_not(base, floors, message):
    with pytest.raises(InputError, match=message):
        _ = study(base, floors=floors).fields.metrics


def test_floors_of_survival_do_not_suit_classes():
    network = {"class_path": "DenseNetwork", "init_args": {"hidden": [4]}}
    base = {
        "model": {"class_path": "ClassificationTask", "init_args": {"network": network}},
        "data": "BreastCancer",
        "trainer": {"max_epochs": 1, "accelerator": "cpu"},
    }
    with pytest.raises(InputError, match="floors names 'clinical', which ClassificationTask on these data does not"):
        _ = study(base, arms={"a": {}, "b": {}}, floors=["clinical"]).fields.metrics
