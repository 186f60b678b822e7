"""The study of ASH: valid studies, tables of what was compared, and how near ASH is to a Swish."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from axonlight.activations import ASH, build_activation, percentile_to_z
from axonlight.comparison.analysis import analyze
from axonlight.comparison.design import read_study

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
if not EXAMPLES.is_dir():
    pytest.skip("examples are not installed with the package", allow_module_level=True)
sys.path.insert(0, str(EXAMPLES))
import _ash_degeneration as degeneration  # noqa: E402
import _ash_tables as report  # noqa: E402
import ash as example  # noqa: E402

sys.path.remove(str(EXAMPLES))


def cells(text):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]


@pytest.mark.parametrize("name", example.SETS)
def test_studies_ask_what_is_promised(name):
    study = read_study(f"studies/ash_{name}.yaml")
    arms = {arm.name: dict(arm.overrides) for arm in study.all_arms if " / " in arm.name}
    norms, activations = (set(parts) for parts in zip(*(arm.split(" / ") for arm in arms), strict=True))
    assert norms == set(report.NORMS)
    assert activations >= {"ash", *report.CLAIMED, "only_z", "layer_act", "swish", "swish_bias", "silu", "relu"}
    assert study.folds * study.repeats == 10
    assert len(study.contrasts) == 3 * (len(activations) - 1)
    for percent in (10, 50, 90):
        spec = arms[f"batch / fixed_{percent}"]["model.network.activation"]
        fixed = build_activation(spec)
        assert float(fixed.z) == pytest.approx(percentile_to_z(percent), abs=1e-6)
        assert [name for name, _ in fixed.named_parameters()] == ["raw_alpha"]


def scored(study):
    """Make up runs: ASH has loss 0.5, each next arm 0.02 more, layer norm takes 0.1 away."""
    return pd.DataFrame(
        {"arm": arm.name, "repeat": 0, "fold": fold, "seed": 0, "draw": None, "key": f"{arm.name} {fold}"}
        | {"state": "done", "loss": 0.501 + behind(place, arm.name) + 0.002 * fold, "accuracy": 0.9}
        | {"parameters": 7, "seconds": 1.0, "error": None}
        for place, arm in enumerate(study.all_arms)
        for fold in range(2)
    )


def behind(place, arm):
    norm, _, activation = arm.partition(" / ")
    return (0.0 if activation == "ash" else 0.02 * (1 + place % 13)) - 0.1 * (norm == "layer")


def test_tables_hold_scores_comparisons_and_the_published_ablation():
    study = read_study("studies/ash_digits.yaml", example.settings_of(quick=True))
    text = report.tables(analyze(study, scored(study)))
    table = cells(text)
    (scores,) = [row for row in table if row[0] == "ash"]
    assert scores == ["ash", "0.502", "0.502", "0.402", "0.900", "0.900", "0.900", "7", ""]
    compared = [row for row in table if len(row) == 8 and row[1] in report.NORMS]
    assert len(compared) == 36
    # lower loss is better, so ASH is better by what others have more
    assert all(float(row[2].split()[0]) > 0 for row in compared)
    claimed = [row for row in table if row[0] in report.CLAIMED and row[1].startswith("+")]
    assert [(row[0], row[1]) for row in claimed] == [
        ("leaky", "+0.004"),
        ("fixed_50", "+0.020"),
        ("fixed_90", "+0.027"),
        ("fixed_10", "+0.040"),
    ]
    assert "- none: ash < " in text
    assert ["ridge", "0.900"] in table


@pytest.mark.parametrize(("units", "z", "alpha"), [(64, 0.0, 1.0), (256, 0.0, 1.0), (256, 1.0, 0.5), (256, -1.0, 2.0)])
def test_the_formula_of_the_distance_is_that_of_a_simulation(units, z, alpha):
    """ASH written out in NumPy on normal samples, against the Swish of the mean threshold."""
    x = np.random.default_rng(0).standard_normal((4_000, units))
    threshold = x.mean(1, keepdims=True) + z * x.std(1, keepdims=True)
    ash, swish = (x / (1 + np.exp(-2 * alpha * (x - level))) for level in (threshold, z))
    found = np.sqrt(((ash - swish) ** 2).mean() / (swish**2).mean())
    assert degeneration.distance_of_independent_units(units, z, alpha) == pytest.approx(found, rel=0.06)


def test_the_distance_is_measured_against_the_mean_threshold():
    x = torch.randn(50, 3, 4, dtype=torch.float64) + torch.linspace(-1, 1, 50, dtype=torch.float64)[:, None, None]
    gate = ASH(z=0.3, alpha=1.5)
    values = x.numpy()
    levels = values.mean((1, 2)) + 0.3 * np.sqrt(values.var((1, 2)) + 1e-5)
    outs = [values / (1 + np.exp(-3 * (values - level))) for level in (levels[:, None, None], levels.mean())]
    expected = np.sqrt(((outs[0] - outs[1]) ** 2).mean() / (outs[0] ** 2).mean())
    found = degeneration.distance_to_swish(gate, x)
    np.testing.assert_allclose(found, (levels.mean(), levels.std(), expected), rtol=1e-5)
    assert found[2] > 0.1


@pytest.mark.slow
def test_a_trial_writes_its_page(tmp_path, monkeypatch):
    """On few rows, with two of the activations."""

    def few(path, settings):
        study = read_study(path, [*settings, ("overrides.data.limit_rows", 300), ("workers", 0), ("floors", ["ridge"])])
        activations = {name: study.factors["activation"][name] for name in ("ash", "leaky")}
        return replace(study, factors={**study.factors, "activation": activations})

    monkeypatch.setattr(example, "read_study", few)
    monkeypatch.setattr(example, "MEASURED", 1)
    monkeypatch.setattr(report, "CLAIMED", {"leaky": 0.004})
    options = ["--output", str(tmp_path), "--runs", str(tmp_path / "runs"), "--sets", "digits", "--quick"]
    example.main(options)
    page = (tmp_path / "ash.md").read_text()
    measured = [row for row in cells(page) if len(row) == 9 and row[0] in report.NORMS]
    assert [row[:3] for row in measured] == [
        [norm, layer, units] for norm in report.NORMS for layer, units in (("1", "1024"), ("2", "512"))
    ]
    distances = {row[0]: float(row[7].split()[0]) for row in measured}
    assert distances["layer"] <= 0.1 < distances["batch"]
    assert "<!-- end of Handwritten digits, trial -->" in page
