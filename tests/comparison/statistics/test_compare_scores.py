"""The comparison of two arms against SciPy, statsmodels, closed forms and examples worked by hand."""

import json
import math

import numpy as np
import pytest
from axonlight.comparison import compare_scores, estimate_mean
from axonlight.comparison.statistics.corrected import two_sided_p
from axonlight.comparison.statistics.equivalence import equivalence_p
from axonlight.comparison.statistics.estimate import estimate_values
from axonlight.comparison.statistics.rank_tests import wilcoxon_p
from axonlight.errors import InputError
from scipy import stats
from statsmodels.stats.weightstats import ttost_paired

SHARE = 0.2  # five folds: a quarter as many test rows as training rows


@pytest.fixture
def pairs():
    generator = np.random.default_rng(0)
    second = generator.normal(0.8, 0.05, 25)
    return second + generator.normal(0.01, 0.02, 25), second


def uncorrected(first, second):
    return estimate_values(np.asarray(first) - np.asarray(second), 0.0, 0.05, 1.0)


def test_without_overlap_it_is_the_paired_t_test(pairs):
    found, plain = uncorrected(*pairs), stats.ttest_rel(*pairs)
    assert two_sided_p(found) == pytest.approx(plain.pvalue, rel=1e-10)
    interval = plain.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), rel=1e-10)
    assert compare_scores(*pairs, test_fraction=SHARE, rope=0.01).p_uncorrected == pytest.approx(plain.pvalue)


@pytest.mark.parametrize("rope", [0.0, 0.005, 0.015, 0.1])
def test_without_overlap_equivalence_is_that_of_statsmodels(pairs, rope):
    expected = ttost_paired(*pairs, -rope, rope)[0]
    assert equivalence_p(uncorrected(*pairs), rope) == pytest.approx(expected, rel=1e-9)


def test_corrected_t_by_hand():
    # differences 1, 2, 3, 4 hundredths: mean 0.025, variance 1.6667e-4; error^2 = (1/4 + 1/4) variance
    found = compare_scores([0.51, 0.62, 0.73, 0.84], [0.5, 0.6, 0.7, 0.8], test_fraction=SHARE, rope=0.01)
    error = math.sqrt(0.5 * 5 / 3 * 1e-4)
    assert found.difference == pytest.approx(0.025)
    assert found.estimate.standard_error == pytest.approx(error)
    assert found.p_corrected == pytest.approx(2 * stats.t.sf(0.025 / error, 3))
    assert found.interval == pytest.approx((0.025 - 3.18245 * error, 0.025 + 3.18245 * error), rel=1e-5)
    assert found.p_equivalence == pytest.approx(stats.t.sf((0.01 - 0.025) / error, 3))
    assert found.effect_size == pytest.approx(0.025 / math.sqrt(5 / 3 * 1e-4))
    assert (found.count, found.missing, found.level, found.rope) == (4, 0, 0.05, 0.01)


def test_overlap_widens_by_the_published_factor(pairs):
    found = compare_scores(*pairs, test_fraction=SHARE, rope=0.01)
    factor = math.sqrt((1 / 25 + 1 / 4) / (1 / 25))
    assert found.estimate.standard_error == pytest.approx(factor * uncorrected(*pairs).standard_error)


@pytest.mark.parametrize(("splits", "freedom"), [(2, 1), (10, 9), (11, 10), (12, 10), (25, 10), (100, 10)])
def test_degrees_of_freedom_end_at_ten(splits, freedom):
    differences = 0.01 + 0.03 * np.linspace(-1, 1, splits)
    found = compare_scores(differences, np.zeros(splits), test_fraction=SHARE, rope=0.02)
    assert found.estimate.degrees_of_freedom == freedom
    # the posterior, the interval and both tests are those of one t distribution, SciPy's
    t = stats.t(freedom, loc=0.01, scale=math.sqrt((1 / splits + 1 / 4) * np.var(differences, ddof=1)))
    assert found.interval == pytest.approx(t.interval(0.95))
    assert found.p_corrected == pytest.approx(2 * min(t.cdf(0), t.sf(0)))
    assert found.probabilities == pytest.approx((t.cdf(-0.02), t.cdf(0.02) - t.cdf(-0.02), t.sf(0.02)))
    assert found.p_equivalence == pytest.approx(t.sf(0.02))
    # without a correction nothing is calibrated either
    assert found.p_uncorrected == pytest.approx(stats.ttest_1samp(differences, 0).pvalue)


def test_validation_rows_count_neither_as_test_nor_as_training(pairs):
    found = compare_scores(*pairs, test_fraction=0.2, train_fraction=0.6, rope=0.01)
    variance = float(np.var(pairs[0] - pairs[1], ddof=1))
    assert found.estimate.standard_error**2 == pytest.approx((1 / 25 + 0.2 / 0.6) * variance)
    assert compare_scores(*pairs, test_fraction=0.2, train_fraction=0.8, rope=0.01) == compare_scores(
        *pairs, test_fraction=0.2, rope=0.01
    )


def test_arms_are_exchanged_with_the_sign(pairs):
    one = compare_scores(*pairs, test_fraction=SHARE, rope=0.01)
    other = compare_scores(*pairs[::-1], test_fraction=SHARE, rope=0.01)
    assert one.interval == pytest.approx((-other.interval[1], -other.interval[0]))
    assert one.probabilities == pytest.approx(other.probabilities[::-1])
    for name in ("p_corrected", "p_equivalence", "p_wilcoxon", "p_uncorrected"):
        assert getattr(one, name) == pytest.approx(getattr(other, name))


def test_interval_excludes_zero_exactly_where_p_is_below_the_level(pairs):
    for level in (0.01, 0.05, 0.3, 0.6):
        found = compare_scores(*pairs, test_fraction=SHARE, rope=0.0, level=level)
        outside = found.interval[0] > 0 or found.interval[1] < 0
        assert outside == (found.p_corrected < level) == (found.verdict == "better")


def test_missing_scores_are_left_out_and_counted(pairs):
    first, second = pairs[0].copy(), pairs[1].copy()
    first[3], second[7] = math.nan, math.nan
    kept = np.delete(np.arange(25), [3, 7])
    found = compare_scores(first, second, test_fraction=SHARE, rope=0.01)
    without = compare_scores(first[kept], second[kept], test_fraction=SHARE, rope=0.01)
    assert (found.count, found.missing) == (23, 2)
    for name in ("p_corrected", "p_wilcoxon", "p_permutation", "effect_size", "probabilities", "interval", "rule"):
        assert getattr(found, name) == getattr(without, name)


def test_seeds_are_paired_within_a_split():
    first = [[0.9, 0.8], [0.7, math.nan], [0.8, 0.6], [math.nan, math.nan]]
    second = [[0.8, 0.6], [0.6, 0.1], [0.7, 0.6], [0.5, 0.5]]
    found = compare_scores(first, second, test_fraction=SHARE, rope=0.01)
    by_hand = compare_scores([0.15, 0.1, 0.05], [0.0, 0.0, 0.0], test_fraction=SHARE, rope=0.01)
    assert found.interval == pytest.approx(by_hand.interval)
    assert (found.count, found.missing) == (3, 1)


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ([0.9], [0.8], "1 of 1 splits has both scores"),
        ([], [], "0 of 0 splits have both scores"),
        ([0.9, math.nan, 0.8], [0.8, 0.7, math.nan], "1 of 3 splits has both scores"),
        ([math.nan, math.nan], [0.5, 0.5], "0 of 2 splits have both scores"),
    ],
)
def test_fewer_than_two_pairs_are_inconclusive(first, second, reason):
    found = compare_scores(first, second, test_fraction=SHARE, rope=0.01)
    assert found.verdict == "inconclusive"
    assert reason in found.rule
    figures = (found.p_corrected, found.p_equivalence, found.p_wilcoxon, found.p_permutation, found.effect_size)
    assert all(math.isnan(value) for value in (*figures, *found.interval, *found.probabilities))


@pytest.mark.parametrize(
    ("shift", "spread", "verdict"),
    [
        (0.0, 0.0, "equivalent"),
        (0.005, 0.0, "equivalent"),
        (0.02, 0.0, "better"),
        (-0.02, 0.0, "worse"),
        (0.05, 0.01, "better"),
        (-0.05, 0.01, "worse"),
        (0.0, 0.002, "equivalent"),
        (0.005, 0.0001, "equivalent"),  # different from 0 beyond doubt, and within the region beyond doubt
        (0.0, 0.1, "inconclusive"),
        (0.01, 0.0, "better"),  # on the edge of the region is not within it
        (-0.01, 0.0, "worse"),
    ],
)
@pytest.mark.parametrize("level_of_second", [0.0, 0.7])
def test_verdicts(shift, spread, verdict, level_of_second):
    second = np.full(25, level_of_second)
    found = compare_scores(second + shift + spread * np.linspace(-1, 1, 25), second, test_fraction=SHARE, rope=0.01)
    assert found.verdict == verdict
    assert found.rule.startswith(verdict.capitalize())


def test_no_region_is_never_equivalent():
    found = compare_scores([0.5, 0.5, 0.5], [0.5, 0.5, 0.5], test_fraction=SHARE, rope=0.0)
    assert (found.verdict, found.p_corrected, found.p_equivalence) == ("inconclusive", 1.0, 0.5)
    assert (found.p_wilcoxon, found.p_permutation, found.effect_size) == (1.0, 1.0, 0.0)


def test_equal_differences_are_the_limit_of_small_spreads():
    def found(spread, shift):
        return compare_scores(
            0.3 + shift + spread * np.linspace(-1, 1, 11), np.full(11, 0.3), test_fraction=SHARE, rope=0.01
        )

    # 0.3 + 0.02 - 0.3 differs from 0.02 by rounding
    for shift in (0.02, 0.01, 0.0):
        limit, near = found(0.0, shift), found(1e-9, shift)
        assert limit.estimate.standard_error == 0
        assert limit.probabilities == pytest.approx(near.probabilities, abs=1e-6)
        assert limit.p_equivalence == pytest.approx(near.p_equivalence, abs=1e-6)
        assert limit.p_corrected == pytest.approx(near.p_corrected, abs=1e-6)
    assert found(0.0, 0.02).effect_size == math.inf


def test_scores_equal_but_for_rounding_do_not_differ():
    # 0.1 + 0.2 is not 0.3, and differences of accuracies that are equal on paper differ in their last digits
    found = compare_scores([0.1 + 0.2, 0.5, 0.3], [0.3, 0.5, 0.1 + 0.2], test_fraction=SHARE, rope=0.01)
    assert (found.p_corrected, found.p_wilcoxon, found.p_permutation, found.effect_size) == (1.0, 1.0, 1.0, 0.0)
    first, second = np.array([0.85, 0.75, 0.8, 0.95, 0.7, 0.9]), np.array([0.8, 0.7, 0.85, 0.85, 0.6, 0.8])
    found = compare_scores(first, second, test_fraction=SHARE, rope=0.01)
    assert found.p_wilcoxon == wilcoxon_p(np.array([1.0, 1.0, -1.0, 2.0, 2.0, 2.0]))


def test_rule_says_the_figures():
    found = compare_scores([0.51, 0.62, 0.73, 0.84], [0.5, 0.6, 0.7, 0.8], test_fraction=SHARE, rope=0.01)
    assert found.rule == (
        "Inconclusive: the corrected 95 % interval [-0.004052, +0.05405] of the difference holds 0 (p = 0.071), and "
        "equivalence within ±0.01 is not shown (p = 0.9)."
    )
    equal = compare_scores([0.5, 0.51, 0.5], [0.5, 0.5, 0.51], test_fraction=SHARE, rope=0.1)
    assert equal.rule.startswith("Equivalent: both one-sided tests place the difference of +0 within ±0.1 (p = 0.0")


def test_dictionary_is_strict_json():
    for scores in ([0.8, 0.9, 0.7], [0.9, math.nan, math.nan], [0.5, 0.5, 0.5]):
        found = compare_scores(scores, [0.4, 0.4, 0.4], test_fraction=SHARE, rope=0.01)
        plain = json.loads(json.dumps(found.to_dict(), allow_nan=False))
        assert plain["verdict"] == found.verdict
        assert plain["count"] == found.count
        assert plain["difference"] == pytest.approx(found.difference)
        assert len(plain["interval"]) == 2
        assert set(plain["probabilities"]) == {"worse", "equivalent", "better"}


def test_estimate_of_scores():
    found = estimate_mean([0.7, math.nan, 0.8, 0.9], test_fraction=SHARE)
    error = math.sqrt((1 / 3 + 1 / 4) * 0.01)
    assert (found.mean, found.count, found.missing) == (pytest.approx(0.8), 3, 1)
    assert found.half_width == pytest.approx(4.302653 * error)
    assert estimate_mean([0.7], test_fraction=SHARE).mean == 0.7
    assert math.isnan(estimate_mean([math.nan], test_fraction=SHARE).mean)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scores_b": [0.5, 0.6]}, "scores_a has 3 splits and scores_b 2; paired arms"),
        ({"scores_b": [[0.5, 0.6]] * 3}, "scores_a has 1 seeds per split and scores_b 2"),
        ({"scores_a": [0.5, math.inf, 0.7]}, "scores_a holds an infinite score"),
        ({"scores_a": [[[0.5]]] * 3}, "scores_a has 3 dimensions"),
        ({"rope": -0.01}, "rope is -0.01; it is the half width"),
        ({"rope": math.nan}, "rope is nan; it is the half width"),
        ({"test_fraction": 0.0}, "test_fraction is 0.0; it is a share of the rows, between 0 and 1"),
        ({"test_fraction": 1.0}, "test_fraction is 1.0"),
        ({"test_fraction": math.nan}, "test_fraction is nan"),
        ({"train_fraction": 0.9}, "train_fraction is 0.9; beside a test_fraction of 0.2 it is above 0 and at most 0.8"),
        ({"level": 0}, "level is 0; it is a probability of error"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(change, message):
    arguments = {"scores_a": [0.5, 0.6, 0.7], "scores_b": [0.5, 0.6, 0.6], "test_fraction": SHARE, "rope": 0.01}
    with pytest.raises(InputError, match="^" + message.replace("(", r"\(")) as caught:
        compare_scores(**(arguments | change))
    assert "\n" not in str(caught.value)
