"""Several modalities through the command line: who lacks one, covariates, subsets, bad files."""

import pandas as pd
from axonlight.cli import main
from multimodal_files import edit

CONFIG = """
seed_everything: 0
model:
  class_path: SurvivalTask
  init_args:
    num_bins: 3
    network:
      class_path: ProtoPathway
      init_args: {width: 8, num_prototypes: 3, gene_heads: 2, fusion_width: 8, missing: learned, modality_dropout: 0.3}
data:
  class_path: MultimodalSurvival
  init_args:
    require: []
    covariates: [age, stage]
    fold: 0
    val_fraction: 0.0
    batch_size: 16
    hierarchy: {reader: signatures, path: sets.csv}
trainer:
  max_epochs: 1
  accelerator: cpu
  callbacks:
    - class_path: KMeansPrototypes
    - class_path: InputAudit
      init_args: {draws: 2, probes: [drop]}
"""


def fit(folder, monkeypatch, *more):
    run = folder / "run"
    run.mkdir()
    monkeypatch.chdir(run)
    (folder / "sets.csv").write_text("REPAIR,DEATH\nG0,G3\nG1,G4\nG2,G5\n")
    (folder / "config.yaml").write_text(CONFIG)
    options = ["--data.root", str(folder), "--data.slides", str(folder / "slides")]
    return main(["fit", "--config", str(folder / "config.yaml"), *options, *more])


def test_patients_may_lack_any_modality(folder, monkeypatch):
    """Every subset that occurs trains and is scored; the audit takes each modality from those who have another."""
    assert fit(folder, monkeypatch) == 0
    table = pd.read_csv(folder / "run" / "runs" / "version_0" / "audit.csv")
    dropped = table[table["probe"] == "drop"].set_index("part")["rows"]
    held_out = range(0, 48, 4)  # none of them has slides
    assert dropped.to_dict() == {
        "rna": sum(n % 7 != 3 for n in held_out),
        "clinical": sum(n % 7 != 3 for n in held_out),
    }
    hyperparameters = (folder / "run" / "runs" / "version_0" / "config.yaml").read_text()
    assert "- stage" in hyperparameters


def test_a_subset_may_be_scored_alone(folder, monkeypatch):
    """The slides of a fold whose patients have some, without covariates: two modalities, then one."""
    assert fit(folder, monkeypatch, "--data.fold", "1", "--data.covariates", "null") == 0
    table = pd.read_csv(folder / "run" / "runs" / "version_0" / "audit.csv")
    with_both = sum(n % 7 != 3 for n in range(1, 48, 4))
    assert table[table["probe"] == "drop"].set_index("part")["rows"].to_dict() == {
        "rna": with_both,
        "slides": with_both,
    }


def test_bad_files_leave_nothing_behind(folder, monkeypatch, capsys):
    edit(folder, "metadata", lambda table: table.assign(survival_months=table["survival_months"].where(
        table["case_id"] != "TCGA-05", -1.0)))  # fmt: skip
    assert fit(folder, monkeypatch) == 2
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("axonlight: error")]
    assert len(said) == 1
    assert "'survival_months' of patient 'TCGA-05' in" in said[0]
    assert not list((folder / "run").iterdir())
