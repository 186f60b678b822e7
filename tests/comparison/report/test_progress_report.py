"""The report of progress measures: learning times, their ratio, the files."""

import math

import numpy as np
import pandas as pd
import pytest
from axonlight.comparison.report import write_progress_report
from axonlight.comparison.report.progress import learning_time
from axonlight.errors import InputError
from scipy import stats

pytestmark = pytest.mark.xdist_group("comparison_report")  # its fixtures are made once

STEPS = (1, 10, 100, 1000)


def table(progress, clamped):
    """Losses that fall below 0.5 at the given places of STEPS; 4 is never."""
    rows = []
    for arm, place in {("free", "free"): 4, ("free", "stimulated"): progress, ("stimulated",) * 2: clamped}.items():
        for number, step in enumerate(STEPS):
            loss = 0.1 if number >= place else 0.9
            rows.append({"trained": arm[0], "measured": arm[1], "step": step, "samples": 8, "loss": loss})
    return pd.DataFrame(rows).sample(frac=1, random_state=0)


def test_learning_times():
    one = table(2, 1)
    assert learning_time(one, ("free", "stimulated"), "loss", 0.5) == 100
    assert learning_time(one, ("stimulated", "stimulated"), "loss", 0.5) == 10
    assert learning_time(one, ("free", "free"), "loss", 0.5) == math.inf
    assert math.isnan(learning_time(one, ("stimulated", "free"), "loss", 0.5))


def test_page_table_and_figure(tmp_path):
    paths = write_progress_report([table(2, 1), table(3, 1), table(2, 1)], tmp_path, learned_below=0.5, title="Match")
    text = paths.markdown.read_text()
    assert "| never stimulated | - | - | 0 of 3 |" in text
    assert "| stimulated at checkpoints alone (progress measure) | 100 | 100 to 1000 | 3 of 3 |" in text
    assert "| stimulated through training | 10 | 10 to 10 | 3 of 3 |" in text
    assert "light off" not in text
    logs = np.log([10, 100, 10])
    low, high = np.exp(stats.t.interval(0.95, 2, logs.mean(), stats.sem(logs)))
    assert f"{math.exp(logs.mean()):.2f} times as late" in text
    assert f"interval {low:.2f} to {high:.2f}), in the 3 of 3 seeds that have both times." in text
    page = paths.html.read_text()
    assert "<svg" in page
    assert "stimulated through training" in page
    assert "<script" not in page
    assert len(pd.read_csv(paths.table)) == 36
    assert paths.picture.stat().st_size > 10_000


def test_seeds_without_both_times_are_left_out(tmp_path):
    text = write_progress_report([table(4, 1)], tmp_path, learned_below=0.5).markdown.read_text()
    assert "No seed has both learning times." in text
    text = write_progress_report([table(4, 1), table(1, 0)], tmp_path, learned_below=0.5).markdown.read_text()
    assert "10.00 times as late as under stimulation throughout, in the 1 of 2 seeds that have both" in text


def test_a_measure_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="measure is 'accuracy'"):
        write_progress_report([table(2, 1)], tmp_path, measure="accuracy", learned_below=0.5)
    with pytest.raises(InputError, match="one table per seed"):
        write_progress_report([], tmp_path, learned_below=0.5)
