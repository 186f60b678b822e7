"""The headline attempt: parameters counted, searches that see no test row, verdicts by the written rule."""

import sys
from argparse import Namespace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from axonlight.comparison.runs.build import build_run
from axonlight.discovery import SearchSettings
from axonlight.discovery.stages import prepare_base
from axonlight.models import DenseNetwork
from scipy import stats

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
if not EXAMPLES.is_dir():
    pytest.skip("examples are not installed with the package", allow_module_level=True)
sys.path.insert(0, str(EXAMPLES))
import _headline_report as report  # noqa: E402
import headline as example  # noqa: E402

sys.path.remove(str(EXAMPLES))

PAGE = EXAMPLES.parent / "docs/reproductions/neuro_symbolic.md"
FORMULA = "cos(x) - cos(cos(x))"
FOUND = {"staged": FORMULA, "full": "sin(x)"}


def cells(text):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]


def network(arm):
    known = example.ARMS[arm]
    options = {"norm": "batch", "dropout": 0.3, "activation_parameters": known.per}
    return DenseNetwork(54, 1, hidden=list(known.hidden), activation=example.spec_on(arm, FOUND), **options)


def by_hand(first, second, own):
    """Count weights, biases, scales and shifts of the norms, and what the activations have."""
    return 54 * first + first * second + second + (first + second + 1) + 2 * (first + second) + own


@pytest.mark.parametrize("arm", example.ARMS)
def test_no_light_network_has_more_parameters_than_allowed(arm):
    own = {"ash": 4, "ash, per unit": 2 * 93, "found, a constant per unit": 94}.get(arm, 0)
    count = sum(parameter.numel() for parameter in network(arm).parameters())
    assert count == by_hand(*example.ARMS[arm].hidden, own)
    assert count == 31_801 if arm == "heavy" else count <= example.ALLOWED


def test_the_page_counts_as_the_code_does():
    (table,) = [part for part in PAGE.read_text().split("\n\n") if "| arm | widths |" in part]
    rows = [row for row in cells(table.replace("\n  |", "\n|").strip()) if "`" in row[0]]
    assert len(rows) == 5
    for row in rows:
        arm = row[0].split("`")[1]
        assert row[1] == ", ".join(map(str, example.ARMS[arm].hidden))
        assert int(row[2].replace(",", "")) == sum(parameter.numel() for parameter in network(arm).parameters())


def test_a_search_divides_the_training_rows_of_its_split_alone(data_root):
    options = Namespace(root=str(data_root / "tabular"), trial_rows=1_000)
    assert "proxies" in example.search_settings(43, "staged", options)["stages"]
    searched = prepare_base(SearchSettings.from_mapping(example.search_settings(43, "full", options))).data.rows
    trained = build_run(example.recipe_of("found", FOUND, 43, 15, options)).data.rows
    assert sorted([*searched.train, *searched.validation]) == sorted(trained.train)
    assert sorted(searched.test) == sorted(trained.test)
    assert len(trained.test) == 200
    assert not len(trained.validation)


def made_up():
    generator = np.random.default_rng(0)
    means = {"heavy": 0.87, "relu": 0.83, "found": 0.872}
    return pd.DataFrame(
        {"rows": "all", "epochs": 15, "seed": seed, "torch": "2", "arm": arm, "spec": arm, "parameters": 7}
        | {metric: mean + generator.normal(0, 0.002) for metric in report.METRICS}
        for arm, mean in means.items()
        for seed in range(10)
    )


def test_verdicts_are_paired_corrected_and_adjusted():
    rows = made_up()
    found = report.verdicts(rows, list(range(10)), ["heavy", "relu", "found"], "auroc")
    assert {arm: one.verdict for arm, one in found.items()} == {"relu": "worse", "found": "equivalent"}
    wide = rows.pivot(index="seed", columns="arm", values="auroc")
    difference = (wide["relu"] - wide["heavy"]).to_numpy()
    error = np.sqrt((1 / 10 + 0.2 / 0.8) * difference.var(ddof=1))  # Nadeau and Bengio
    half = stats.t.ppf(0.975, 9) * error
    assert found["relu"].interval == pytest.approx((difference.mean() - half, difference.mean() + half), abs=1e-9)
    assert found["relu"].adjustment == "holm"
    assert found["relu"].family == 2


def test_the_table_has_every_network_and_the_formulas():
    text = report.report(
        made_up(), {seed: {"full": FORMULA if seed else "sin(x)"} for seed in range(10)}, ["heavy", "relu"], "go"
    )
    rows = {row[0]: row for row in cells(text)} | {row[1]: row for row in cells(text)}
    assert rows["relu"][3].endswith("worse")
    assert rows["heavy"][3] == ""
    assert rows[f"`{FORMULA}`"][3] == "1, 2, 3, 4, 5, 6, 7, 8, 9"


@pytest.mark.slow
def test_a_trial_writes_its_block_and_repeats_nothing(tmp_path, data_root, monkeypatch):
    resolvers = {}

    def resolver(bases, common):  # of a split and a network there is one; every arm would read its config anew
        key = repr((bases, sorted(common.items())))
        if key not in resolvers:
            resolvers[key] = original(bases, common)
        return resolvers[key]

    original = example.ConfigResolver
    monkeypatch.setattr(example, "ConfigResolver", resolver)
    options = ["--data.root", str(data_root / "tabular"), "--output", str(tmp_path), "--runs", str(tmp_path / "runs")]
    options += ["--seeds", "1", "2", "--epochs", "1", "--trial-rows", "600"]
    example.main(options)
    runs = (tmp_path / "headline.csv").read_text()
    assert runs.count("\n") == 1 + 2 * (len(example.ARMS) + 1)
    example.main(options)
    assert (tmp_path / "headline.csv").read_text() == runs
    assert "<!-- end of headline, 1 epochs, trial -->" in (tmp_path / "neuro_symbolic.md").read_text()
