"""Stacked Adam is torch's."""

import pytest
import torch
from axonlight.errors import InputError
from axonlight.stimulation.arms.optimizer import AdamRule


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_updates_equal_those_of_torch(decay):
    torch.manual_seed(0)
    start = torch.randn(3, 4, 5, dtype=torch.float64)
    gradients = torch.randn(50, 3, 4, 5, dtype=torch.float64)
    rule = AdamRule(0.02, (0.8, 0.95), 1e-6, decay)
    value, first, second = start.clone(), torch.zeros_like(start), torch.zeros_like(start)
    alone = [torch.nn.Parameter(row.clone()) for row in start]
    optimizer = torch.optim.AdamW(alone, lr=0.02, betas=(0.8, 0.95), eps=1e-6, weight_decay=decay)
    for number, gradient in enumerate(gradients, 1):
        rule.update_all({"w": value}, {"w": gradient}, ({"w": first}, {"w": second}), rule.factors(number), None)
        for parameter, own in zip(alone, gradient, strict=True):
            parameter.grad = own
        optimizer.step()
    torch.testing.assert_close(value, torch.stack([p.detach() for p in alone]), rtol=1e-12, atol=1e-13)


def test_frozen_entries_keep_value_and_moments():
    rule = AdamRule(0.5)
    value, first, second = torch.ones(2, 2), torch.ones(2, 2), torch.ones(2, 2)
    gradient = torch.tensor([[0.0, 1.0], [0.0, 1.0]])
    rule.update_all(
        {"w": value}, {"w": gradient}, ({"w": first}, {"w": second}), rule.factors(1), torch.tensor([True, False])
    )
    for part in (value, first, second):
        assert part[0, 0] == 1
    assert value[0, 1] != 1
    assert first[1, 0] != 1  # the rule "act": momentum goes on


@pytest.mark.parametrize(
    ("values", "words"),
    [({"learning_rate": 0.0}, "learning_rate"), ({"betas": (1.0, 0.9)}, "betas"), ({"eps": -1.0}, "eps")],
)
def test_values_out_of_range(values, words):
    with pytest.raises(InputError, match=words):
        AdamRule(**values)
