"""The illusion of subspace patching, on three neurons whose effects follow by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from axonlight.errors import InputError
from axonlight.models import Site
from axonlight.stimulation import Place, Scene
from axonlight.stimulation.opsins import Subspace
from axonlight.stimulation.subspaces import Faithfulness, faithfulness, row_and_null
from scipy.linalg import null_space, orth

# x reaches the first and the third neuron; the second rests. The second (twice) and the third are read, and summed.
READOUT = torch.tensor([[0.0, 2.0, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
SEEMING = torch.tensor([[1.0, 1.0, 0.0]], dtype=torch.float64)
PLAIN = Faithfulness(1.0, 1.0, 0.0, 1.0, 0.0, 0.1, 1.0, 0.0, 1.0)


def three_neurons(x: torch.Tensor) -> torch.Tensor:
    return torch.stack([x, torch.zeros_like(x), x], dim=1)


def read(h: torch.Tensor) -> torch.Tensor:
    return (h @ READOUT.T).sum(1)


@pytest.fixture
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    x, other = torch.randn(2, 200, dtype=torch.float64)
    return three_neurons(x), three_neurons(other)


def test_a_direction_through_a_resting_neuron_seems_to_carry_the_input(pair):
    # Along (1, 1, 0) / sqrt 2 half of the change of the first neuron goes to the second, which counts twice: all of it.
    result = faithfulness(read, *pair, SEEMING, READOUT)
    # its parts are the resting neuron, which has nothing to give, and the first one, which nobody reads
    assert (result.subspace, result.row, result.null) == pytest.approx((1.0, 0.0, 0.0))
    assert result.full == pytest.approx(1.0)
    assert result.row_share == pytest.approx(0.5)
    assert result.distance > 10  # the resting neuron never moves by itself
    assert result.is_illusion
    assert "illusion" in str(result)


def test_a_single_output_reads_a_line_and_cannot_tell(pair):
    result = faithfulness(read, *pair, SEEMING, READOUT.sum(0, keepdim=True))
    row, null = np.array([0.0, 0.8, 0.4]), np.array([1.0, 0.2, -0.4])
    for part, effect in ((row, result.row), (null, result.null)):
        unit = part / np.linalg.norm(part)
        assert effect == pytest.approx(unit @ [0.0, 2.0, 1.0] * (unit @ [1.0, 0.0, 1.0]))
    assert result.row == pytest.approx(1.0)
    assert not result.is_illusion


def test_the_direction_that_carries_the_input_is_faithful(pair):
    result = faithfulness(read, *pair, torch.tensor([[0.0, 0.0, 3.0]], dtype=torch.float64), READOUT)
    assert result.subspace == pytest.approx(1.0)
    assert not result.is_illusion
    assert "illusion" not in str(result)


def test_a_direction_that_is_not_read_has_no_effect_to_explain(pair):
    result = faithfulness(read, *pair, torch.tensor([[1.0, 0.0, 0.0]], dtype=torch.float64), READOUT)
    assert result.subspace == pytest.approx(0.0, abs=1e-12)
    assert result.row == pytest.approx(0.0, abs=1e-12)
    assert result.row_share == pytest.approx(0.0, abs=1e-12)
    assert not result.is_illusion


@pytest.mark.parametrize(
    ("subspace", "row", "null", "illusion"),
    [(1.389, 1.260, 0.136, False), (0.459, 0.132, 0.0, True)],
    ids=["residual stream", "MLP 8"],
)
def test_the_published_directions_are_told_apart(subspace, row, null, illusion):
    # Makelov et al. 2023: logit difference drops of directions found by distributed alignment search
    assert replace(PLAIN, subspace=subspace, row=row, null=null).is_illusion == illusion


def test_parts_are_the_projections_on_row_space_and_kernel():
    basis, readout = torch.randn(2, 6, dtype=torch.float64), torch.randn(3, 6, dtype=torch.float64)
    row, null = row_and_null(basis, readout)
    space, kernel = orth(readout.numpy().T), null_space(readout.numpy())
    np.testing.assert_allclose(row, basis.numpy() @ space @ space.T, atol=1e-12)
    np.testing.assert_allclose(null, basis.numpy() @ kernel @ kernel.T, atol=1e-12)


def test_the_patch_is_that_of_the_opsin(pair):
    base, source = pair
    basis = torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]], dtype=torch.float64)
    scene = Scene(sources={("batch", "h"): source})
    place = Place(Site("h", "h"), ("batch", "unit"), scene)
    patched = Subspace(basis.tolist(), source="batch").value(base, torch.ones((), dtype=torch.float64), place)
    change, wanted = read(patched) - read(base), read(source) - read(base)
    effect = float((change * wanted).sum() / wanted.square().sum())
    assert faithfulness(read, base, source, basis, READOUT).subspace == pytest.approx(effect)


def test_the_whole_space_does_what_the_whole_layer_does(pair):
    whole = faithfulness(read, *pair, torch.eye(3, dtype=torch.float64), READOUT)
    assert whole.subspace == pytest.approx(whole.full)
    assert whole.random == pytest.approx(1.0)
    assert whole.random_deviation == pytest.approx(0.0, abs=1e-9)
    assert whole.distance == pytest.approx(1.0)


def test_bad_input_is_refused(pair):
    base, source = pair
    with pytest.raises(InputError, match=r"they must be \(N, D\), \(N, D\) and \(K, D\)"):
        faithfulness(read, base, source[1:], SEEMING, READOUT)
    with pytest.raises(InputError, match="there is no effect that a patch could carry over"):
        faithfulness(read, base, base, SEEMING, READOUT)
    with pytest.raises(InputError, match=r"they must be \(K, D\) and \(O, D\)"):
        row_and_null(SEEMING, READOUT[:, :2])
