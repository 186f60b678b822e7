"""Kaplan-Meier figures: curves, numbers at risk, the test that is written, texts that can be read."""

import itertools

import numpy as np
import pytest
import torch
from axonlight.errors import InputError
from axonlight.metrics import kaplan_meier, log_rank_test
from axonlight.plots import draw_kaplan_meier
from matplotlib.figure import Figure
from matplotlib.text import Text

LOW = (np.array([9.0, 12.0, 12.0, 20.0]), np.array([1, 0, 1, 0]))
HIGH = (np.array([2.0, 3.0, 5.0, 8.0]), np.array([1, 1, 0, 1]))
LONG = "HALLMARK_INTERFERON_GAMMA_RESPONSE AND MWM_WWM GENES of $dollar_signs^2 in the upper third of the risk"


def cohort(patients, seed=0):
    generator = np.random.default_rng(seed)
    return np.ceil(40 * generator.exponential(size=patients)), generator.integers(0, 2, patients)


def texts_of(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_the_curve_drawn_is_the_estimate():
    axes = draw_kaplan_meier({"all": HIGH}).axes[0]
    line = next(line for line in axes.lines if line.get_drawstyle() == "steps-post")
    curve = kaplan_meier(*HIGH)
    assert line.get_xdata().tolist() == [0.0, *curve.time.tolist()]
    assert line.get_ydata().tolist() == [1.0, *curve.survival.tolist()]
    marks = next(line for line in axes.lines if line.get_marker() == "|")
    assert marks.get_xdata().tolist() == [5.0]
    assert marks.get_ydata().tolist() == [float(curve.at([5.0]))]
    band = axes.collections[0].get_paths()[0].vertices
    assert band[:, 1].min() == pytest.approx(float(np.nanmin(curve.low)))


def test_numbers_at_risk_are_those_at_the_ticks():
    figure = draw_kaplan_meier({"low": LOW, "high": HIGH})
    ticks = figure.axes[0].get_xticks()
    assert texts_of(figure)[0] == "low: 4 patients, 2 events; at risk"
    at_risk = [[str(int((time >= tick).sum())) for tick in ticks] for time, _ in (LOW, HIGH)]
    assert ticks[0] == 0
    assert ticks[-1] <= 20
    assert texts_of(figure) == [
        "low: 4 patients, 2 events; at risk",
        *at_risk[0],
        "high: 4 patients, 3 events; at risk",
        *at_risk[1],
    ]


def test_the_test_written_is_that_of_the_patients_drawn():
    groups = {"low": LOW, "middle": cohort(30), "high": HIGH}
    time, event = (np.concatenate([group[part] for group in groups.values()]) for part in (0, 1))
    expected = float(log_rank_test(time, event, np.repeat([0, 1, 2], [4, 30, 4])).p_value)
    assert f"log-rank p = {expected:.2g}; bands" in draw_kaplan_meier(groups).axes[0].get_xlabel()
    assert "p = 0.034;" in draw_kaplan_meier(groups, 0.034).axes[0].get_xlabel()
    assert "p < 0.0001;" in draw_kaplan_meier(groups, 3e-9).axes[0].get_xlabel()


def test_one_group_has_no_test_and_equal_groups_an_undefined_one():
    assert draw_kaplan_meier({"all": LOW}, xlabel="years").axes[0].get_xlabel() == "years\nband: 95 % intervals"
    nobody = (np.array([3.0, 4.0]), np.array([0, 0]))
    assert "log-rank test undefined" in draw_kaplan_meier({"a": nobody, "b": nobody}).axes[0].get_xlabel()


def test_tensors_are_taken_too():
    figure = draw_kaplan_meier({"a": (torch.tensor([1.0, 2.0]), torch.tensor([True, False]))})
    assert texts_of(figure)[0] == "a: 2 patients, 1 events; at risk"


@pytest.mark.parametrize("groups", [1, 2, 5])
@pytest.mark.parametrize("title", ["", "Overall survival of the test patients of five folds, groups cut in training"])
def test_texts_are_inside_apart_and_large_enough(groups, title):
    names = [LONG, "low risk", "a", "b", "UnbrokenNameOfAGroupThatSomebodyWroteWithoutASingleSpaceInItBecauseOneMay"]
    figure = draw_kaplan_meier({names[place]: cohort(1500, place) for place in range(groups)}, title=title)
    assert isinstance(figure, Figure)
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    width, height = figure.get_size_inches() * figure.dpi
    low, high = figure.axes[0].get_xlim()
    hidden = {id(tick.label1) for tick in figure.axes[0].xaxis.get_major_ticks() if not low <= tick.get_loc() <= high}
    low, high = figure.axes[0].get_ylim()
    hidden |= {id(tick.label1) for tick in figure.axes[0].yaxis.get_major_ticks() if not low <= tick.get_loc() <= high}
    found = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    found = [text for text in found if id(text) not in hidden]
    boxes = [(text, text.get_window_extent(renderer)) for text in found]
    assert any("dollar_signs^2" in text.get_text() for text in found)
    for text, box in boxes:
        assert text.get_fontsize() >= 9
        assert min(box.x0, box.y0) >= -1, text
        assert box.x1 <= width + 1, text
        assert box.y1 <= height + 1, text
    for (text, box), (other, second) in itertools.combinations(boxes, 2):
        assert not box.padded(-1.5).overlaps(second.padded(-1.5)), f"{text} lies over {other}"


def test_axes_of_the_caller_are_used():
    figure = Figure(figsize=(6, 8))
    axes = figure.add_subplot()
    assert draw_kaplan_meier({"low": LOW, "high": HIGH}, axes=axes) is figure
    assert figure.axes == [axes]
    assert axes.has_data()


def test_groups_without_patients_are_refused_by_name():
    with pytest.raises(InputError, match="group high has no patient"):
        draw_kaplan_meier({"low": LOW, "high": (np.zeros(0), np.zeros(0))})
    with pytest.raises(InputError, match="groups are empty"):
        draw_kaplan_meier({})
    with pytest.raises(InputError, match="event is neither 0 nor 1 in row 2 "):
        draw_kaplan_meier({"low": (LOW[0], np.array([0, 1, 2, 0]))})
