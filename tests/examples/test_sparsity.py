"""The study of sparsity: its trial is a valid study, and its tables say what was compared."""

import sys
from pathlib import Path

import pandas as pd
import pytest
from axonlight.comparison.analysis import analyze
from axonlight.comparison.design import read_study

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
if not EXAMPLES.is_dir():
    pytest.skip("examples are not installed with the package", allow_module_level=True)
sys.path.insert(0, str(EXAMPLES))
import sparsity as example  # noqa: E402

sys.path.remove(str(EXAMPLES))


def fields(name, quick=True):
    return read_study(f"studies/sparsity_{name}.yaml", example.settings_of(quick))


@pytest.mark.parametrize("name", example.SETS)
def test_studies_ask_what_is_promised(name):
    study = fields(name, quick=False)
    draws = {arm.name.split(" / ")[2]: arm.num_draws for arm in study.all_arms if arm.kind == "null"}
    assert len(draws) >= 5
    assert draws["permuted_inputs"] == draws["degree_preserving"] == 100
    assert (study.folds, study.repeats) == (5, 2)
    assert len(study.contrasts) == 2 * 3 * len(draws) + 2 * 2 * len(draws)


def test_tables_hold_every_comparison():
    study = fields("proteomics")
    runs = pd.DataFrame(
        {
            "arm": arm.name,
            "repeat": 0,
            "fold": fold,
            "seed": 0,
            "draw": draw if arm.kind == "null" else None,
            "key": f"{arm.name} {fold} {draw}",
            "state": "done",
            "auroc": 0.9 + 0.01 * fold - 0.1 * (arm.kind == "null") + 0.02 * draw,
            "accuracy": 0.8,
            "parameters": 7,
            "seconds": 1.0,
            "error": None,
        }
        for arm in study.all_arms
        for fold in range(2)
        for draw in range(max(1, arm.num_draws))
    )
    text = example.tables(analyze(study, runs))
    (arm,) = [line for line in text.splitlines() if line.startswith("| binn / tanh / real | ")]
    assert arm.startswith("| binn / tanh / real | 0.905 [")
    assert arm.endswith("| 0.800 [0.800, 0.800] | 7 |  | 2 |  |")
    (line,) = [line for line in text.splitlines() if "binn / tanh: real against permuted inputs | auroc" in line]
    assert "+0.090 [+0.090, +0.090]" in line
    assert "| better | 0.333 |" in line
    (gain,) = [
        line for line in text.splitlines() if "pnet: gain of ash over tanh, real against erdos_renyi | aur" in line
    ]
    assert "0.000" in gain
    assert "equivalent" in gain
