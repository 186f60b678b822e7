"""The simulation of verdicts: its learners are scikit-learn's, its verdicts the package's, their error is small."""

import csv
import sys
from pathlib import Path

import numpy as np
import pytest
from axonlight.comparison import compare_scores
from scipy import stats
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KNeighborsClassifier

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
if not EXAMPLES.is_dir():
    pytest.skip("examples are not installed with the package", allow_module_level=True)
sys.path.insert(0, str(EXAMPLES))
import _marked_tables as marked  # noqa: E402
import _overlapping_folds as simulation  # noqa: E402
import _verdict_shares as shares  # noqa: E402
import verdict_calibration as example  # noqa: E402

sys.path.remove(str(EXAMPLES))

DESIGN = simulation.Design(5, 2)


@pytest.fixture
def data():
    generator = np.random.default_rng(0)
    setting = simulation.Setting("ridge", 60, DESIGN)
    y = np.repeat([1.0, -1.0], 30)
    x = generator.normal(size=(3, 60, 8)) + 0.3 * y[:, None]
    return x, y, simulation.draw_folds(setting, 3, generator), generator


def test_folds_of_a_repeat_are_stratified_and_share_no_row(data):
    _, y, folds, _ = data
    for rows in folds.reshape(3 * 2, 5, 12):
        assert sorted(rows.ravel()) == list(range(60))
        assert (y[rows].sum(axis=1) == 0).all()
    assert not np.array_equal(np.sort(folds[0, 0]), np.sort(folds[0, 5]))
    assert not np.array_equal(np.sort(folds[0, 0]), np.sort(folds[1, 0]))


def expected_scores(x, y, folds, score):
    found = np.empty(folds.shape[:2])
    for dataset, split in np.ndindex(*found.shape):
        test = folds[dataset, split]
        train = np.setdiff1d(np.arange(len(y)), test)
        found[dataset, split] = score(x[dataset][train], y[train], x[dataset][test], y[test])
    return found


def centroid_score(x_train, y_train, x_test, y_test):
    return roc_auc_score(y_test, x_test @ (x_train[y_train > 0].mean(0) - x_train[y_train < 0].mean(0)))


def ridge_score(x_train, y_train, x_test, y_test):
    fitted = Ridge(alpha=simulation.PENALTY, fit_intercept=False).fit(x_train, y_train)
    return roc_auc_score(y_test, fitted.predict(x_test))


def neighbour_score(x_train, y_train, x_test, y_test):
    return KNeighborsClassifier(1).fit(x_train, y_train).score(x_test, y_test)


@pytest.mark.parametrize(
    ("learner", "score"),
    [("nearest centroid", centroid_score), ("ridge", ridge_score), ("nearest neighbour", neighbour_score)],
)
def test_learners_are_those_of_scikit_learn(data, learner, score):
    found = simulation.LEARNERS[learner](*data)
    np.testing.assert_allclose(found, expected_scores(*data[:3], score), atol=1e-12)


@pytest.mark.parametrize("learner", simulation.LEARNERS)
def test_neither_arm_is_better(learner):
    differences = simulation.simulate_differences(simulation.Setting(learner, 60, DESIGN), 400).mean(axis=1)
    assert abs(differences.mean()) < 3 * differences.std() / 20
    assert differences.std() > 0.01


@pytest.mark.parametrize("design", [DESIGN, simulation.Design(5, 5)], ids=str)
def test_verdicts_are_those_of_the_package(design):
    differences = simulation.simulate_differences(simulation.Setting("ridge", 200, design), 40)
    for shift, rope in ((0.0, 0.0), (0.06, 0.02), (-0.06, 0.02), (0.0, 0.12)):
        found = shares.verdicts(differences + shift, design.test_fraction, rope)
        expected = [
            compare_scores(row + shift, np.zeros(design.splits), test_fraction=0.2, rope=rope).verdict
            for row in differences
        ]
        assert found.tolist() == expected
        assert shares.verdict_shares(differences, 0.2, rope, shift)[expected[0]] > 0


@pytest.mark.parametrize("learner", ["nearest centroid", "ridge", "nearest neighbour"])
@pytest.mark.parametrize("design", [simulation.Design(5, 2), simulation.Design(5, 5)], ids=str)
def test_verdicts_keep_their_level_where_the_uncorrected_test_does_not(learner, design):
    found = shares.count_errors(
        simulation.simulate_differences(simulation.Setting(learner, 60, design), 400), design.test_fraction
    )
    # at most 5 %: more than this is seen with a probability of one in a thousand
    assert found.false <= stats.binom.isf(0.001, 400, 0.05)
    assert found.uncorrected > 0.15 * 400
    assert found.wilcoxon > 0.15 * 400
    assert found.signs > 0.15 * 400
    assert found.false_equivalent <= stats.binom.isf(0.001, 400, 0.05)


def test_ten_degrees_of_freedom_claim_less_than_n_less_one():
    design = simulation.Design(10, 10)
    differences = simulation.simulate_differences(simulation.Setting("nearest neighbour", 60, design), 400)
    found = shares.count_errors(differences, design.test_fraction)
    # the correction alone: a t-test whose error is enlarged by its published factor
    t = stats.ttest_1samp(differences, 0, axis=1).statistic / np.sqrt(1 + 100 / 9)
    assert found.with_n_1 == np.sum(np.abs(t) > stats.t.isf(0.025, 99))
    assert found.false == np.sum(np.abs(t) > stats.t.isf(0.025, 10)) < found.with_n_1
    assert found.false <= stats.binom.isf(0.001, 400, 0.05)
    assert found.false_equivalent <= found.false_equivalent_with_n_1
    short = shares.count_errors(differences[:, :10], design.test_fraction)
    assert short.false == short.with_n_1


def test_command_writes_tables_curves_and_figure(tmp_path, monkeypatch):
    monkeypatch.setattr(example, "DESIGNS", (DESIGN,))
    monkeypatch.setattr(example, "ROWS", (60,))
    monkeypatch.setattr(example, "POWER_ROWS", (60,))
    monkeypatch.setattr(example, "POWER_DESIGNS", (DESIGN,))
    page = tmp_path / "verdict_calibration.md"
    page.write_text("# Title\n")
    example.main(["--output", str(tmp_path), "--datasets", "30"])
    with (tmp_path / "verdict_calibration.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [line["learner"] for line in lines] == list(simulation.LEARNERS)
    with (tmp_path / "verdict_power.csv").open() as file:
        curve = list(csv.DictReader(file))
    assert len(curve) == len(example.SHIFTS)
    assert all(sum(float(line[verdict]) for verdict in shares.VERDICTS) == pytest.approx(1) for line in curve)
    first = (tmp_path / "verdict_calibration.svg").read_bytes()
    assert b"</svg>" in first
    text = page.read_text()
    assert text.startswith("# Title\n")
    assert "| ridge | 60 |" in text
    example.main(["--output", str(tmp_path), "--datasets", "30"])
    assert (tmp_path / "verdict_calibration.svg").read_bytes() == first


def test_page_has_a_place_for_the_tables():
    page = (EXAMPLES.parent / "docs" / "reproductions" / "verdict_calibration.md").read_text()
    assert [page.count(mark) for mark in marked.marks("simulation", "verdict_calibration")] == [1, 1]
