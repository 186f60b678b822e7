"""InputAudit: the table that a fit ends with is that of the test rows; the command line takes its options."""

import numpy as np
import pandas as pd
import pytest
from axonlight.callbacks import InputAudit
from axonlight.callbacks.input_audit import column_groups
from axonlight.cli import main
from axonlight.errors import InputError
from axonlight.models import InContextTask

PATIENTS = [f"TCGA-{number:02}" for number in range(90)]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    generator = np.random.default_rng(0)
    rna = generator.normal(3, 2, (90, 6)).round(4)
    months = np.ceil(30 * generator.exponential(np.exp(-0.8 * (rna[:, 0] - 3)))) + 1
    pd.DataFrame(rna, index=PATIENTS, columns=[f"G{i}" for i in range(6)]).to_csv(tmp_path / "blca_rna.csv")
    metadata = {"case_id": PATIENTS, "slide_id": PATIENTS, "age": generator.integers(40, 80, 90), "is_female": 0}
    outcome = {"survival_months": months, "censorship": (generator.random(90) < 0.3).astype(int)}
    pd.DataFrame({**metadata, **outcome}).to_csv(tmp_path / "blca_metadata.csv")
    (tmp_path / "sets.csv").write_text("first,second\nG0,G2\nG1,G3\n,G4\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fit(folder, *more, network="DenseNetwork"):
    command = (
        f"fit --model SurvivalTask --model.network {network} --data TCGA --data.task survival --data.fold 1 "
        "--data.num_folds 3 --data.val_fraction 0 --data.stratify true --trainer.max_epochs 8 "
        "--trainer.callbacks SurvivalReport --trainer.callbacks+ InputAudit --trainer.accelerator cpu"
    )
    return main([*command.split(), "--data.root", str(folder), "--model.optimizer", "Adam",
                 "--model.optimizer.lr", "0.03", *more])  # fmt: skip


def test_what_a_fit_ends_with(folder, capsys):
    assert fit(folder, "--data.covariates", "[age]", "--trainer.callbacks.draws", "5") == 0
    text = capsys.readouterr().out
    run = folder / "runs" / "version_0"
    table = pd.read_csv(run / "audit.csv").set_index(["part", "probe"])
    model = pd.read_csv(run / "survival_scores.csv", index_col=0).loc["model", "c_index"]
    assert table["score_before"].to_numpy() == pytest.approx(np.full(len(table), model))
    assert table.loc[("nothing", "repeat"), "change"] == 0
    assert list(table.index) == [
        ("nothing", "repeat"),
        ("rna", "permute"),
        ("rna", "mean"),
        ("clinical", "permute"),
        ("clinical", "mean"),
        ("everything", "permute"),
    ]
    assert table.loc[("rna", "permute"), "high"] < 0  # what was planted is used
    assert (table["rows"].iloc[1:] == 30).all()
    (line,) = [line for line in text.splitlines() if line.startswith("  rna permuted ")]
    assert f" {table.loc[('rna', 'permute'), 'change']:+.3f} (" in line
    assert (run / "audit.png").stat().st_size > 5_000
    assert text.index("survival: C-index") < text.index("audit: C-index")


def test_the_test_verb_says_the_same(folder):
    assert fit(folder, "--trainer.callbacks.draws", "3") == 0
    options = ["--trainer.callbacks", "InputAudit", "--trainer.callbacks.draws", "3", "--trainer.accelerator", "cpu"]
    assert main(["test", "--ckpt_path", "last", *options]) == 0
    first, second = (pd.read_csv(folder / "runs" / f"version_{number}" / "audit.csv") for number in (0, 1))
    pd.testing.assert_frame_equal(first, second, atol=1e-5)


def test_pathways_are_knocked_out(folder, capsys):
    hierarchy = "{reader: signatures, path: sets.csv}"
    options = ["--data.hierarchy", hierarchy, "--data.batch_size", "30", "--trainer.callbacks.probes", "[permute]"]
    assert fit(folder, *options, "--trainer.callbacks.draws", "2", network="PathwayNetwork") == 0
    table = pd.read_csv(folder / "runs" / "version_0" / "audit.csv")
    assert table.loc[table["probe"] == "knock out", "part"].tolist() == ["first", "second"]
    assert "of 2 knock-outs at " in capsys.readouterr().out


def test_classes_are_audited_by_accuracy(folder, capsys):
    command = (
        "fit --model ClassificationTask --model.network DenseNetwork --data TCGA --data.task binary --data.months 20 "
        "--data.fold 1 --data.num_folds 3 --trainer.max_epochs 2 --trainer.callbacks InputAudit "
        "--trainer.accelerator cpu --trainer.callbacks InputAudit --trainer.callbacks.groups"
    )
    assert main([*command.split(), "{first: [G0], others: ['G?']}", "--data.root", str(folder)]) == 0
    assert "audit: accuracy " in capsys.readouterr().out
    table = pd.read_csv(folder / "runs" / "version_0" / "audit.csv")
    assert {"first", "others", "everything"} <= set(table["part"])


def test_groups_come_from_names_and_patterns():
    class Table:
        feature_names = ("a1", "a2", "b")

    assert column_groups(Table(), {"a": ["a*"], "b": ["b"]}) == {"a": [0, 1], "b": [2]}
    assert column_groups(Table(), None) is None
    with pytest.raises(InputError, match=r"groups\.c holds 'c\*', which is no feature; there are a1, a2, b"):
        column_groups(Table(), {"c": ["c*"]})


def test_refusals():
    with pytest.raises(InputError, match="draws is 0"):
        InputAudit(draws=0)
    with pytest.raises(InputError, match="no score for InContextTask"):
        InputAudit().setup(None, InContextTask.__new__(InContextTask), "fit")
