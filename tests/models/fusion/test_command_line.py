"""Fusion networks from configs and flags, on data in the real formats."""

import pytest
import torch
from axonlight.training.command_line import AxonlightCLI
from lightning.pytorch import seed_everything

PATIENTS = [f"TCGA-{number:02}" for number in range(16)]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Sixteen patients: expression of four genes, two covariates, slides of twelve of them."""
    monkeypatch.setenv("JSONARGPARSE_DEPRECATION_WARNINGS", "off")
    values = torch.Generator().manual_seed(0)
    rna = [f"{name}," + ",".join(f"{x:.3f}" for x in torch.randn(4, generator=values)) for name in PATIENTS]
    (tmp_path / "blca_rna.csv").write_text("\n".join([",TP53,BAX,ATM,MYC", *rna]))
    rows = [f"{name},{3 * number + 2}.0,{int(number % 3 == 0)},{50 + number}" for number, name in enumerate(PATIENTS)]
    header = "case_id,survival_months,censorship,age"
    (tmp_path / "blca_metadata.csv").write_text("\n".join([header, *rows]))
    (tmp_path / "sets.csv").write_text("death,repair\nTP53,ATM\nBAX,TP53\n")
    (tmp_path / "slides").mkdir()
    for name in PATIENTS[:12]:
        torch.save(torch.randn(9, 5, generator=values), tmp_path / "slides" / f"{name}-DX1.pt")
    return tmp_path


def fit(folder, network, *flags):
    data = {
        "cohort": "blca", "root": str(folder), "slides": str(folder / "slides"), "covariates": ["age"],
        "val_fraction": 0.0, "test_fraction": 0.25, "batch_size": 4,
        "hierarchy": {"reader": "signatures", "path": str(folder / "sets.csv")},
    }  # fmt: skip
    arguments = ["fit", "--model", "SurvivalTask", "--model.network", network, "--model.num_bins", "2"]
    arguments += ["--data", "MultimodalSurvival"]
    for key, value in data.items():
        arguments.append(f"--data.{key}={value}")
    arguments += ["--trainer.max_epochs=1", f"--trainer.default_root_dir={folder / 'runs'}"]
    seed_everything(0, verbose=False)
    cli = AxonlightCLI([*arguments, *flags])
    cli.execute()
    return cli


def test_protopathway_takes_sizes_from_the_data_and_is_built_again_from_its_checkpoint(folder):
    flags = ["--model.network.fusion=gated", "--model.network.missing=learned", "--model.network.modality_dropout=0.2"]
    flags += ["--model.network.width=8", "--model.network.activation=ash", "--model.network.assignment=student_t"]
    cli = fit(folder, "ProtoPathway", *flags)
    network = cli.model.network
    assert (network.patch_features, network.clinical_features, network.in_features) == (5, 1, 4)
    assert network.graph.pathways == ("death", "repair")
    assert type(network.head.activation).__name__ == "ASH"
    checkpoint = next((folder / "runs").rglob("*.ckpt"))
    again = type(cli.model).load_from_checkpoint(checkpoint, weights_only=True)
    inputs, _ = next(iter(cli.datamodule.test_dataloader()))
    torch.testing.assert_close(again.eval()(inputs), cli.model.eval()(inputs))


@pytest.mark.parametrize(
    ("network", "flags"),
    [
        ("ABMIL", ["--model.network.activation=gelu"]),
        ("GeneNetwork", ["--model.network.kind=snn", "--model.network.hidden=[8, 4]"]),
        ("SurvPathLike", ["--model.network.width=8", "--model.network.set_hidden=4", "--model.loss=cox"]),
        ("MCATLike", ["--model.network.width=8", "--model.network.set_hidden=4"]),
        ("MMPLike", ["--model.network.width=8", "--model.network.set_hidden=4", "--model.network.identity_width=2"]),
    ],
)
def test_baselines_train_from_flags(network, flags, folder):
    cli = fit(folder, network, *flags)
    assert type(cli.model.network).__name__ == network
    inputs, _ = next(iter(cli.datamodule.test_dataloader()))
    assert cli.model.eval()(inputs).isfinite().all()


def test_penalties_of_prototypes_are_part_of_the_loss(folder):
    losses = []
    for weight in (0.0, 50.0):
        flags = [f"--model.network.diversity={weight}", "--model.network.width=8", "--trainer.logger=false"]
        losses.append(fit(folder, "ProtoPathway", *flags).trainer.callback_metrics["train/loss"].item())
    assert losses[1] > losses[0] + 0.1
