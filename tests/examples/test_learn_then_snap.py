"""The example's tables: every step beside ReLU and the curve, from real runs on a small set."""

import sys
from pathlib import Path

import pandas as pd
import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
if not EXAMPLES.is_dir():
    pytest.skip("examples are not installed with the package", allow_module_level=True)
sys.path.insert(0, str(EXAMPLES))
import learn_then_snap as example  # noqa: E402

sys.path.remove(str(EXAMPLES))


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Breast cancer, which comes with scikit-learn, and a library that takes no seconds to build."""
    monkeypatch.setattr(example, "SETS", {"tumours": ("demo.yaml", "", {"data.val_fraction": 0.2})})
    snap = example.learn_then_snap
    library = ["x", "relu(x)", "tanh(x)", "x*sigmoid(x)"]
    monkeypatch.setattr(example, "learn_then_snap", lambda *given, **options: snap(*given, library=library, **options))


def test_runs_become_tables_and_are_not_repeated(tmp_path, monkeypatch, capsys):
    arguments = ["--output", str(tmp_path), "--sets", "tumours", "--seeds", "0", "1", "--epochs", "2"]
    arguments += ["--retrain-epochs", "1"]
    example.main(arguments)
    page = (tmp_path / "snapping.md").read_text()
    runs = pd.read_csv(tmp_path / "reproductions" / "learn_then_snap.csv")
    assert runs.step.tolist() == list(example.STEPS) * 2
    for step in example.STEPS:
        mean = runs[runs.step == step].test_auroc.mean()
        (line,) = [line for line in page.splitlines() if line.startswith(f"| {step} |")]
        assert f"{mean:.4f} ± " in line
    assert (tmp_path / "reproductions" / "learn_then_snap_tumours.png").stat().st_size > 5000
    monkeypatch.setattr(example, "run_seed", None)  # a finished run is not repeated
    example.main(arguments)
    assert (tmp_path / "snapping.md").read_text() == page


def test_every_set_names_a_config_and_its_settings():
    options = example.read_arguments(["--sets", "tumours", "--data.root", "anywhere"])
    config = example.config_of("tumours", "rational(init=silu)", 3, options, more_epochs=2)
    assert config["data"]["init_args"]["split_seed"] == config["seed_everything"] == 3
    assert config["model"]["init_args"]["network"]["init_args"]["activation"] == "rational(init=silu)"
