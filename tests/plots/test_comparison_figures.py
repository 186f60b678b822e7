"""What the figures of comparisons show: values where they belong, verdicts without colour, nothing made up."""

import numpy as np
import pytest
from axonlight.plots import (
    draw_calibrated_importance,
    draw_dose_response,
    draw_forest,
    draw_learning_bands,
    draw_null_distribution,
    draw_null_quality,
)
from matplotlib.colors import to_rgb

VERDICTS = ["better", "worse", "equivalent", "inconclusive"]


def markers(axes):
    return [line for line in axes.lines if line.get_marker() not in ("None", "", None) and len(line.get_xdata()) == 1]


def test_a_forest_shows_intervals_and_verdicts():
    lows, highs = [0.01, -0.05, -0.004, -0.03], [0.03, -0.01, 0.006, 0.04]
    axes = draw_forest(["a", "b", "c", "d"], [0.02, -0.03, 0.001, 0.005], lows, highs, VERDICTS, 0.01).axes[0]
    marks = markers(axes)
    assert [float(mark.get_xdata()[0]) for mark in marks] == [0.02, -0.03, 0.001, 0.005]
    heights = [float(mark.get_ydata()[0]) for mark in marks]
    assert heights == sorted(heights)
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # so the first stands on top
    # told apart without colour: by marker, or by being filled
    assert len({(mark.get_marker(), mark.get_markerfacecolor() == "white") for mark in marks}) == 4
    grey = [np.dot(to_rgb(mark.get_markeredgecolor()), [0.299, 0.587, 0.114]) for mark in marks]
    assert max(grey) < 0.6  # dark enough on white paper
    intervals = [line.get_xdata() for line in axes.lines if line.get_linewidth() == 2]
    np.testing.assert_array_equal(intervals, np.stack([lows, highs], axis=1))
    assert [text.get_text() for text in axes.texts] == [
        "a",
        "better",
        "b",
        "worse",
        "c",
        "equivalent",
        "d",
        "inconclusive",
    ]
    bands = [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in axes.patches]
    np.testing.assert_allclose(bands, [(-0.01, 0.01)] * 4)
    low, high = axes.get_xlim()
    assert low < -0.05
    assert high > 0.04


def test_an_undefined_difference_is_said_and_not_drawn():
    nan = np.nan
    axes = draw_forest(["a", "b"], [nan, 0.1], [nan, nan], [nan, nan], ["inconclusive"] * 2, 0.01).axes[0]
    assert [float(mark.get_xdata()[0]) for mark in markers(axes)] == [0.1]
    assert [text.get_text() for text in axes.texts].count("undefined") == 1
    assert not [line for line in axes.lines if line.get_linewidth() == 2]


def test_null_scores_are_counted_and_the_real_one_marked():
    scores = {"A": [0.5, 0.6, 0.6, np.nan], "B": [0.4]}
    axes = draw_null_distribution(scores, [0.7, 0.3], [0.25, 0.5]).axes[0]
    texts = [text.get_text() for text in axes.texts]
    assert texts[:4] == ["A", "3 draws (1 undefined), p = 0.25", "B", "1 draw, p = 0.5"]
    assert texts[4] == "real 0.3 to 0.7"
    assert [float(mark.get_xdata()[0]) for mark in markers(axes)] == [0.7, 0.3]
    bars = [patch for patch in axes.patches if patch.get_height()]
    heights = sorted(round(abs(bar.get_height()), 6) for bar in bars)
    assert len(heights) == 3  # 0.6 twice, 0.5 and 0.4 once, each row scaled to its own height
    assert heights[0] == pytest.approx(heights[1] / 2)
    assert draw_null_distribution({"A": [np.nan]}, np.nan).axes[0].texts[1].get_text() == "0 draws (1 undefined)"


def test_learning_bands_are_means_and_quantiles():
    runs = np.array([[1.0, 0.5, 0.4], [2.0, 0.7, np.nan], [3.0, 0.9, np.nan]])
    axes = draw_learning_bands({"arm": runs, "empty": np.full((2, 3), np.nan)}, coverage=1.0).axes[0]
    np.testing.assert_allclose(axes.lines[0].get_xydata(), [[1, 2.0], [2, 0.7], [3, 0.4]])
    assert len(axes.lines[1].get_xdata()) == 0
    heights = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (0.4, 3.0)
    middle = draw_learning_bands({"arm": np.arange(11.0)[:, None] * np.ones(2)}, coverage=0.8).axes[0]
    heights = middle.collections[0].get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == pytest.approx((1.0, 9.0))


def test_many_arms_differ_without_colour():
    axes = draw_learning_bands({str(arm): np.ones((2, 3)) * arm for arm in range(8)}).axes[0]
    assert len({str(line._dash_pattern) for line in axes.lines}) == 8
    assert len({line.get_color() for line in axes.lines}) == 8


def test_shares_are_bars_in_cells_with_their_numbers():
    means = np.array([[1.0, 0.25], [0.5, np.nan]])
    axes = draw_null_quality(["A", "B"], ["live nodes", "overlap"], means, means - 0.1, means + 0.1).axes[0]
    filled, cells = axes.patches[1::2], axes.patches[::2]
    shares = [bar.get_width() / cell.get_width() for bar, cell in zip(filled, cells, strict=True)]
    np.testing.assert_allclose(shares, [1.0, 0.25, 0.5, 0.0])
    assert [text.get_text() for text in axes.texts][-4:] == ["1.00", "0.25", "0.50", "NaN"]
    assert len(axes.lines) == 6  # three ranges, each white under black


def test_the_dose_line_goes_through_the_mean_point_with_the_given_slope():
    dose, score = np.array([0, 0, 0.5, 1, 1]), np.array([0.9, 0.8, np.nan, 0.7, 0.6])
    axes = draw_dose_response(dose, score, slope=-0.2, slope_interval=(-0.3, -0.1)).axes[0]
    line = next(line for line in axes.lines if line.get_linewidth() == 2)
    np.testing.assert_allclose(line.get_ydata(), np.interp([0, 1], [0.5, 1.5], [0.75, 0.55], left=0.85))
    wedge = axes.collections[0].get_paths()[0].vertices
    np.testing.assert_allclose(wedge[wedge[:, 0] == 0.5, 1], 0.75)
    np.testing.assert_allclose(sorted(set(wedge[wedge[:, 0] == 1.0, 1])), [0.6, 0.7])
    means = next(line for line in axes.lines if line.get_marker() == "D")
    np.testing.assert_allclose(means.get_xydata(), [[0, 0.85], [1, 0.65]])
    assert draw_dose_response(dose, score).axes[0].get_xlabel() == "share of edges rewired"


def test_importance_outside_the_null_band_is_filled():
    axes = draw_calibrated_importance(
        ["a", "b", "c"], [3, 1, np.nan], [-2, -2, -1], [2, 2, 1], [0.01, 0.4, np.nan]
    ).axes[0]
    assert [mark.get_markerfacecolor() == "white" for mark in markers(axes)] == [False, True]
    assert [text.get_text() for text in axes.texts][1::2] == ["p = 0.01", "p = 0.4", "undefined"]
    bands = [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in axes.patches]
    np.testing.assert_allclose(bands, [(-2, 2), (-2, 2), (-1, 1)])


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: draw_forest(["a"], [0, 1], [0], [0], ["better"], 0.1), "differences has the shape"),
        (lambda: draw_forest(["a"], [0], [0], [0], ["good"], 0.1), "verdicts are 'good'; give one of better, worse"),
        (lambda: draw_forest(["a"], [0], [0], [0], [], 0.1), "verdicts are 0 for 1 names"),
        (lambda: draw_null_distribution({"a": [1]}, [1, 2]), "real has the shape"),
        (lambda: draw_learning_bands({"a": [1]}, coverage=0), r"coverage is 0; it must lie in \(0, 1\]"),
        (lambda: draw_learning_bands({"a": np.ones((1, 2, 3))}), "curves of a have the shape"),
        (lambda: draw_null_quality(["a"], ["b"], [[1, 2]]), r"means has the shape \(1, 2\); .* must be \(1, 1\)"),
        (lambda: draw_dose_response([0, 1], [1]), "2 fractions and 1 scores"),
        (lambda: draw_calibrated_importance(["a"], [1, 2]), "z has the shape"),
    ],
)
def test_shapes_that_do_not_fit(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()
