"""The parts of the stages, each against an independent computation."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from axonlight.comparison.design import PlannedRun
from axonlight.discovery import Candidate
from axonlight.discovery.front import evaluation_cost, pareto_front, roughness
from axonlight.discovery.search_settings import GateSettings
from axonlight.discovery.stages import Funnel, StageResult
from axonlight.discovery.stages.gate import equal_after_normalisation, gate_recipe, gate_results, spec_of
from axonlight.discovery.stages.proxies import measure_proxies
from axonlight.discovery.stages.runner import group_alike
from axonlight.discovery.stages.training import mean_score
from axonlight.errors import InputError
from axonlight.models import ClassificationTask, DenseNetwork
from scipy import integrate, stats

pytestmark = pytest.mark.xdist_group("search")  # its fixtures are made once


def candidate(text, **known):
    return Candidate.from_text(text, engine="test", **known)


def gated(text, **limits):
    return gate_results([gate_recipe(candidate(text), GateSettings(**limits))])[0]


def under_normal(function):
    return integrate.quad(lambda x: function(x) * stats.norm.pdf(x), -12, 12, limit=200)[0]


def test_gate_measures_what_networks_take():
    plain, found = gated("x*cos(x)", normalize=False).metrics, gated("x*cos(x)").metrics
    second = under_normal(lambda x: (x * math.cos(x)) ** 2)
    slope = under_normal(lambda x: (math.cos(x) - x * math.sin(x)) ** 2)
    assert plain["second"] == pytest.approx(second, abs=1e-9)
    assert plain["slope"] == pytest.approx(slope, abs=1e-9)
    assert (found["shift"], found["scale"]) == pytest.approx((0, second**-0.5), abs=1e-6)
    assert (found["mean"], found["second"], found["slope"]) == pytest.approx((0, 1, slope / second), abs=1e-6)


@pytest.mark.parametrize(
    ("text", "limits", "reason"),
    [
        ("x*x*x*x", {}, "grows like"),
        ("x*x", {"max_growth": 1.5}, "grows like"),
        ("x - x", {}, "constant"),
        ("100*x", {"max_slope": 50.0, "normalize": False}, "its slope reaches 100"),
    ],
)
def test_gate_refuses(text, limits, reason):
    assert reason in gated(text, **limits).error


def test_equal_in_a_network():
    texts = ["x*cos(x)", "2*x*cos(x) - 7", "sin(x)", "0 - sin(x)", "x*x + x", "x*x - x", "cos(x)", "abs(x)"]
    candidates = []
    for text in texts:
        found = gated(text).metrics
        candidates.append(candidate(text, normalization=(found["shift"], found["scale"])))
    # by hand: scaled and shifted, sign changed, reflected
    assert equal_after_normalisation(candidates) == [None, 0, None, 2, None, 4, None, None]


def test_spec_holds_constants_exactly():
    spec = spec_of(candidate("x*cos(a*x)", constants={"a": 0.1 + 0.2}), normalize=False)
    assert spec == "formula(x*cos(a*x), a=0.30000000000000004)"


# Proxies ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def task_and_batch():
    torch.manual_seed(3)
    task = ClassificationTask(partial(DenseNetwork, hidden=[12, 6], activation="tanh", norm="none"), in_features=5)
    x = torch.randn(40, 5)
    return task, x, (x[:, 0] * x[:, 1] > 0).long()


def test_proxies_against_plain_torch(task_and_batch):
    task, x, y = task_and_batch
    found = measure_proxies(task, x, y)
    linears = [module for module in task.network.modules() if isinstance(module, torch.nn.Linear)]
    weights = [linear.weight.detach().clone().requires_grad_() for linear in linears]
    hidden = [x]
    for weight, linear in zip(weights, linears, strict=True):
        hidden.append(hidden[-1] @ weight.T + linear.bias.detach())
        if weight is not weights[-1]:
            hidden[-1] = hidden[-1].tanh()
    loss = torch.nn.functional.binary_cross_entropy_with_logits(hidden[-1].squeeze(1), y.float())
    gradients = torch.autograd.grad(loss, weights)
    assert found["loss"] == pytest.approx(loss.item(), rel=1e-5)
    assert found["gradient"] == pytest.approx(math.log10(gradients[0].norm() / gradients[-1].norm()), abs=1e-4)
    variances = [values.var(0).mean().item() for values in hidden[1:3]]
    assert found["signal"] == pytest.approx(math.log10(variances[1] / variances[0]), abs=1e-4)
    assert found["lost_decades"] == abs(found["gradient"]) + abs(found["signal"])


def test_proxies_refuse_what_is_not_finite(task_and_batch):
    task, x, y = task_and_batch
    with pytest.raises(InputError, match="is not finite"):
        measure_proxies(task, x * torch.inf, y)


def test_a_candidate_fails_in_a_rung_with_one_of_its_seeds():
    good, bad = StageResult({"auroc": 0.8}), StageResult(error="auroc is nan")
    assert mean_score([good, bad, good], "auroc") == bad
    assert mean_score([good, StageResult({"auroc": 0.6})], "auroc").scores["auroc"] == pytest.approx(0.7)


# Front -----------------------------------------------------------------------------------------------------------


def test_front_against_brute_force():
    goals = np.random.default_rng(0).integers(0, 4, (60, 3)).astype(float)
    beaten = [any((b >= a).all() and (b > a).any() for b in goals) for a in goals]
    assert pareto_front(goals) == [not one for one in beaten]
    assert pareto_front(np.array([[1.0, math.nan], [0.0, 0.0]])) == [False, True]


def test_roughness_of_known_functions():
    # (x^2)'' = 2 and the variance of x^2 is 2; sin'' = -sin up to the step
    assert roughness("x*x") == pytest.approx(math.sqrt(2), rel=1e-3)
    assert roughness("sin(x)") == pytest.approx(1, rel=2e-3)
    assert roughness("x*x") == pytest.approx(roughness("3*x*x + 5"))


def test_cost_counts_common_parts_once():
    assert evaluation_cost("sin(x)*sin(x)") == evaluation_cost("sin(x)") + 1


# Funnel and groups -----------------------------------------------------------------------------------------------


def test_funnel_keeps_the_best_and_the_earlier_of_equals():
    funnel = Funnel([candidate(text) for text in ("x", "sin(x)", "cos(x)", "x*x", "1/x")], 0.5)
    losses = [0.5, 0.4, 0.4, 0.3]
    results = [*(StageResult({"loss": loss}) for loss in losses), StageResult(error="loss is nan")]
    funnel.judge("few", results, 2.0)
    funnel.keep("few/loss", 2, sign=-1)
    assert [entry.candidate.formula for entry in funnel.alive] == ["x*x", "sin(x)"]
    last = funnel.outcomes[-1]
    assert (last.entered, last.failed, last.kept, last.left_behind) == (5, 1, 2, 2)
    assert last.reasons == {"loss is nan": 1}
    assert funnel.searched()[4].failure == "loss is nan"


def test_agreement_is_a_rank_correlation_of_goodness():
    generator = np.random.default_rng(1)
    first, second = generator.normal(size=(2, 12))
    funnel = Funnel([candidate(f"x + {place}") for place in range(12)], 0.0)
    funnel.judge("a", [StageResult({"loss": value}) for value in first], 0.0)
    funnel.keep("a/loss", 12, sign=-1)
    order = [int(entry.candidate.formula.split()[-1]) for entry in funnel.alive]
    funnel.judge("b", [StageResult({"auroc": second[place]}) for place in order], 0.0)
    funnel.keep("b/auroc", 12, sign=1)
    assert funnel.outcomes[1].agreement == pytest.approx(stats.spearmanr(-first, second).statistic)


def test_groups_are_of_one_size_and_hold_what_trains_alike():
    recipes = [{"stage": "training", "spec": str(place), "seed": 0} for place in range(50)]
    runs = [PlannedRun(str(place), 0, 0, 0, None, one, str(place)) for place, one in enumerate(recipes)]
    assert [len(group) for group in group_alike(runs, 100)] == [13, 13, 13, 11]
    assert [len(group) for group in group_alike(runs, 10)] == [10] * 5
    assert [len(group) for group in group_alike(runs[:9], 100)] == [9]
