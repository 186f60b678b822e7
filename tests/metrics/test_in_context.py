"""Measures of in-context learning, against loops and closed forms."""

import math

import numpy as np
import pytest
import torch
from axonlight.errors import InputError
from axonlight.metrics import induction_strength, phase_change_point, plateau_share, previous_token_score


def random_pattern(rows=7, heads=3, tokens=5):
    scores = torch.randn(rows, heads, tokens, tokens, dtype=torch.float64)
    return scores.masked_fill(torch.ones(tokens, tokens).triu(1).bool(), -math.inf).softmax(-1)


def test_induction_strength_equals_a_loop():
    pattern = random_pattern(rows=20, tokens=7)
    labels = torch.stack([torch.randperm(5)[:3] for _ in range(20)])
    target = labels[torch.arange(20), torch.arange(20) % 3]
    expected = np.zeros(3)
    for row in range(20):
        for head in range(3):
            weight = pattern[row, head, 6, 1::2].tolist()
            place = row % 3
            others = [value for number, value in enumerate(weight) if number != place]
            expected[head] += (weight[place] - sum(others) / 2) / 20
    np.testing.assert_allclose(induction_strength(pattern, labels, target), expected, atol=1e-12)
    last = induction_strength(pattern[:, :, -1:], labels, target)
    np.testing.assert_allclose(last, expected, atol=1e-12)


def test_induction_strength_leaves_out_what_says_nothing():
    pattern = random_pattern(3)
    labels, target = torch.tensor([[0, 1], [2, 2], [0, 1]]), torch.tensor([0, 2, 4])
    alone = induction_strength(pattern[:1], labels[:1], target[:1])
    torch.testing.assert_close(induction_strength(pattern, labels, target), alone)
    assert induction_strength(pattern[1:], labels[1:], target[1:]).isnan().all()


def test_previous_token_score_equals_a_loop():
    pattern = random_pattern()
    expected = [np.mean([pattern[b, h, i, i - 1] for b in range(7) for i in range(1, 5)]) for h in range(3)]
    np.testing.assert_allclose(previous_token_score(pattern), expected, atol=1e-12)
    labels = [np.mean([pattern[b, h, i, i - 1] for b in range(7) for i in (1, 3)]) for h in range(3)]
    np.testing.assert_allclose(previous_token_score(pattern, labels_only=True), labels, atol=1e-12)


def test_phase_change_is_the_first_evaluation_below():
    samples, losses = [0, 10, 20, 30, 40], [1.0, 0.2, 0.5, 0.2, 0.1]
    assert phase_change_point(samples, losses) == 10
    assert phase_change_point(samples, losses, hold=2) == 30
    assert phase_change_point(samples, losses, threshold=0.15) == 40
    assert math.isnan(phase_change_point(samples, losses, threshold=0.05))
    assert math.isnan(phase_change_point(samples, losses, threshold=0.15, hold=2))
    assert math.isnan(phase_change_point([], []))


@pytest.mark.parametrize("spacing", [np.linspace(0, 100, 2001), np.linspace(0, 10, 2001) ** 2])
def test_plateau_share_of_an_exponential_has_a_closed_form(spacing):
    losses = math.log(5) * np.exp(-spacing / 40)
    expected = math.log(1.1 / 0.9) / math.log(math.log(5) / (0.4 * math.log(2)))
    assert plateau_share(spacing, losses) == pytest.approx(expected, abs=0.003)


def test_plateau_share_counts_the_time_before_learning_alone():
    samples = [0, 1, 2, 8, 9, 100]
    losses = [1.6, 0.69, 0.69, 0.69, 0.0, 0.69]
    # 6 whole intervals, the last tenth of the fall to 0.69, the first tenth of that to 0
    fall, drop = (0.7625 - 0.69) / 0.91, (0.69 - 0.6238) / 0.69
    assert plateau_share(samples, losses) == pytest.approx((7 + fall + drop) / 9, abs=2e-3)
    assert plateau_share([0, 1], [1.6, 1.6]) == 0
    assert math.isnan(plateau_share([0], [1.6]))


def test_refusals():
    with pytest.raises(InputError, match=r"with 2 labels it must be \(batch, head, query, 5\)"):
        induction_strength(random_pattern(tokens=7), torch.zeros(7, 2), torch.zeros(7))
    with pytest.raises(InputError, match=r"must be \(batch, head, token, token\)"):
        previous_token_score(random_pattern()[:, :, -1:])
    with pytest.raises(InputError, match="hold is 0"):
        phase_change_point([0], [1.0], hold=0)
    with pytest.raises(InputError, match="samples do not increase"):
        phase_change_point([1, 0], [1.0, 1.0])
    with pytest.raises(InputError, match="one list of one length"):
        plateau_share([0, 1], [1.0])
