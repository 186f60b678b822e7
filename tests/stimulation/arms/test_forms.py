"""With the batch last in memory every operation has the values and derivatives of its plain form."""

import pytest
import torch
from axonlight.stimulation.arms.forms import BatchLast
from torch.nn import functional as F

torch.manual_seed(0)


def tensor(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def rows(*shape):
    return torch.randint(7, shape)


CASES = {
    "linear": (lambda x, w, b: F.linear(x, w, b), [tensor(4, 5, 6), tensor(3, 6), tensor(3)]),
    "linear without bias": (lambda x, w: F.linear(x, w), [tensor(4, 5, 6), tensor(3, 6)]),
    "linear on rows": (lambda x, w: F.linear(x, w), [tensor(4, 6), tensor(3, 6)]),
    "matmul": (lambda a, b: a @ b, [tensor(4, 2, 5, 3), tensor(4, 2, 3, 6)]),
    "bmm": (lambda a, b: torch.bmm(a, b), [tensor(4, 5, 3), tensor(4, 3, 6)]),
    "large matmul": (lambda a, b: a @ b, [tensor(2, 20, 3), tensor(2, 3, 4)]),
    "matmul with a matrix": (lambda a, b: a @ b, [tensor(4, 5, 3), tensor(3, 6)]),
    "softmax": (lambda x: x.softmax(-1), [tensor(4, 2, 5, 5)]),
    "masked softmax": (
        lambda x: x.masked_fill(~torch.ones(5, 5).tril().bool(), float("-inf")).softmax(dim=-1),
        [tensor(4, 2, 5, 5)],
    ),
    "softmax over the batch": (lambda x: F.softmax(x, dim=0), [tensor(4, 2, 5)]),
    "layer norm": (lambda x, w, b: F.layer_norm(x, (6,), w, b), [tensor(4, 5, 6), tensor(6), tensor(6)]),
    "layer norm without weights": (lambda x: F.layer_norm(x, (6,)), [tensor(4, 5, 6)]),
    "layer norm of two axes": (lambda x: F.layer_norm(x, (5, 6)), [tensor(4, 5, 6)]),
    "embedding": (lambda w: F.embedding(rows_45, w), [tensor(7, 6)]),
    "embedding with padding": (lambda w: F.embedding(rows_45, w, padding_idx=2), [tensor(7, 6)]),
    "sum": (lambda x: x.sum(-1) + x.sum(dim=3) * 2, [tensor(4, 2, 5, 6)]),
    "sum in the middle": (lambda x: x.sum(1, keepdim=True) - x.sum(-3, True) / 3, [tensor(4, 2, 5)]),
    "sum over the batch": (lambda x: x.sum(0) + x.sum(-3), [tensor(4, 2, 5)]),
    "sum of all": (lambda x: x.sum() * x.sum((0, 1)).prod(), [tensor(4, 2, 5)]),
    "product": (lambda a, b: a.unsqueeze(-2) * b.unsqueeze(-3), [tensor(4, 2, 5, 3), tensor(4, 2, 6, 3)]),
    "product with one sample": (lambda a, b: a * b, [tensor(4, 2, 5), tensor(1, 2, 5)]),
    "product with a number": (lambda a: a * 3.0 * torch.tensor(2.0), [tensor(4, 2, 5)]),
}
rows_45 = rows(4, 5)


@pytest.mark.parametrize("name", CASES)
def test_values_and_derivatives(name):
    function, arguments = CASES[name]
    arguments = [value.requires_grad_() for value in arguments]
    expected = function(*arguments)
    with BatchLast():
        found = function(*arguments)
    assert found.shape == expected.shape
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    weights = torch.randn(expected.shape, dtype=torch.float64)
    gradients = [torch.autograd.grad((value * weights).sum(), arguments) for value in (found, expected)]
    for left, right in zip(*gradients, strict=True):
        torch.testing.assert_close(left, right, rtol=1e-11, atol=1e-12)


def test_the_batch_is_last_in_memory():
    x, w, table = tensor(8, 5, 6), tensor(6, 6), tensor(7, 6)
    with BatchLast():
        looked_up, y = F.embedding(rows(8, 5), table), F.linear(x, w)
        made = [looked_up, y, F.layer_norm(y, (6,)), y.softmax(-1), y.sum(-1), y * y.sum(-1, keepdim=True), y + y]
    assert [value.stride(0) for value in made] == [1] * len(made)
    assert F.linear(x, w).stride(0) == 30


def test_tables_that_are_not_learned_are_looked_up():
    table = tensor(7, 6)
    with BatchLast(learned_tables=False):
        assert F.embedding(rows_45, table).stride(0) == 30
