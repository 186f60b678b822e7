"""The figure of light over time says what the arrays say."""

import io

import numpy as np
import pytest
from axonlight.plots import draw_light
from axonlight.stimulation.light import build_light, light_schedule


def notes_of(figure):
    return [text.get_text() for text in figure.axes[0].texts][1::2]


def ink(figure):
    """Return the picture as an array of booleans: what is not white."""
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3].min(axis=-1) < 200


def test_shares_and_ranges_are_those_of_the_arrays():
    lights = {"a": [0, 0, 0.1, 0.5], "b": [0] * 4, "c": [1] * 4}
    traces = {"loss": [np.nan, -1.5, 2.25, 0], "nothing": [np.nan] * 4}
    notes = ["lit 50 %", "lit 0 %", "lit 100 %", "\N{MINUS SIGN}1.5 to 2.25", "no value"]
    assert notes_of(draw_light(lights, traces)) == notes
    assert notes_of(draw_light({"a": np.arange(1000) == 7, "b": np.arange(1000) != 7})) == ["lit < 1 %", "lit > 99 %"]


def test_bars_stand_on_the_lit_steps_and_are_as_high_as_the_light():
    levels = light_schedule(build_light({"window": [10, 30], "pulse": {"period": 10, "width": 4}, "strength": 0.5}), 40)
    axes = draw_light({"half": levels, "full": np.ones(40)}).axes[0]
    half, full = (collection.get_paths()[0].vertices for collection in axes.collections[::2])
    floor = half[:, 1].max()
    high = half[half[:, 1] < floor - 1e-9]
    assert sorted(set(high[:, 0])) == [10, 14, 20, 24]
    assert floor - half[:, 1].min() == pytest.approx(0.5 * np.ptp(full[:, 1]))


def test_light_above_one_sets_the_scale_of_all_rows():
    axes = draw_light({"two": [2.0, 2.0], "one": [1.0, 1.0]}).axes[0]
    two, one = (np.ptp(collection.get_paths()[0].vertices[:, 1]) for collection in axes.collections[::2])
    assert two == pytest.approx(2 * one)


def test_a_single_step_of_a_long_run_is_seen():
    dark, lit = np.zeros(1_000_000), np.zeros(1_000_000)
    lit[400_000] = 1
    pictures = [ink(draw_light({"one shot": row})) for row in (dark, lit)]
    # beneath the note, which differs too
    height = pictures[0].shape[0]
    rows = slice(int(0.35 * height), int(0.5 * height))
    assert pictures[1][rows].sum() > pictures[0][rows].sum()


def test_long_pulse_trains_stay_small_files():
    levels = np.arange(1_000_000) % 1000 < 300
    file = io.BytesIO()
    draw_light({"train": levels}).savefig(file, format="svg")
    assert len(file.getvalue()) < 1_000_000


def test_numbers_of_steps_are_those_of_the_caller():
    axes = draw_light({"a": [0, 1, 0]}, steps=[100, 110, 120]).axes[0]
    assert axes.get_xlim() == (100, 130)


@pytest.mark.parametrize(
    ("lights", "others", "message"),
    [
        ({}, {}, "lights is empty"),
        ({"a": [1, 0], "b": [1]}, {}, "b has 1 values where the first row has 2"),
        ({"a": [1, 0]}, {"traces": {"loss": [1]}}, "loss has 1 values where the first row has 2"),
        ({"a": [1, 0]}, {"steps": [1, 1]}, "steps do not increase"),
        ({"a": [1, 0]}, {"steps": [1]}, "steps has 1 values where the first row has 2"),
        ({"a": [1, np.nan]}, {}, "a holds intensities below 0 or not finite"),
        ({"a": [-1, 1]}, {}, "a holds intensities below 0"),
        ({"a": [[1, 0]]}, {}, r"a has the shape \(1, 2\); it must be \(steps,\)"),
    ],
)
def test_wrong_arrays_are_refused(lights, others, message):
    with pytest.raises(ValueError, match=message):
        draw_light(lights, **others)
