"""The command runs, and its tables say what was found."""

import re
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
if not EXAMPLES.is_dir():
    pytest.skip("examples are not installed with the package", allow_module_level=True)
sys.path.insert(0, str(EXAMPLES))
import _importance_report as report  # noqa: E402
import calibrated_importance as example  # noqa: E402

sys.path.remove(str(EXAMPLES))


def cells(text):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]


def test_the_importance_of_the_proteomes_is_written(data_root, tmp_path):
    options = ["--draws", "2", "--seeds", "2", "--folds", "0", "--epochs", "1", "--parts", "importance"]
    example.main(["--data.root", str(data_root), "--output", str(tmp_path), *options])
    page = (tmp_path / "calibrated_importance.md").read_text()
    assert "10 networks: 2 seeds of the real hierarchy, of 2 draws and of 2 label shuffles" in page
    assert re.search(r"157 training rows; scores of the 40 test rows by integrated gradients; failed: none", page)
    tables = cells(page)
    sizes = {"features": "449", "level_4": "446", "level_3": "285", "level_2": "116", "level_1": "28"}
    counted = [row for row in tables if row[0] in ("DegreePreserving", "label shuffles") and len(row) == 8]
    assert [(row[1], row[2]) for row in counted] == list(sizes.items()) * 2
    # with two draws no p is below a third
    assert {row[3] for row in counted} == {"0"}
    assert {path.name for path in tmp_path.iterdir()} == {
        "calibrated_importance.csv",
        "calibrated_importance.md",
        "calibrated_importance_degreepreserving.png",
        "calibrated_importance_hub_bias.csv",
        "calibrated_importance_label_shuffles.png",
        "calibrated_importance_stability.csv",
    }


def test_tables_are_rows_of_markdown():
    assert cells(report.table(["a", "b"], [["1", "x|y"]])) == [["a", "b"], ["---", "---"], ["1", "x/y"]]
