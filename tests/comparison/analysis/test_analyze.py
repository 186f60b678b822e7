"""Hand-made ledgers whose right answer is known."""

import math

import numpy as np
import pandas as pd
import pytest
from axonlight.comparison import compare_scores
from axonlight.comparison.analysis import analyze
from axonlight.comparison.design.fields import StudyFields
from axonlight.errors import InputError
from scipy import stats

ARMS = {"real": {}, "shuffled": {"null": "DegreePreserving", "draws": 4}}
FOLDS, REPEATS = 3, 2
SPLITS = [(repeat, fold) for repeat in range(REPEATS) for fold in range(FOLDS)]


def study_of(arms=ARMS, **fields):
    return StudyFields(
        **{"base": "demo.yaml", "arms": arms, "floors": [], "folds": FOLDS, "repeats": REPEATS, "metrics": ["auroc"]}
        | fields
    )


def frame_of(scores, metric="auroc", **columns):
    """Rows from (S, K, D) scores per arm; None where an arm has no draws."""
    rows = []
    for arm, (cube, drawn) in scores.items():
        for split, (repeat, fold) in enumerate(SPLITS):
            for seed in range(cube.shape[1]):
                for draw in range(cube.shape[2]):
                    number = draw if drawn else None
                    cell = {"arm": arm, "repeat": repeat, "fold": fold, "seed": seed, "draw": number}
                    key = f"{arm}/{repeat}/{fold}/{seed}/{number}"
                    rows.append({**cell, "key": key, "state": "done", metric: cube[split, seed, draw], **columns})
    frame = pd.DataFrame(rows).sample(frac=1, random_state=0)  # the order of rows must not matter
    frame["draw"] = frame["draw"].astype("Int64")
    return frame


def noise(*shape, seed=0, size=0.02):
    return size * np.random.default_rng(seed).standard_normal(shape)


@pytest.fixture
def cubes():
    return {"real": (0.9 + noise(6, 2, 1), False), "shuffled": (0.8 + noise(6, 2, 4, seed=1), True)}


def test_difference_interval_and_p_are_those_of_the_split_means(cubes):
    found = analyze(study_of(), frame_of(cubes)).comparisons[0]
    real, null = (cube.mean(axis=(1, 2)) for cube, _ in cubes.values())
    differences = real - null
    error = math.sqrt((1 / 6 + 1 / 2) * differences.var(ddof=1))  # test rows / training rows = 1/2 with three folds
    half = stats.t.ppf(0.975, 5) * error
    assert found.comparison.difference == pytest.approx(differences.mean(), abs=1e-12)
    assert found.comparison.interval == pytest.approx((differences.mean() - half, differences.mean() + half), abs=1e-12)
    assert found.comparison.p_corrected == pytest.approx(2 * stats.t.sf(abs(differences.mean()) / error, 5), rel=1e-9)
    assert found.comparison.verdict == "better"


def test_the_estimate_of_an_arm_is_the_corrected_interval_of_its_split_means(cubes):
    summary = analyze(study_of(), frame_of(cubes)).arm("shuffled")
    means = cubes["shuffled"][0].mean(axis=(1, 2))
    half = stats.t.ppf(0.975, 5) * math.sqrt((1 / 6 + 1 / 2) * means.var(ddof=1))
    found = summary.estimates["auroc"]
    assert (found.mean, found.low, found.high) == pytest.approx(
        (means.mean(), means.mean() - half, means.mean() + half)
    )
    assert (summary.kind, summary.draws, summary.done, summary.failed) == ("null", 4, 48, 0)


def test_validation_rows_widen_the_interval(cubes):
    frame = frame_of(cubes)
    details = {key: {"train_rows": 100, "test_rows": 100} for key in frame["key"]}
    wide = analyze(study_of(), frame, details=details).comparisons[0].comparison
    narrow = analyze(study_of(), frame).comparisons[0].comparison
    ratio = math.sqrt((1 / 6 + 1) / (1 / 6 + 1 / 2))
    assert wide.estimate.standard_error == pytest.approx(ratio * narrow.estimate.standard_error)


def test_empirical_p_counts_draws_that_are_at_least_as_good():
    real = np.full((6, 1, 1), 0.7)
    draws = np.broadcast_to(np.array([0.5, 0.6, 0.7, 0.8]), (6, 1, 4))
    found = analyze(study_of(), frame_of({"real": (real, False), "shuffled": (draws, True)})).comparisons[0]
    assert found.empirical.p == (1 + 2) / (1 + 4)  # 0.7 ties and 0.8 is better
    assert found.null_scores == pytest.approx((0.5, 0.6, 0.7, 0.8))
    assert found.real_score == pytest.approx(0.7)


def test_empirical_p_is_the_same_whichever_arm_is_named_first(cubes):
    turned = study_of(comparisons=[["shuffled", "real"]])
    first, second = (analyze(study, frame_of(cubes)).comparisons[0] for study in (study_of(), turned))
    assert first.empirical.p == second.empirical.p == 1 / 5
    assert first.comparison.difference == pytest.approx(-second.comparison.difference)
    assert (first.comparison.verdict, second.comparison.verdict) == ("better", "worse")


def test_a_draw_with_a_failed_run_is_no_longer_among_the_draws(cubes):
    frame = frame_of(cubes)
    lost = (frame["arm"] == "shuffled") & (frame["draw"] == 2) & (frame["fold"] == 1)
    frame.loc[lost, ["state", "error"]] = ["failed", "the training loss is nan"]
    frame.loc[lost, "auroc"] = np.nan
    data = analyze(study_of(), frame)
    found = data.comparisons[0]
    assert (len(found.null_scores), found.incomplete_draws, found.empirical.floor) == (3, 1, 1 / 4)
    assert (data.failures[0].arm, data.failures[0].error, data.failures[0].runs) == (
        "shuffled",
        "the training loss is nan",
        int(lost.sum()),
    )
    assert data.arm("shuffled").failed == int(lost.sum()) == 4
    # the other draws still stand for the null on that fold
    assert found.comparison.count == 6


def test_seeds_stay_paired_where_one_fails():
    real, other = np.full((6, 2, 1), 0.9), np.full((6, 2, 1), 0.8)
    real[:, 1] = other[:, 1] = 0.5
    other[0, 1] = np.nan  # would lift the other arm's mean of the split, had the first one's seed stayed
    frame = frame_of({"real": (real, False), "plain": (other, False)})
    found = analyze(study_of({"real": {}, "plain": {}}), frame).comparisons[0].comparison
    assert found.difference == pytest.approx((5 * 0.05 + 0.1) / 6)


def test_undefined_scores_are_counted_and_leave_their_split_out(cubes):
    frame = frame_of(cubes)
    frame.loc[(frame["repeat"] == 0) & (frame["fold"] == 0), "auroc"] = np.nan
    data = analyze(study_of(), frame)
    assert (data.comparisons[0].comparison.count, data.comparisons[0].comparison.missing) == (5, 1)
    assert data.arm("real").undefined == {"auroc": 2}
    assert len(data.comparisons[0].null_scores) == 4  # a fold that nobody has a score for costs no draw


def test_nothing_defined_is_inconclusive_and_not_a_number(cubes):
    frame = frame_of(cubes).assign(auroc=np.nan)
    found = analyze(study_of(), frame).comparisons[0]
    assert found.comparison.verdict == "inconclusive"
    assert math.isnan(found.comparison.difference)
    assert found.empirical is None


def test_metrics_that_fall_speak_for_the_smaller():
    lower, higher = 1.0 + noise(6, 1, 1), 1.5 + noise(6, 1, 4, seed=1)
    frame = frame_of({"real": (lower, False), "shuffled": (higher, True)}, metric="rmse")
    found = analyze(study_of(metrics=["rmse"], rope={"rmse": 0.1}), frame).comparisons[0]
    assert found.comparison.difference > 0.4
    assert (found.comparison.verdict, found.empirical.p) == ("better", 1 / 5)


def test_difference_of_differences():
    arms = {"tanh real": {}, "tanh random": {}, "ash real": {}, "ash random": {}}
    weights = {"ash real": 1, "ash random": -1, "tanh real": -1, "tanh random": 1}
    levels = {"tanh real": 0.80, "tanh random": 0.75, "ash real": 0.90, "ash random": 0.70}
    cubes = {arm: (level + noise(6, 1, 1, seed=n, size=0.01), False) for n, (arm, level) in enumerate(levels.items())}
    study = study_of(arms, comparisons=[{"name": "does ASH help more with real wiring?", "weights": weights}])
    found = analyze(study, frame_of(cubes)).comparisons[0]
    values = {arm: cube[:, 0, 0] for arm, (cube, _) in cubes.items()}
    by_hand = sum(weight * values[arm] for arm, weight in weights.items())
    expected = compare_scores(by_hand, np.zeros(6), test_fraction=1 / 3, rope=0.01)
    assert found.comparison.difference == pytest.approx(by_hand.mean())
    assert found.comparison.p_corrected == pytest.approx(expected.p_corrected)
    assert found.name == "does ASH help more with real wiring?"


def test_p_values_are_corrected_over_arms_and_metrics():
    arms = {"real": {}, "a": {}, "b": {}}
    frame = frame_of({arm: (0.8 + noise(6, 1, 1, seed=n), False) for n, arm in enumerate(arms)})
    frame["accuracy"] = frame["auroc"] + noise(len(frame), seed=9)
    found = analyze(study_of(arms, metrics=["auroc", "accuracy"]), frame).comparisons
    alone = sorted(one.comparison.p_corrected for one in found)
    assert len(found) == 4
    smallest = min(found, key=lambda one: one.comparison.p_corrected).comparison
    assert smallest.p_value == pytest.approx(min(1, 4 * alone[0]))


def test_floors_are_a_family_of_their_own(cubes):
    frame = frame_of({**cubes, "ridge": (0.99 + noise(6, 1, 1, seed=5), False)})
    data = analyze(study_of(floors=["ridge"]), frame)
    assert [one.name for one in data.comparisons] == ["real against shuffled"]
    assert [(one.name, one.comparison.verdict) for one in data.floors] == [("real against ridge", "worse")]
    assert data.floors[0].comparison.family == 1
    assert data.arm("ridge").is_floor


def test_slope_of_a_linear_response():
    def rewired(share):
        return {"null": {"class_path": "Rewire", "init_args": {"fraction": share}}, "draws": 2}

    arms = {"real": {}, "all": rewired(1.0), "half": rewired(0.5), "other": {"null": "ErdosRenyi", "draws": 2}}
    split = noise(6, 1, 1)
    levels = {"real": 0.9, "half": 0.8, "all": 0.7, "other": 0.1}
    cubes = {
        arm: (np.repeat(level + split, 1 if arm == "real" else 2, axis=2), arm != "real")
        for arm, level in levels.items()
    }
    (dose,) = analyze(study_of(arms), frame_of(cubes)).doses
    assert (dose.arms, dose.fractions) == (("real", "half", "all"), (0.0, 0.5, 1.0))
    assert dose.slope.mean == pytest.approx(-0.2)
    assert dose.slope.high - dose.slope.low == pytest.approx(0, abs=1e-9)  # every split falls alike


def test_every_combination_of_factors_has_its_own_reference():
    factors = {"activation": {"tanh": {}, "ash": {}}, "wiring": {"real": {}, "random": {"null": "ErdosRenyi"}}}
    names = ["tanh / real", "tanh / random", "ash / real", "ash / random", "constant"]
    frame = frame_of({arm: (0.8 + noise(6, 1, 1, seed=n), "random" in arm) for n, arm in enumerate(names)})
    study = study_of({}, factors=factors, reference={"wiring": "real"}, floors=["constant"])
    data = analyze(study, frame)
    assert [one.name for one in data.comparisons] == [
        "tanh: real against random",
        "ash: real against random",
    ]
    assert [one.name for one in data.floors] == ["tanh / real against constant", "ash / real against constant"]


def test_null_quality_is_averaged_per_draw(cubes):
    frame = frame_of(cubes)
    details = {}
    for row in frame.itertuples():
        if row.arm == "shuffled":
            details[row.key] = {"null": {"live_nodes": 0.5 + 0.1 * row.draw + 0.01 * row.fold, "edge_overlap": 0.25}}
    (null,) = analyze(study_of(), frame, details=details).nulls
    assert null.name == "DegreePreserving"
    assert null.draws["live_nodes"].tolist() == pytest.approx([0.51, 0.61, 0.71, 0.81])
    assert set(null.keeps) & set(null.breaks) == set()
    assert "source_degrees" in null.keeps
    assert "isomorphic" in null.breaks


def test_learning_curves_of_runs_that_end_early_are_padded(cubes):
    frame = frame_of(cubes)
    keys = frame.loc[frame["arm"] == "real", "key"].tolist()
    curves = {keys[0]: {"train/loss": [1.0, 0.5, 0.25]}, keys[1]: {"train/loss": [2.0]}}
    (curve,) = analyze(study_of(), frame, curves=curves).curves
    assert (curve.arm, curve.quantity, curve.runs.shape) == ("real", "train/loss", (2, 3))
    assert np.nanmean(curve.runs, axis=0).tolist() == [1.5, 0.5, 0.25]


def test_what_is_still_needed(cubes):
    close = {"real": (cubes["real"][0], False), "shuffled": (cubes["shuffled"][0] + 0.1, True)}
    planning = analyze(study_of(), frame_of(close)).planning["real against shuffled"]
    text = " ".join(planning)
    assert "splits" in text
    assert "seeds" in text
    assert "draws" in text
    assert analyze(study_of(p_floor=0.2), frame_of(cubes)).planning == {}


def test_an_unfinished_study_is_analysed(cubes):
    frame = frame_of(cubes)
    frame.loc[frame["fold"] == 2, "state"] = "planned"
    frame.loc[frame["fold"] == 2, "auroc"] = np.nan
    data = analyze(study_of(), frame)
    assert (data.arm("real").done, data.arm("real").waiting) == (8, 4)
    assert data.comparisons[0].comparison.count == 4


def test_metrics_default_to_those_with_a_region(cubes):
    frame = frame_of(cubes).assign(rmse=1.0, parameters=120, seconds=0.5, error=None)
    assert analyze(study_of(metrics=None), frame).metrics == ("auroc",)


def test_arm_without_runs_is_refused(cubes):
    frame = frame_of(cubes)
    with pytest.raises(InputError, match="arm 'shuffled' has no planned run"):
        analyze(study_of(), frame[frame["arm"] == "real"])
