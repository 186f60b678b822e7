"""The shipped pathway configs on the real proteomes, and pathway networks in two processes."""

import csv
import sys
from pathlib import Path

import pytest
from axonlight.structures import Hierarchy

TESTS = str(Path(__file__).parents[1])
if TESTS not in sys.path:
    sys.path.append(TESTS)
import forked  # noqa: E402  (found beside conftest.py)

CONFIGS = ["proteomics", "proteomics_pnet", "proteomics_kpnn", "proteomics_visible"]


@pytest.mark.parametrize("name", CONFIGS)
def test_shipped_configs_run(axonlight, data_root, name):
    arguments = ["--data.root", data_root / "proteomics", "--trainer.max_epochs", "1"]
    run = axonlight("fit", "--config", f"pathways/{name}.yaml", *arguments)
    assert run.code == 0, run.err
    design = run.config["model"]["init_args"]["network"]["init_args"]["design"]
    assert name == ("proteomics" if design == "binn" else f"proteomics_{design}")
    rows = list(csv.DictReader((run.run_folder / "pathways.csv").open()))
    assert {row["layer"] for row in rows} >= {"level_4", "level_3", "level_2", "level_1"}
    stored = run.checkpoint()["hyper_parameters"]
    assert Hierarchy.from_dict(stored["hierarchy"]).sizes[0] == 449
    if design == "pnet":
        assert stored["class_weights"] == [1.33, 0.8]


def test_the_rows_of_a_config_can_be_predicted_from_the_checkpoint_alone(axonlight, data_root):
    arguments = ["--data.root", data_root / "proteomics", "--trainer.max_epochs", "1"]
    fitted = axonlight("fit", "--config", "pathways/proteomics_pnet.yaml", *arguments)
    run = axonlight("test", "--ckpt_path", "last")
    assert (fitted.code, run.code) == (0, 0), run.err
    run = axonlight("predict", "--ckpt_path", "last")
    rows = list(csv.DictReader((run.run_folder / "predictions.csv").open()))
    assert len(rows) == 197
    assert all(0 <= float(row["prediction"]) <= 1 for row in rows)


def test_options_of_the_network_on_the_command_line(axonlight, data_root):
    options = ["heads", "learned", "activation", "ash(z=0.5)", "activation_parameters", "node", "norm", "none"]
    network = [f"--model.network.{word}" if place % 2 == 0 else word for place, word in enumerate(options)]
    settings = ["--data.hierarchy.levels", "2", "--trainer.max_epochs", "1", "--data.root", data_root / "proteomics"]
    run = axonlight("fit", "--config", "pathways/proteomics.yaml", *network, *settings)
    assert run.code == 0, run.err
    state = run.checkpoint()["state_dict"]
    assert {name.split(".")[2] for name in state if name.startswith("network.layers.")} == {
        "features",
        "level_2",
        "level_1",
    }
    assert state["network.layers.level_1.activation.z"].shape == (28,)
    assert state["network.heads.mix"].shape == (3,)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--model.network.design", "bin"], "bin"),
        (["--model.network.heads", "all"], "all"),
        (["--model.network.prediction", "last"], "prediction is 'last', but heads='last'"),
        (["--model.network.dropout", "[0.1,0.2]"], "dropout lists 2 values for the 5 layers"),
        (["--model.network.covariates", "[age]"], "covariates names 'age'"),
        (["--model.class_weights", "[1.0]"], "class_weights is [1.0]"),
    ],
)
def test_wrong_options_end_in_one_sentence(axonlight, data_root, arguments, words):
    settings = ["--config", "pathways/proteomics.yaml", "--data.root", data_root / "proteomics"]
    run = axonlight("fit", *settings, *arguments)
    assert run.code == 2
    assert words in run.err.strip().splitlines()[-1]


SMALL = """
model:
  class_path: ClassificationTask
  init_args:
    network:
      class_path: PathwayNetwork
      init_args: {design: DESIGN, dropout: 0.0, norm: layer, covariates: [age], covariate_hidden: [3]}
    optimizer: {class_path: torch.optim.SGD, init_args: {lr: 0.1}}
data:
  class_path: TabularData
  init_args:
    path: table.csv
    target: label
    batch_size: 32
    hierarchy: {reader: edges, path: edges.csv}
trainer: {max_epochs: 3, accelerator: cpu}
"""


def write_small(folder, design):
    rows = [(i % 7 / 3, i % 5, i % 11 / 4, 20 + i % 40, int(i % 7 + i % 5 > 5)) for i in range(200)]
    lines = ["TP53=mutation,TP53=copies,ATM,age,label", *(",".join(map(str, row)) for row in rows)]
    (folder / "table.csv").write_text("\n".join(lines) + "\n")
    (folder / "edges.csv").write_text("parent,child\ncell,repair\ncell,death\nrepair,ATM\nrepair,TP53\ndeath,TP53\n")
    (folder / "small.yaml").write_text(SMALL.replace("DESIGN", design))


@pytest.mark.slow
@pytest.mark.parametrize("design", ["binn", "pnet"])
def test_two_processes_give_the_single_process_losses(axonlight, tmp_path, design):
    # layer norm and no dropout: batch statistics and masks belong to a process
    write_small(tmp_path, design)
    command = ["fit", "--config", "small.yaml", "--trainer.default_root_dir"]
    run = axonlight(*command, "runs1", "--trainer.devices", "1")
    assert run.code == 0, run.err
    both = [*command, "runs2", "--trainer.devices", "2", "--trainer.strategy", "ddp"]
    one, two = (
        dict(line.split()[:2] for line in out.splitlines() if line.startswith(("  val/", "  train/")))
        for out in (run.out, forked.run_ranks("axonlight", tmp_path, both))
    )
    assert {"val/loss", "train/loss"} <= one.keys()
    assert one.keys() == two.keys()
    for name, value in one.items():
        assert float(two[name]) == pytest.approx(float(value), abs=2e-4), name
