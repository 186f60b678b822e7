"""What the figures of searches show: all curves on the same axes, fronts where they belong, funnels to scale."""

import numpy as np
import pytest
from axonlight.plots import draw_curve_grid, draw_funnel, draw_pareto

X = np.linspace(-4, 4, 81)
RELU = ("relu", (np.maximum(X, 0), (X > 0).astype(float)))


def test_every_panel_holds_value_slope_and_the_known_function():
    curves = {"sin(x)": (np.sin(X), np.cos(X)), "x*x": (X * X, 2 * X), "x": (X, np.ones(81))}
    figure = draw_curve_grid(X, curves, RELU, notes=["a", "b", "c"])
    assert len(figure.axes) == 3
    for axes, (name, (value, slope)) in zip(figure.axes, curves.items(), strict=True):
        known, known_slope, drawn, drawn_slope = (line.get_ydata() for line in axes.lines)
        np.testing.assert_array_equal(drawn, value)
        np.testing.assert_array_equal(drawn_slope, slope)
        np.testing.assert_array_equal(known, RELU[1][0])
        np.testing.assert_array_equal(known_slope, RELU[1][1])
        assert axes.get_title(loc="left").startswith(f"{name}\n")
        assert axes.lines[2].get_linestyle() != axes.lines[3].get_linestyle()  # told apart without colour
    assert len({axes.get_ylim() for axes in figure.axes}) == 1
    assert figure.axes[0].get_ylim()[1] < 8  # a steep one does not flatten the others


def test_a_curve_that_is_no_number_is_drawn_as_far_as_it_goes():
    value = np.where(X < 0, np.nan, X)
    axes = draw_curve_grid(X, {"log": (value, value)}, RELU).axes[0]
    assert np.isfinite(axes.get_ylim()).all()


@pytest.mark.parametrize("curves", [{}, {"short": (X[:3], X[:3])}])
def test_curves_that_do_not_fit_are_refused(curves):
    with pytest.raises(ValueError, match="curve"):
        draw_curve_grid(X, curves, RELU)


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_a_front_is_a_stepped_line_through_its_members():
    sizes, scores = [5, 2, 4, 4, 7], [0.83, 0.80, 0.86, 0.81, 0.85]
    figure = draw_pareto(sizes, scores, [2, 1], list("abcde"), known={"relu": 0.84, "gelu": 0.845})
    axes = figure.axes[0]
    step = next(line for line in axes.lines if line.get_drawstyle() == "steps-post")
    np.testing.assert_array_equal(step.get_xdata(), [2, 4])
    np.testing.assert_array_equal(step.get_ydata(), [0.80, 0.86])
    said = texts(figure)
    assert [text for text in said if text.startswith(("1  ", "2  "))] == ["1  b", "2  c"]
    lines = {float(line.get_ydata()[0]) for line in axes.lines if line.get_linestyle() == ":"}
    assert lines == {0.84, 0.845}
    assert {"relu", "gelu"} <= set(said)
    drawn = np.concatenate([part.get_offsets() for part in axes.collections])
    assert sorted(map(tuple, drawn.tolist())) == sorted(zip(sizes, scores, strict=True))


def test_far_failures_hide_no_difference_and_are_counted():
    scores = np.r_[np.linspace(0.90, 0.92, 30), 0.5, 0.1, np.nan]
    axes = draw_pareto(np.full(33, 5), scores, [29], [""] * 33, band=("random", 0.2, 0.3)).axes[0]
    assert axes.get_ylim()[0] > 0.85
    assert "2 lie out of the picture" in axes.get_xlabel()
    assert "random: 0.2 to 0.3, below the picture" in [text.get_text() for text in axes.texts]
    loss = draw_pareto(np.full(33, 5), 1 - scores, [29], [""] * 33, larger_is_better=False).axes[0]
    assert loss.get_ylim()[1] < 0.15


def test_a_funnel_is_logarithmic_and_says_the_numbers():
    figure = draw_funnel(["a", "b", "c", "d"], [10000, 100, 1, 0], ["1 s", "", "", "2 s"])
    widths = [patch.get_width() for patch in figure.axes[0].patches]
    np.testing.assert_allclose(np.diff(widths[:3]), -2)
    assert widths[2] > 0  # one is seen
    assert widths[3] == 0  # none is not
    assert texts(figure)[-4:] == ["10,000", "100", "1", "0"]
    with pytest.raises(ValueError, match="none may be negative"):
        draw_funnel(["a"], [-1])
