"""The figures of a report on a phone: every text inside, none over another, large enough; no global state."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
from axonlight.plots import (
    draw_calibrated_importance,
    draw_dose_response,
    draw_forest,
    draw_learning_bands,
    draw_light,
    draw_null_distribution,
    draw_null_quality,
)
from axonlight.plots.rows import shortened
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.text import Text

LONG = [
    "real",
    "binn / formula(cos(x)-cos(cos(x))) / DegreePreserving(method='curveball', trades_per_node=10) against real",
    "a name with $dollar_signs^2 and \\backslashes",
    "UnbrokenNameOfAnArmThatSomebodyWroteWithoutASingleSpaceInItBecauseConfigsAllowThat",
    "HALLMARK_INTERFERON_GAMMA_RESPONSE AND MWM_WWM GENES OF MANY CAPITALS",
]
GENERATOR = np.random.default_rng(0)
TITLE = "Does the hierarchy help, or only its sparsity? Proteomics, 5 folds, 2 repeats, corrected 95 % intervals"
VERDICTS = ["better", "worse", "equivalent", "inconclusive", "inconclusive"]
SHARES = GENERATOR.random((5, 4))

FIGURES = {
    "forest": lambda axes=None: draw_forest(
        LONG,
        [0.02, -0.03, 0.001, 0.004, np.nan],
        [0.005, -0.05, -0.006, -0.03, np.nan],
        [0.035, -0.012, 0.007, 0.04, np.nan],
        VERDICTS,
        0.01,
        xlabel="difference in auroc",
        title="" if axes else TITLE,
        axes=axes,
    ),
    "null distribution": lambda axes=None: draw_null_distribution(
        {name: GENERATOR.normal(0.9, 0.01, 99) for name in LONG},
        0.93,
        [0.01] * 5,
        title="" if axes else TITLE,
        axes=axes,
    ),
    "learning bands": lambda axes=None: draw_learning_bands(
        {name: GENERATOR.random((6, 40)) for name in LONG}, title="" if axes else TITLE, axes=axes
    ),
    "light": lambda axes=None: draw_light(
        {name: GENERATOR.random(300) * (np.arange(300) % 50 < 10) for name in LONG},
        {"loss of the training batches": np.where(np.arange(300) % 90, GENERATOR.normal(size=300), np.nan)},
        title="" if axes else TITLE,
        axes=axes,
    ),
    "null quality": lambda axes=None: draw_null_quality(
        LONG,
        ["live inputs", "live nodes", "live edges", "edge overlap"],
        SHARES,
        SHARES * 0.9,
        np.minimum(SHARES * 1.1, 1),
        title="" if axes else TITLE,
        axes=axes,
    ),
    "dose response": lambda axes=None: draw_dose_response(
        np.repeat([0, 0.25, 0.5, 0.75, 1], 10),
        GENERATOR.normal(0.9, 0.01, 50),
        slope=-0.0312,
        slope_interval=(-0.0452, -0.0161),
        title="" if axes else TITLE,
        axes=axes,
    ),
    "importance": lambda axes=None: draw_calibrated_importance(
        LONG,
        [4.2, -0.4, 1.7, np.nan, -3],
        -2,
        2,
        [0.01, 0.7, 0.03, np.nan, 0.02],
        title="" if axes else TITLE,
        axes=axes,
    ),
}


def texts_of(figure):
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    found = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    for axes in figure.axes:
        # ticks beyond the ends of an axis are objects, but not drawn
        hidden = {
            id(tick)
            for axis, limits in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim()))
            for tick, place in zip(axis.get_ticklabels(), axis.get_ticklocs(), strict=True)
            if not min(limits) <= place <= max(limits)
        }
        found = [text for text in found if id(text) not in hidden]
    return [(text, text.get_window_extent(renderer)) for text in found]


@pytest.mark.parametrize("name", FIGURES)
def test_texts_are_inside_apart_and_large_enough(name):
    figure = FIGURES[name]()
    assert isinstance(figure, Figure)
    width, height = figure.get_size_inches() * figure.dpi
    texts = texts_of(figure)
    assert len(texts) > 6
    for text, box in texts:
        assert text.get_fontsize() >= 9, text
        assert box.x0 >= -1, text
        assert box.y0 >= -1, text
        assert box.x1 <= width + 1, text
        assert box.y1 <= height + 1, text
    for (text, box), (other, second) in itertools.combinations(texts, 2):
        # boxes of neighbouring lines touch: what counts is ink, a tenth of a letter inside
        assert not box.padded(-1.5).overlaps(second.padded(-1.5)), f"{text} lies over {other}"
    # 390 pixels less the margins of a page: letters of 9 points are then 9 pixels high or more
    assert 9 * 350 / (72 * figure.get_figwidth()) >= 9


@pytest.mark.parametrize("name", sorted(FIGURES.keys() - {"dose response"}))
def test_dollars_and_backslashes_stay_text(name):
    assert any("$dollar_signs^2" in text.get_text() for text, _ in texts_of(FIGURES[name]()))


@pytest.mark.parametrize("name", FIGURES)
def test_axes_of_the_caller_are_used(name):
    figure = Figure(figsize=(6, 8))
    axes = figure.add_subplot()
    assert FIGURES[name](axes) is figure
    assert figure.axes == [axes]
    assert axes.has_data()


@pytest.mark.parametrize("name", FIGURES)
def test_files_of_any_kind_and_no_global_state(name, tmp_path):
    before = plt.get_fignums()
    figure = FIGURES[name]()
    for suffix in ("svg", "png", "pdf"):
        path = tmp_path / f"figure.{suffix}"
        figure.savefig(path)
        assert path.stat().st_size > 2000
    assert plt.get_fignums() == before


def test_pyplot_is_never_imported():
    code = "import axonlight.plots, sys; print('matplotlib.pyplot' in sys.modules)"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert child.stdout.strip() == "False"


def test_names_are_broken_and_shortened():
    assert shortened("real against dense", 30) == "real against dense"
    lines = shortened(LONG[1], 24).split("\n")
    assert len(lines) == 3
    assert max(map(len, lines)) <= 24
    assert lines[-1].endswith("…")
    assert shortened("", 24) == ""
