"""Statistics of the examples against SciPy, closed forms and a simulation."""

import math
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
if not EXAMPLES.is_dir():
    pytest.skip("examples are not installed with the package", allow_module_level=True)
sys.path.insert(0, str(EXAMPLES))
from _paired_comparison import compare, decide, estimate, holm  # noqa: E402

sys.path.remove(str(EXAMPLES))


@pytest.fixture
def pairs():
    generator = np.random.default_rng(0)
    theirs = generator.normal(0.8, 0.05, 25)
    return theirs + generator.normal(0.01, 0.02, 25), theirs


def test_without_overlap_it_is_the_paired_t_test(pairs):
    found = compare(*pairs, test_to_train=0.0, rope=0.015)
    plain = stats.ttest_rel(*pairs)
    assert found.p_difference == pytest.approx(plain.pvalue)
    interval = plain.confidence_interval(0.95)
    assert (found.difference.low, found.difference.high) == pytest.approx((interval.low, interval.high))
    one_sided = [
        stats.ttest_rel(pairs[0] + 0.015, pairs[1], alternative="greater").pvalue,
        stats.ttest_rel(pairs[0] - 0.015, pairs[1], alternative="less").pvalue,
    ]
    assert found.p_equivalence == pytest.approx(max(one_sided))


def test_overlap_widens_by_the_published_factor(pairs):
    plain, corrected = (compare(*pairs, test_to_train=share, rope=0.01) for share in (0.0, 0.25))
    factor = math.sqrt((1 / 25 + 1 / 4) / (1 / 25))
    assert corrected.difference.standard_error == pytest.approx(factor * plain.difference.standard_error)
    differences = pairs[0] - pairs[1]
    t = differences.mean() / math.sqrt((1 / 25 + 0.25) * differences.var(ddof=1))
    assert corrected.p_difference == pytest.approx(2 * stats.t.sf(abs(t), 24))


def test_sides_are_exchanged_with_the_sign(pairs):
    one, other = compare(*pairs, 0.25, 0.01), compare(*pairs[::-1], 0.25, 0.01)
    assert one.difference.low == pytest.approx(-other.difference.high)
    assert one.p_equivalence == pytest.approx(other.p_equivalence)


def test_missing_scores_are_left_out_and_counted(pairs):
    ours, theirs = pairs[0].copy(), pairs[1].copy()
    ours[3], theirs[7] = math.nan, math.nan
    kept = np.delete(np.arange(25), [3, 7])
    found = compare(ours, theirs, 0.25, 0.01)
    assert found.difference.missing == 2
    assert found.p_difference == compare(ours[kept], theirs[kept], 0.25, 0.01).p_difference
    assert math.isnan(compare([math.nan, 0.5], [0.5, 0.5], 0.25, 0.01).p_difference)
    assert math.isnan(estimate([math.nan], 0.25).mean)


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
        (0.0, 0.1, "inconclusive"),
        (0.01, 0.0, "better"),  # on the edge of the region is not within it
    ],
)
def test_verdicts(shift, spread, verdict):
    # exact numbers, so that a difference on the edge is on it
    differences = shift + spread * np.linspace(-1, 1, 25)
    found = compare(differences, np.zeros(25), 0.25, 0.01)
    assert decide(found, found.p_difference, found.p_equivalence) == verdict


def test_adjusted_p_values_decide():
    found = compare(0.02 + 0.02 * np.linspace(-1, 1, 25), np.zeros(25), 0.25, 0.01)
    assert decide(found, 0.04, 1.0) == "better"
    assert decide(found, 0.06, 1.0) == "inconclusive"
    assert decide(found, math.nan, math.nan) == "undefined"


def test_holm_on_the_textbook_family():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, math.nan, 0.6]) == pytest.approx([1.0, math.nan, 1.0], nan_ok=True)
    assert holm([]) == []


def test_holm_rejects_by_the_step_down_rule():
    generator = np.random.default_rng(1)
    for _ in range(50):
        p = generator.beta(0.3, 1.0, size=6)
        ordered = np.sort(p)
        passed = ordered <= 0.05 / np.arange(6, 0, -1)
        rejected = ordered[: 6 if passed.all() else int(np.argmin(passed))]
        assert sorted(p[np.array(holm(p)) <= 0.05]) == pytest.approx(rejected)


def test_intervals_of_overlapping_splits_cover():
    """Scores of 25 splits correlated as the correction assumes: 95 % of the intervals hold the mean."""
    generator = np.random.default_rng(2)
    share = 0.25
    correlation = share / (1 + share)  # n_test / (n_test + n_train)
    shared, own = generator.normal(size=(4000, 1)), generator.normal(size=(4000, 25))
    scores = math.sqrt(correlation) * shared + math.sqrt(1 - correlation) * own
    found = [estimate(list(row), share) for row in scores]
    covered = np.mean([each.low <= 0 <= each.high for each in found])
    assert covered == pytest.approx(0.95, abs=0.015)
    plain = np.mean([each.low <= 0 <= each.high for each in (estimate(list(row), 0.0) for row in scores)])
    assert plain < 0.75
