"""Real scores among draws; families of comparisons against textbook examples and their definitions."""

import math

import numpy as np
import pytest
from axonlight.comparison import adjust, compare_scores, empirical_p
from axonlight.comparison.statistics.families import adjusted_p_values
from axonlight.errors import InputError

WAVE = np.linspace(-1, 1, 25)


def test_empirical_p_by_hand():
    found = empirical_p(0.8, [0.5, 0.6, 0.7, 0.8, 0.9, math.nan])
    assert found.p == pytest.approx(3 / 6)  # 0.8 ties and 0.9 exceeds: (1 + 2) / (1 + 5)
    assert (found.exceeding, found.count, found.missing) == (2, 5, 1)
    assert found.floor == pytest.approx(1 / 6)
    assert found.percentile == pytest.approx(100 * 3.5 / 5)
    assert found.z == pytest.approx((0.8 - 0.7) / math.sqrt(0.1 / 4))


def test_smaller_may_be_better():
    draws = [0.5, 0.6, 0.7, 0.85, 0.9]
    found, mirrored = empirical_p(0.55, draws, better="smaller"), empirical_p(-0.55, [-draw for draw in draws])
    assert (found.p, found.z, found.percentile) == pytest.approx((mirrored.p, mirrored.z, mirrored.percentile))
    assert (found.p, found.z > 0) == (pytest.approx(2 / 6), True)


def test_scores_equal_but_for_rounding_are_ties():
    assert empirical_p(0.3, [0.1 + 0.2] * 4).p == empirical_p(0.1 + 0.2, [0.3] * 4).p == 1.0


def test_draws_without_spread():
    assert empirical_p(0.9, [0.8] * 99).z == math.inf
    assert empirical_p(0.7, [0.8] * 99).z == -math.inf
    assert empirical_p(0.8, [0.8] * 99).z == 0.0
    assert empirical_p(0.9, [0.8] * 99).p == pytest.approx(0.01)


def test_undefined_draws_and_scores():
    nothing = empirical_p(0.9, [math.nan, math.nan])
    assert (nothing.p, nothing.floor, nothing.count, nothing.missing) == (1.0, 1.0, 0, 2)
    assert math.isnan(nothing.z)
    failed = empirical_p(math.nan, [0.5, 0.6])
    assert math.isnan(failed.p)
    assert math.isnan(failed.z)
    assert math.isnan(failed.percentile)
    assert math.isnan(empirical_p(0.9, [0.8]).z)


@pytest.mark.parametrize(("real", "draws", "better"), [(0.5, [math.inf], "larger"), (0.5, [0.5], "more")])
def test_bad_draws_are_refused(real, draws, better):
    with pytest.raises(InputError):
        empirical_p(real, draws, better=better)


def test_empirical_p_has_its_size():
    """A real score from the same distribution: p <= 0.05 in at most 5 % of the cases, and in nearly as many."""
    scores = np.random.default_rng(0).normal(size=(4000, 40))
    found = np.array([empirical_p(row[0], row[1:]).p for row in scores])
    assert np.mean(found <= 0.05) == pytest.approx(2 / 40, abs=0.012)


def test_holm_on_the_textbook_family():
    assert adjusted_p_values([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert adjusted_p_values([0.9, math.nan, 0.6]) == pytest.approx([1.0, math.nan, 1.0], nan_ok=True)
    assert adjusted_p_values([]) == []
    assert adjusted_p_values([0.04, 0.01], "none") == [0.04, 0.01]


def test_adjusted_values_reject_by_the_published_rules():
    generator = np.random.default_rng(1)
    for _ in range(5):
        p = generator.beta(0.3, 1.0, size=6)
        ordered = np.sort(p)
        passed = ordered <= 0.05 / np.arange(6, 0, -1)  # step down
        rejected = ordered[: 6 if passed.all() else int(np.argmin(passed))]
        assert sorted(p[np.array(adjusted_p_values(p)) <= 0.05]) == pytest.approx(rejected)
        under = np.flatnonzero(ordered <= 0.05 * np.arange(1, 7) / 6)  # step up
        rejected = ordered[: under[-1] + 1] if len(under) else []
        assert sorted(p[np.array(adjusted_p_values(p, "bh")) <= 0.05]) == pytest.approx(rejected)


def made(shift, spread, rope=0.01):
    return compare_scores(shift + spread * WAVE, np.zeros(25), test_fraction=0.2, rope=rope)


def test_verdicts_come_from_adjusted_values():
    lone = made(0.02, 0.025)  # p = 0.023
    assert lone.verdict == "better"
    family = adjust([lone, *[made(0.0, 0.1)] * 3])
    assert family[0].verdict == "inconclusive"
    assert family[0].p_value == pytest.approx(4 * lone.p_corrected)
    assert family[0].p_corrected == lone.p_corrected
    assert family[0].interval == lone.interval
    assert family[0].rule == (
        f"Inconclusive: the corrected 95 % interval [{lone.interval[0]:+.4g}, {lone.interval[1]:+.4g}] of the "
        f"difference excludes 0 alone but not after the correction (p = {4 * lone.p_corrected:.2g}, Holm over 4 "
        "comparisons), and equivalence within ±0.01 is not shown (p = 1)."
    )
    assert (family[0].adjustment, family[0].family) == ("holm", 4)


def test_equivalence_is_adjusted_too():
    lone = made(0.0, 0.012)  # equivalent at p = 0.01
    assert lone.verdict == "equivalent"
    assert adjust([lone, *[made(0.05, 0.001)] * 2])[0].verdict == "equivalent"
    crowd = adjust([lone, *[made(0.05, 0.001)] * 9])[0]
    assert crowd.p_equivalence == pytest.approx(10 * lone.p_equivalence)
    assert crowd.verdict == "inconclusive"


def test_adjusting_twice_is_adjusting_once():
    family = [made(0.02, spread) for spread in (0.01, 0.02, 0.04)]
    assert adjust(adjust(family)) == adjust(family)
    assert adjust(adjust(family, "bh"), "none") == adjust(family, "none")


def test_comparisons_without_a_value_count_for_none():
    nothing = compare_scores([0.5], [0.4], test_fraction=0.2, rope=0.01)
    lone = made(0.02, 0.025)
    found = adjust([nothing, lone, nothing])
    assert (found[1].p_value, found[1].family, found[1].verdict) == (lone.p_corrected, 1, "better")
    assert "Holm" not in found[1].rule
    assert (found[0].verdict, found[0].rule) == ("inconclusive", nothing.rule)
    assert adjust([]) == []


def test_unknown_correction_is_refused():
    with pytest.raises(InputError, match="correction is 'bonferoni'; it is one of holm, bh, none"):
        adjust([made(0.0, 0.1)], "bonferoni")
