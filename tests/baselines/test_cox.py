"""Ridge Cox: at the optimum of an independent likelihood, the same in any unit, fast, fitted on training rows."""

import time as clock

import numpy as np
import pytest
import torch
from axonlight.baselines import RidgeCox, survival_floors, survival_risks
from axonlight.baselines.partial_likelihood import Curvature, PartialLikelihood
from axonlight.errors import InputError
from axonlight.metrics.survival import concordance_index
from axonlight.models.losses import cox_loss


def sample(rows=80, columns=6, seed=0, ties=12):
    """Return tied survival data whose first column is the log hazard."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(rows, columns))
    time = np.ceil(ties * generator.exponential(np.exp(-x[:, 0])) / 2 + 0.01)
    return x, time, (generator.random(rows) < 0.6).astype(float)


def objective_gradient(model, x, time, event):
    """Return the gradient of penalty and partial likelihood at the fitted weights, by torch's automatic derivative."""
    centred = torch.tensor(x - x.mean(axis=0))
    weights = torch.tensor(model.coefficients, requires_grad=True)
    loss = cox_loss(centred @ weights, torch.tensor(time), torch.tensor(event)) * event.sum()
    penalty = model.alpha * float((centred**2).sum(dim=1).mean())
    (loss + 0.5 * penalty * weights.square().sum()).backward()
    return weights.grad


@pytest.mark.parametrize("columns", [3, 200])
@pytest.mark.parametrize("alpha", [0.001, 0.1, 10.0])
def test_the_weights_are_at_the_optimum(columns, alpha):
    x, time, event = sample(columns=columns)
    model = RidgeCox(alphas=[alpha]).fit(x, time, event)
    assert model.alpha == alpha
    assert objective_gradient(model, x, time, event).abs().max() < 1e-5
    assert np.abs(model.coefficients).max() > 0


def test_without_penalty_it_is_statsmodels():
    from statsmodels.duration.hazard_regression import PHReg

    x, time, event = sample()
    expected = PHReg(time, x, status=event, ties="efron").fit().params
    np.testing.assert_allclose(RidgeCox(alphas=[1e-12]).fit(x, time, event).coefficients, expected, rtol=1e-5)


def test_curvature_is_the_derivative_of_the_slope():
    x, time, event = sample(rows=30)
    likelihood = PartialLikelihood(time, event > 0)
    ordered, weights = x[likelihood.order], np.linspace(-1, 1, 6)
    at = Curvature(likelihood, ordered, ordered @ weights)
    step = 1e-6 * np.eye(6)
    back = np.argsort(likelihood.order)
    for column in range(6):
        ends = [weights + sign * step[column] for sign in (1, -1)]
        values = [likelihood.negative_log((ordered @ end)[back]) for end in ends]
        slopes = [Curvature(likelihood, ordered, ordered @ end).gradient() for end in ends]
        assert at.gradient()[column] == pytest.approx((values[0] - values[1]) / 2e-6, abs=1e-6)
        np.testing.assert_allclose(at.product(step[column] * 1e6), (slopes[0] - slopes[1]) / 2e-6, atol=1e-6)


def test_small_hazards_after_large_ones_keep_their_digits():
    """Running sums over 40 powers of e would leave nothing of the last risk sets."""
    time = np.repeat(np.arange(1.0, 21.0), 2)
    log_hazard = np.linspace(40, -40, 40)
    likelihood = PartialLikelihood(time, np.ones(40, dtype=bool))
    expected = cox_loss(torch.tensor(log_hazard), torch.tensor(time), torch.ones(40)) * 40
    assert likelihood.negative_log(log_hazard) == pytest.approx(float(expected), rel=1e-10)


@pytest.mark.parametrize("choose_by", ["partial_likelihood", "c_index"])
def test_what_the_inner_folds_choose(choose_by):
    """Noise is shrunk away, one strong column is not; the unit of x does not matter."""
    x, time, event = sample(rows=150, columns=60)
    signal = RidgeCox(choose_by=choose_by).fit(3 * x[:, :1], time, event)
    # every penalty ranks by one column alike, and of equals the strongest is taken
    assert signal.alpha < 10 if choose_by == "partial_likelihood" else signal.alpha == 100
    model = RidgeCox(choose_by=choose_by).fit(x, time, event)
    again = RidgeCox(choose_by=choose_by).fit(1_000 * x + 5, time, event)
    assert model.alpha == again.alpha
    np.testing.assert_allclose(model.risk(x), again.risk(1_000 * x + 5), rtol=1e-6, atol=1e-9)
    noise = RidgeCox().fit(x[:, 1:], np.random.default_rng(5).permutation(time), event)
    assert noise.alpha >= 10


def test_cross_validated_likelihood_by_hand():
    x, time, event = sample(rows=40, columns=2)
    model = RidgeCox(alphas=[0.1, 1.0], seed=3).fit(x, time, event)
    from axonlight.baselines.cox import _fold_numbers

    parts = _fold_numbers(event > 0, 3, 3)
    unit = np.mean(np.sum((x - x.mean(axis=0)) ** 2, axis=1))
    for place, alpha in enumerate([0.1, 1.0]):
        total = 0.0
        for fold in range(3):
            train = parts != fold
            inner = x[train] - x[train].mean(axis=0)
            scaled = alpha * unit / np.mean(np.sum(inner**2, axis=1))
            fitted = RidgeCox(alphas=[scaled]).fit(x[train], time[train], event[train])
            risk = torch.tensor(fitted.risk(x))
            everybody = cox_loss(risk, torch.tensor(time), torch.tensor(event)) * event.sum()
            known = cox_loss(risk[train], torch.tensor(time[train]), torch.tensor(event[train])) * event[train].sum()
            total += float(known - everybody)
        assert model.scores[place] == pytest.approx(total, rel=1e-4)


def test_folds_share_out_the_events():
    from axonlight.baselines.cox import _fold_numbers

    event = np.arange(31) % 5 == 0
    counts = np.bincount(_fold_numbers(event, 3, 0)[event])
    assert counts.tolist() == [3, 2, 2]


def test_columns_without_information():
    x, time, event = sample(rows=20, columns=3)
    model = RidgeCox().fit(np.ones((20, 3)), time, event)
    assert model.risk(x).tolist() == [0] * 20
    one = event * 0
    one[4] = 1
    assert np.isfinite(RidgeCox().fit(x, time, one).risk(x)).all()


def test_the_whole_path_is_fast():
    x, time, event = sample(rows=288, columns=1577)
    RidgeCox().fit(x[:30], time[:30], event[:30])
    started = clock.process_time()
    RidgeCox().fit(x, time, event)
    # 0.4 s on one core; room for a machine that is busy
    assert clock.process_time() - started < 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"time": lambda t: np.where(np.arange(80) == 7, 0, t)}, "time of the training rows is 0 in row 7"),
        ({"time": lambda t: np.where(np.arange(80) == 7, np.nan, t)}, "time of the training rows is nan in row 7"),
        ({"event": lambda e: np.where(np.arange(80) == 3, 2, e)}, "event of the training rows is 2 in row 3"),
        ({"event": lambda e: 0 * e}, "all 80 training rows are censored"),
        ({"event": lambda e: e[:5]}, r"shapes \(80,\) and \(5,\)"),
        ({"x": lambda x: x[:5]}, r"x has shape \(5, 6\)"),
        ({"x": lambda x: x * np.nan}, "x holds nan in row 0, column 0"),
    ],
)
def test_refusals(change, message):
    x, time, event = sample()
    values = {"x": x, "time": time, "event": event}
    for key, function in change.items():
        values[key] = function(values[key])
    with pytest.raises(InputError, match=message):
        RidgeCox().fit(**values)


def test_options_that_are_refused():
    for options, message in [
        ({"alphas": []}, "alphas is"),
        ({"alphas": [0.0]}, "alphas is"),
        ({"inner_folds": 1}, "inner_folds is 1"),
        ({"choose_by": "auc"}, "choose_by is 'auc'"),
    ]:
        with pytest.raises(InputError, match=message):
            RidgeCox(**options)


# Floors on views


def views_of(seed=0):
    x, time, event = sample(rows=300, columns=8, seed=seed)
    parts = {"rna": x[:, 1:], "pathway_means": x[:, :2], "clinical": x[:, :1] + 3 * x[:, 5:6]}
    views = {name: (values[:200], values[200:]) for name, values in parts.items()}
    target = np.stack([time, event], axis=1)
    return views, target[:200], target[200:]


def test_floors_are_scored_on_the_test_rows():
    views, train, test = views_of()
    risks = survival_risks(views, train)
    found = survival_floors(views, train, test)
    assert list(found) == ["constant", "rna", "pathway_means", "clinical", "rank_average"]
    for name, risk in risks.items():
        expected = concordance_index(torch.tensor(risk), *torch.tensor(test).T)
        assert found[name]["c_index"] == pytest.approx(float(expected))
    assert found["constant"]["c_index"] == 0.5
    assert found["pathway_means"]["c_index"] > 0.65
    ranks = [np.argsort(np.argsort(risks[name])) + 1 for name in ("pathway_means", "clinical")]
    np.testing.assert_allclose(risks["rank_average"], np.mean(ranks, axis=0))


def test_test_rows_change_nothing_but_their_own_risk():
    views, train, _ = views_of()
    moved = {name: (rows, np.concatenate([rest[:1], 100 + rest[1:]])) for name, (rows, rest) in views.items()}
    before, after = survival_risks(views, train), survival_risks(moved, train)
    for name in ("rna", "pathway_means", "clinical"):
        assert before[name][0] == after[name][0]
        assert before[name][1] != after[name][1]


def test_floors_by_name():
    views, train, test = views_of()
    alone = survival_floors({"rna": views["rna"]}, train, test)
    assert list(alone) == ["constant", "rna"]
    both = survival_floors({name: views[name] for name in ("rna", "clinical")}, train, test, floors=["rank_average"])
    assert list(both) == ["rank_average"]
    with pytest.raises(InputError, match=r"there is no floor 'clinicl', only .*did you mean 'clinical'"):
        survival_floors(views, train, test, floors=["clinicl"])
    with pytest.raises(InputError, match="there is no floor 'rank_average'"):
        survival_floors({"rna": views["rna"]}, train, test, floors=["rank_average"])
    with pytest.raises(InputError, match=r"y_train has shape \(200,\)"):
        survival_floors(views, train[:, 0], test)
    with pytest.raises(InputError, match="views is empty"):
        survival_risks({}, train)


# The published folds: per-fold mean within .015 of the reference's figures, whose inner folds are not known.
PUBLISHED = {
    ("blca", "dss"): {"pathway_means": 0.666, "clinical": 0.630, "rank_average": 0.685},
    ("stad", "os"): {"pathway_means": 0.623, "clinical": 0.593, "rank_average": 0.645},
}


@pytest.mark.parametrize(("cohort", "endpoint"), PUBLISHED)
def test_published_folds(data_root, cohort, endpoint):
    from axonlight.datamodules import TCGA

    options = {
        "task": "survival",
        "val_fraction": 0,
        "hierarchy": {"reader": "signatures", "path": "xena_signatures.csv"},
    }
    found = []
    for fold in range(5):
        data = TCGA(str(data_root), cohort, endpoint, fold=fold, **options)
        views = {name: view for name, view in data.floor_views().items() if name != "rna"}
        assert views["pathway_means"][0].shape[1] == 281
        found.append(survival_floors(views, *(data.survival_targets(part).numpy() for part in ("train", "test"))))
    for name, expected in PUBLISHED[cohort, endpoint].items():
        assert np.mean([fold[name]["c_index"] for fold in found]) == pytest.approx(expected, abs=0.015)
