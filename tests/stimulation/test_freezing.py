"""The optimizer rule "freeze": elements without gradient keep value and state, the others move as ever."""

import copy

import pytest
import torch
from axonlight.stimulation.freezing import Freezer
from torch import nn

OPTIMIZERS = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.1, nesterov=True),
    "Adam": lambda p: torch.optim.Adam(p, lr=0.1, weight_decay=0.1, amsgrad=True),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=0.1, foreach=True),
    "AdamW fused": lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=0.1, fused=True),
    "RMSprop": lambda p: torch.optim.RMSprop(p, lr=0.1, momentum=0.9, weight_decay=0.1, centered=True),
    "Adagrad": lambda p: torch.optim.Adagrad(p, lr=0.1, weight_decay=0.1, initial_accumulator_value=0.5),
    "Adadelta": lambda p: torch.optim.Adadelta(p, lr=0.1, weight_decay=0.1),
    "NAdam": lambda p: torch.optim.NAdam(p, lr=0.1, weight_decay=0.1),
    "Rprop": lambda p: torch.optim.Rprop(p, lr=0.1),
}


def step(optimizer, parameters, gradients, freezer=None):
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient.clone()
    if freezer is not None:
        freezer.hold(optimizer)
    optimizer.step()
    if freezer is not None:
        freezer.release(optimizer)


def state_of(optimizer, parameter):
    return {
        name: value.clone()
        for name, value in optimizer.state[parameter].items()
        if isinstance(value, torch.Tensor) and value.shape == parameter.shape and name != "step"
    }


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("before", [0, 3])
def test_still_elements_keep_value_and_state_and_others_move_as_ever(name, before):
    weight, scale = nn.Parameter(torch.randn(4, 3)), nn.Parameter(torch.tensor(0.5))
    free_weight, free_scale = copy.deepcopy(weight), copy.deepcopy(scale)
    optimizer, free = OPTIMIZERS[name]([weight, scale]), OPTIMIZERS[name]([free_weight, free_scale])
    for _ in range(before):
        gradients = [torch.randn(4, 3), torch.randn(())]
        step(optimizer, [weight, scale], gradients)
        step(free, [free_weight, free_scale], gradients)
    value, state = weight.detach().clone(), state_of(optimizer, weight)
    gradient = torch.randn(4, 3)
    gradient[1] = 0.0
    step(optimizer, [weight, scale], [gradient, torch.zeros(())], Freezer())
    step(free, [free_weight, free_scale], [gradient, torch.zeros(())])
    moved = [0, 2, 3]
    assert torch.equal(weight[1], value[1])
    assert torch.equal(weight[moved], free_weight[moved])
    assert not torch.equal(weight[moved], value[moved])
    for key, now in state_of(optimizer, weight).items():
        assert torch.equal(now[moved], state_of(free, free_weight)[key][moved])
        if before:
            assert torch.equal(now[1], state[key][1])
    if name != "Rprop" and before:
        assert not torch.equal(free_weight[1], value[1])  # or there was nothing to keep


def test_a_scalar_is_kept_and_its_count_goes_on():
    scale = nn.Parameter(torch.tensor(0.5))
    optimizer = OPTIMIZERS["AdamW"]([scale])
    step(optimizer, [scale], [torch.tensor(1.0)])
    value, state = scale.item(), state_of(optimizer, scale)
    step(optimizer, [scale], [torch.tensor(0.0)], Freezer())
    assert scale.item() == value
    assert state_of(optimizer, scale) == state
    assert float(optimizer.state[scale]["step"]) == 2


def test_frozen_from_the_first_update_on_is_as_if_not_there_yet():
    """Momentum that weight decay left behind would move a parameter when the light goes off."""
    weight = nn.Parameter(torch.ones(2))
    optimizer = OPTIMIZERS["SGD"]([weight])
    step(optimizer, [weight], [torch.zeros(2)], Freezer())
    fresh = nn.Parameter(torch.ones(2))
    other = OPTIMIZERS["SGD"]([fresh])
    step(optimizer, [weight], [torch.ones(2)])
    step(other, [fresh], [torch.ones(2)])
    assert torch.equal(weight, fresh)
