"""From a config to trained curves, formulas and what they cost; nothing is chosen on rows that are scored."""

import copy

import matplotlib.image
import pytest
import torch
from axonlight.activations import Formula
from axonlight.datamodules import BreastCancer
from axonlight.discovery.snapping import learn_then_snap, snap_curve
from axonlight.discovery.snapping.shapes import length_of
from axonlight.errors import InputError
from axonlight.plots import draw_snapped_curves

pytestmark = pytest.mark.xdist_group("snapping_study")  # its fixtures are made once

LIBRARY = ["x", "relu(x)", "sin(x)", "tanh(x)", "x*sigmoid(x)", "softplus(x)"]
OPTIONS = {"hidden": [8, 4], "activation": "rational(init=silu)", "dropout": 0.1}
CONFIG = {
    "seed_everything": 1,
    "model": {
        "class_path": "ClassificationTask",
        "init_args": {"network": {"class_path": "DenseNetwork", "init_args": OPTIONS}},
    },
    "data": {"class_path": "BreastCancer", "init_args": {"val_fraction": 0.2, "batch_size": 64}},
    "trainer": {"max_epochs": 4, "accelerator": "cpu"},
}


@pytest.fixture(scope="module")
def found():
    return learn_then_snap(CONFIG, retrain_epochs=2, test=True, library=LIBRARY, constants="all")


def test_every_step_is_scored_on_validation_and_once_on_test_rows(found):
    assert list(found.scores) == ["curve", "snapped", "retrained", "curve, trained on"]
    assert all({"auroc", "accuracy"} <= set(each.validation) & set(each.test) for each in found.scores.values())
    assert found.loss("auroc", "curve") == 0
    assert abs(found.loss("auroc", "retrained")) < 0.05
    # two rationals of 10 coefficients became two formulas of 4 constants
    assert found.scores["curve"].parameters - found.scores["snapped"].parameters == 2 * (10 - 4)
    # training went on: another loss
    assert found.scores["retrained"].validation["loss"] != found.scores["snapped"].validation["loss"]


def test_equal_seeds_give_equal_figures(found):
    again = learn_then_snap(CONFIG, retrain_epochs=2, test=True, library=LIBRARY, constants="all")
    assert again.scores == found.scores
    assert again.report.to_dict() == found.report.to_dict()


@pytest.mark.parametrize("scored", ["validation", "test"])
def test_rows_that_are_scored_change_no_formula(found, scored, monkeypatch):
    original = BreastCancer.setup

    def setup(data, stage=None):
        original(data, stage)
        loader = data.val_dataloader if scored == "validation" else data.test_dataloader

        def mutated():
            batches = loader()
            batches.tensors = (torch.full_like(batches.tensors[0], 7.0), *batches.tensors[1:])
            return batches

        name = "val_dataloader" if scored == "validation" else "test_dataloader"
        monkeypatch.setattr(data, name, mutated, raising=False)

    monkeypatch.setattr(BreastCancer, "setup", setup)
    # another shuffle_seed of the same value: the cached data module is not taken
    config = copy.deepcopy(CONFIG)
    config["data"]["init_args"]["shuffle_seed"] = 1
    changed = learn_then_snap(config, retrain_epochs=2, test=True, library=LIBRARY, constants="all")
    assert changed.report.to_dict() == found.report.to_dict()
    rows = scored if scored == "validation" else "test"
    assert getattr(changed.scores["curve"], rows) != getattr(found.scores["curve"], rows)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"retrain": "none"}, "retrain is 'none'"),
        ({"retrain_epochs": 0}, "retrain_epochs is 0"),
        ({"val_fraction": 0.0}, "no validation rows"),
        ({"activation": "relu"}, "no learned curve"),
    ],
)
def test_wrong_settings_are_refused(change, message):
    config, change = copy.deepcopy(CONFIG), dict(change)
    config["data"]["init_args"]["val_fraction"] = change.pop("val_fraction", 0.2)
    config["model"]["init_args"]["network"]["init_args"]["activation"] = change.pop("activation", "rational()")
    config["trainer"]["max_epochs"] = 1
    with pytest.raises(InputError, match=message):
        learn_then_snap(config, library=LIBRARY, **change)


def test_a_panel_shows_curve_and_formula_at_the_same_points(found, tmp_path):
    panels = [curve.panel() for curve in found.report.snapped]
    for panel, curve in zip(panels, found.report.snapped, strict=True):
        formula = Formula(curve.readable).double()
        x = torch.from_numpy(panel.x)
        torch.testing.assert_close(torch.from_numpy(panel.formula), formula(x).detach(), atol=1e-6, rtol=1e-5)
    path = draw_snapped_curves(panels, tmp_path / "made" / "curves.png")
    image = matplotlib.image.imread(path)
    assert image.shape[1] > image.shape[0] > 300
    assert image[..., :3].std() > 0.02


def test_a_function_inside_a_function_makes_a_formula_longer():
    assert length_of("cos(cos(x))", 3) == 4
    assert length_of("cos(x) + cos(x)", 5) == 5
    assert length_of("cos((x + x) * sin(x))", 8) == 9
    # tanh(x) is as near to itself as a nested formula of as many nodes, and shorter
    assert snap_curve(torch.tanh, (-2, 2), ["sin(sin(x))", "x*x", "tanh(x)"]).shape == "tanh(x)"
